# SPDX-License-Identifier: Apache-2.0
"""Containers of the real runc start and end even if parts of the hook or the runtime wrapper are missing or broken."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broken import BREAK, restore
from lab import Runc, make_bundle, make_root
from lab.bundle import HOOK

from traceloop_cli.engines.guard import entry

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

PROGRAMS = ("traceloop-hook", "traceloop-runtime", "traceloop-add-hooks")
PYTHON = Path("/usr/bin/python3").resolve()
LIBRARY = Path(os.__file__).parent
HELPER_S = 5  # traceloop-runtime's limit for traceloop-add-hooks
LARGE = {"large": "x" * 300_000}  # more than a pipe holds
ENDS = ["sh", "-c", "echo out; exit 7"]


@pytest.fixture(scope="module")
def runc(tmp_path_factory) -> Iterator[Runc]:
    with Runc(tmp_path_factory.mktemp("runc") / "state") as runc:
        yield runc


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("root") / "root")


@pytest.fixture
def programs(tmp_path) -> Path:
    """Copies of the programs that packages install into one directory."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in PROGRAMS:
        restore(directory / name, HOOK.with_name(name))
    return directory


@pytest.fixture
def bundle(root, tmp_path) -> Path:
    """A bundle without hooks."""
    return make_bundle(tmp_path / "bundle", root, ENDS)


@pytest.mark.parametrize("fault", BREAK)
@pytest.mark.parametrize("annotations", [{}, LARGE], ids=["", "large"])
def test_a_hook_that_is_broken(runc, programs, bundle, fault, annotations) -> None:
    hook = programs / "traceloop-hook"
    hooks = {
        stage: [entry(str(hook), [word, "--socket", "/nonexistent"])]
        for stage, word in (("prestart", "start"), ("poststop", "stop"))
    }
    config = json.loads((bundle / "config.json").read_text())
    (bundle / "config.json").write_text(json.dumps({**config, "hooks": hooks, "annotations": annotations}))
    BREAK[fault](hook)
    ended = runc.run(bundle, f"hook-{fault.replace(' ', '-')}")
    assert (ended.returncode, ended.stdout) == (7, "out\n"), ended.stderr


def through_runtime(
    runc, programs, bundle, container_id, breaking=""
) -> tuple[subprocess.CompletedProcess[str], float]:
    """Runs a bundle through traceloop-runtime in a mount namespace of its own, after the commands in `breaking`."""
    script = f'{breaking}\nexec "$@"'
    words = ["unshare", "-m", "--propagation", "private", "sh", "-euc", script, "sh", programs / "traceloop-runtime"]
    words += ["--root", runc.state, "run", "--bundle", bundle, container_id]
    began_s = time.monotonic()
    ended = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    return ended, time.monotonic() - began_s


@pytest.mark.parametrize("fault", BREAK)
@pytest.mark.parametrize("name", ["traceloop-hook", "traceloop-add-hooks"])
def test_a_program_beside_the_runtime_that_is_broken(runc, programs, bundle, name, fault) -> None:
    BREAK[fault](programs / name)
    ended, _ = through_runtime(runc, programs, bundle, f"beside-{fault.replace(' ', '-')}")
    assert (ended.returncode, ended.stdout) == (7, "out\n"), ended.stderr
    # The kernel or Python may run the remaining part of a truncated program.
    assert "traceloop-" in ended.stderr or fault == "cut off"
    assert sorted(path.name for path in bundle.iterdir()) == ["config.json"]


# The mounts that give a python3 as an interrupted upgrade or a failing disk leaves it
PYTHONS = {
    "missing": "",
    **dict.fromkeys(
        ("not executable", "empty", "cut off", "noise", "of another machine", "that hangs"),
        f"mount --bind $BROKEN {PYTHON}",
    ),
    "without its library": f"mount -t tmpfs none {LIBRARY}",
}


@pytest.mark.parametrize("fault", PYTHONS)
def test_a_python_that_is_broken(runc, programs, bundle, tmp_path, fault) -> None:
    broken = tmp_path / "python3"
    restore(broken, PYTHON)
    if fault == "that hangs":
        broken.write_text("#!/bin/sh\nexec sleep 1000\n")
    elif fault in BREAK and fault != "missing":
        BREAK[fault](broken)
    breaking = PYTHONS[fault].replace("$BROKEN", str(broken))
    if fault == "missing":  # a mount cannot make a file disappear
        script = programs / "traceloop-add-hooks"
        script.write_text(script.read_text().replace("#!/usr/bin/python3", "#!/nonexistent/python3", 1))
    ended, took_s = through_runtime(runc, programs, bundle, f"python-{fault.replace(' ', '-')}", breaking)
    assert (ended.returncode, ended.stdout) == (7, "out\n"), ended.stderr
    hangs = fault == "that hangs"
    assert ("gave up after 5 s while running" in ended.stderr) == hangs, ended.stderr
    assert took_s < HELPER_S + 5 if hangs else took_s < HELPER_S
    assert json.loads((bundle / "config.json").read_text())["hooks"] == {}


def test_all_is_well_when_nothing_is_broken(runc, programs, bundle) -> None:
    ended, _ = through_runtime(runc, programs, bundle, "whole")
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "out\n", "")
    prestart, *_ = json.loads((bundle / "config.json").read_text())["hooks"]["prestart"]
    assert prestart == entry(str(programs / "traceloop-hook"), ["start"])
