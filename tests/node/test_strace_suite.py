# SPDX-License-Identifier: Apache-2.0
"""The recorder in strace's place, as strace's own tests run it (`make test-strace`), with a command of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from recorded_cgroups import TIMEOUT_S
from strace.suite import shim
from strace.suite.server import Server

from traceloop_bpf.tracer import Tracer

pytestmark = pytest.mark.kernel


def run(tracer: Tracer, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = directory / "server.sock"
    with Server(path, tracer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            return subprocess.run(
                [sys.executable, "-IS", shim.__file__, *words],
                cwd=directory, env=os.environ | {"TRACELOOP_SUITE": str(path)}, capture_output=True, text=True,
                timeout=TIMEOUT_S, check=False,
            )  # fmt: skip
        finally:
            server.shutdown()
            thread.join()


def test_it_writes_straces_lines_and_ends_as_the_command(tracer: Tracer, tmp_path: Path) -> None:
    words = ("-a20", "-o", "log", "-e", "trace=chdir", "sh", "-c", "cd /; exit 5")
    assert run(tracer, tmp_path, *words).returncode == 5
    assert (tmp_path / "log").read_text() == 'chdir("/")          = 0\n+++ exited with 5 +++\n'


def test_it_refuses_what_show_lacks(tracer: Tracer, tmp_path: Path) -> None:
    ended = run(tracer, tmp_path, "-k", "-o", "log", "true")
    assert (ended.returncode, ended.stderr) == (1, "strace: option -k\n")
