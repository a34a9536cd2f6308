# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""The output of traceloopctl with a reader that leaves, a closed stdout, or a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_daemon import BIN, CALL, NO_DAEMON, TIMEOUT_S, daemon, path, started, written_ring

pytestmark = pytest.mark.installed

UNREACHABLE = 3


def test_a_reader_that_has_seen_enough_ends_it_quietly(daemon, path):
    daemon.snapshot = written_ring(5000)  # far more than a pipe holds
    with started(path, "show", "node1_default_mypod", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith(CALL)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(TIMEOUT_S) == -signal.SIGPIPE


def test_an_interrupt_while_it_loads_is_no_traceback():
    # Python reports each module it has loaded.
    loads = [sys.executable, "-X", "importtime", "-m", "traceloop_cli", "list", *NO_DAEMON]
    command = ["env", "--default-signal=INT", *loads]  # a background job of a shell ignores SIGINT
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        loaded = next(line for line in process.stderr if line.endswith(" click.types\n"))
        process.send_signal(signal.SIGINT)
        said = loaded + process.stderr.read()
        assert process.wait(TIMEOUT_S) == -signal.SIGINT
    assert [line for line in said.splitlines() if not line.startswith("import time:")] == []


def test_an_interrupt_that_is_ignored_stays_so():
    """An ignored SIGINT stays ignored: in the background of a shell without job control, ^C is meant for others."""
    loads = [sys.executable, "-X", "importtime", "-m", "traceloop_cli", "list", *NO_DAEMON]
    with subprocess.Popen(["env", "--ignore-signal=INT", *loads], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.endswith((" click.types\n", " traceloop_cli.main\n")):
                process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == UNREACHABLE


def test_a_closed_stdout_is_no_error(daemon, path):
    # Through a shell: gRPC, which serves in this process, writes to a child's stderr in its own fork(2) handlers.
    command = ["sh", "-c", 'exec "$@" >&-', "sh", str(BIN), "--address", f"unix:{path}", "list"]
    ended = subprocess.run(command, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=True)
    assert ended.stderr == b""


@pytest.mark.parametrize("closed", ["0<&-", "2>&-", "0<&- 2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stdin_or_stderr_is_no_error_and_no_part_of_the_output(daemon, path, tmp_path, closed):
    def said(*words, status=0):
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", str(BIN), "--address", f"unix:{path}", *words]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert ended.returncode == status, ended
        assert "Traceback" not in ended.stderr
        return ended.stdout

    assert said("show", "--file", "-", status=1) == ""
    assert said("show", "nosuch", status=1) == ""
    said("dump", "node1_default_mypod", "--file", str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == daemon.file


def test_a_full_disk_is_an_error(daemon, path):
    with Path("/dev/full").open("w") as full, started(path, "list", stdout=full, text=True) as process:
        assert process.stderr.read() == "traceloopctl: cannot write the output: No space left on device\n"
        assert process.wait(TIMEOUT_S) == 1
