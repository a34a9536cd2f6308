# SPDX-License-Identifier: Apache-2.0
"""The wheel, in a virtual environment that sees the distribution's packages."""

from __future__ import annotations

import os
import platform
import subprocess
import zipfile

import pytest
from roots import PROJECT

SCRIPTS = {
    "traceloopctl": "Usage: traceloopctl",
    "kubectl-traceloop": "Usage: kubectl traceloop",
    "traceloopd": "usage: traceloopd",
    "traceloop-ship": "usage: traceloop-ship",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, built = tmp_path_factory.mktemp("source") / "traceloop", tmp_path_factory.mktemp("wheel")
    subprocess.run([PROJECT / "packaging/source-tree.sh", source], check=True)
    subprocess.run([PROJECT / ".venv/bin/pip", "wheel", "--quiet", "--no-deps", "-w", built, source], check=True)
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    path = tmp_path_factory.mktemp("venv")
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", path], check=True)
    subprocess.run([path / "bin/pip", "install", "--quiet", "--no-index", wheel], check=True)
    return path


def test_commands_run_anywhere(environment, tmp_path):
    for name, begins in SCRIPTS.items():
        ended = subprocess.run(
            [environment / "bin" / name, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert ended.stdout.startswith(begins)
        assert ended.stderr == ""


def test_what_engines_run_is_there_to_the_letter(environment):
    scripts = [PROJECT / "hook/traceloop_hook" / name for name in ("traceloop-add-hooks", "traceloop-runtime")]
    for source in (*scripts, PROJECT / "build/hook/traceloop-hook"):
        installed = environment / "bin" / source.name
        assert installed.read_bytes() == source.read_bytes()
        assert os.access(installed, os.X_OK)


def test_its_name_says_for_which_machines_it_is(wheel):
    assert wheel.name.endswith(f"-py3-none-linux_{platform.machine()}.whl")


def test_what_the_kernel_side_is_made_of_is_there(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {str(path.relative_to(PROJECT / "bpf")) for path in (PROJECT / "bpf").rglob("*.[ch]")}
    assert sources
    assert sources <= names
