# SPDX-License-Identifier: Apache-2.0
"""The hook needs nothing on the node except its own file, and little memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.installed

HOOK = Path(sys.executable).with_name("traceloop-hook")
SOURCE = Path(__file__).parents[2] / "hook/traceloop_hook"
MIB = 1 << 20


@pytest.fixture(scope="module")
def headers() -> str:
    return subprocess.run(["readelf", "-lW", HOOK], capture_output=True, text=True, check=True).stdout


def test_it_is_linked_statically_and_hardened(headers) -> None:
    assert "INTERP" not in headers
    assert re.search(r"GNU_STACK .* RW ", headers)
    assert "GNU_RELRO" in headers


def test_it_is_made_of_this_source(tmp_path) -> None:
    subprocess.run([SOURCE.parent / "compile.sh", tmp_path / "hook"], check=True)
    assert (tmp_path / "hook").read_bytes() == HOOK.read_bytes(), f"{HOOK} is another one; run `make setup`"


@pytest.mark.parametrize("name", ["traceloop-runtime", "traceloop-add-hooks"])
def test_the_installed_scripts_are_these(name) -> None:
    assert HOOK.with_name(name).read_bytes() == (SOURCE / name).read_bytes(), "run `make setup`"


@pytest.mark.kernel
def test_it_runs_in_a_root_that_holds_nothing_else(tmp_path) -> None:
    (tmp_path / "hook").write_bytes(HOOK.read_bytes())
    (tmp_path / "hook").chmod(0o755)
    ended = subprocess.run(["chroot", tmp_path, "/hook", "start"], input=b"x" * MIB, capture_output=True, check=True)
    assert ended.stderr.startswith(b"traceloop-hook: cannot connect to /run/traceloop/hook.sock: No such file")


def run_with(limit: str, tmp_path: Path) -> bytes:
    command = ["prlimit", limit, HOOK, "start", "--socket", tmp_path / "absent.sock"]
    return subprocess.run(command, input=b"x" * 10 * MIB, capture_output=True, check=True).stderr


@pytest.mark.parametrize("what", ["as", "data", "stack"])
def test_little_memory_is_enough(tmp_path, what) -> None:
    """The hook runs within 3 MiB, which hold the program and the largest state."""
    said = run_with(f"--{what}={3 * MIB}", tmp_path)
    assert b"absent.sock: No such file or directory; is traceloopd running there?" in said


def test_no_descriptor_is_left(tmp_path) -> None:
    assert b"absent.sock: Too many open files; is traceloopd" in run_with("--nofile=3", tmp_path)
