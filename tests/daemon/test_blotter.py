# SPDX-License-Identifier: Apache-2.0
"""The process that searches for secrets finds the same as the daemon's own search, and is replaced when it ends."""

import os
import re
import select
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from ringwriter import RingWriter, item

from traceloop_daemon.privacy.blotter import Blotter
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording.snapshots import Snapshots
from traceloop_decode import layout

WRITE = 1
SYS_PTRACE = 19  # linux/capability.h
REDACTOR = Redactor([re.compile(b"\xff[a-z]+")])


def snapshot(*texts):
    ring = RingWriter()
    for text in texts:
        ring.enter(0, 1, WRITE, items=item(1, layout.KIND_BUFFER, text))
    return ring.snapshot()


@pytest.fixture
def blotter():
    with closing(Blotter(REDACTOR)) as blotter:
        yield blotter


def pid_of(blotter):
    return blotter._process.pid


def test_it_finds_what_the_daemon_would(blotter):
    before = snapshot(b"password=hunter2", b"\xffsecret", b"nothing")
    for _ in range(2):
        after = blotter.redacted(before.encode(), "t")
        assert after == REDACTOR.redacted(before, "t").encode()
        assert b"hunter2" not in after


def test_a_snapshot_that_cannot_be_read_costs_itself_alone(blotter):
    with pytest.raises(OSError, match="not a traceloop snapshot"):
        blotter.redacted(b"nonsense", "t")
    assert blotter.redacted(snapshot(b"x").encode(), "t") == REDACTOR.redacted(snapshot(b"x"), "t").encode()


def test_one_that_was_killed_is_replaced(blotter, caplog):
    first = pid_of(blotter)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(OSError, match="try again"):
        blotter.redacted(snapshot(b"token=a").encode(), "trace1")
    assert "failed at trace1" in caplog.text
    assert b"token=*" in blotter.redacted(snapshot(b"token=a").encode(), "trace1")
    assert pid_of(blotter) != first


def test_what_the_daemon_must_keep_is_searched_by_itself_then(caplog):
    with closing(Snapshots(REDACTOR, {})) as snapshots:
        os.kill(pid_of(snapshots._blotter), signal.SIGKILL)
        kept = snapshots.surely_encoded(snapshot(b"token=a"), "trace1")
        assert b"token=*" in kept
        assert "trace1: the daemon itself searches it for secrets, and hooks wait meanwhile: " in caplog.text


def test_it_minds_no_signal_that_a_unit_gets_when_it_stops(blotter):
    os.kill(pid_of(blotter), signal.SIGTERM)
    os.kill(pid_of(blotter), signal.SIGINT)
    assert b"token=*" in blotter.redacted(snapshot(b"token=a").encode(), "t")


BEGIN = """
import sys
from traceloop_daemon.privacy.blotter import Blotter
from traceloop_daemon.privacy.redaction import Redactor
print(Blotter(Redactor())._process.pid, flush=True)
sys.stdin.read()
"""


def begin(*wrapper):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*wrapper, sys.executable, "-c", BEGIN]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)


def test_it_ends_with_a_daemon_that_is_killed():
    with begin() as daemon:
        fd = os.pidfd_open(int(daemon.stdout.readline()))
        daemon.kill()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    assert poll.poll(30_000)
    os.close(fd)


def capabilities(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split()[0].rstrip(":"): int(line.split()[1], 16) for line in lines if line.startswith("Cap")}


def test_it_has_no_capability_of_the_daemon():
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    words += ["--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"]
    with begin(*words) as daemon:
        pid = int(daemon.stdout.readline())
        of_daemon, of_it = capabilities(daemon.pid), capabilities(pid)
        daemon.stdin.close()
    assert of_daemon["CapEff"] == of_daemon["CapAmb"] == 1 << SYS_PTRACE  # it passes them on to the programs it starts
    assert of_it["CapEff"] == of_it["CapPrm"] == of_it["CapAmb"] == 0
