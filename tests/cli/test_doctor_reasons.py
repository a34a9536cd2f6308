# SPDX-License-Identifier: Apache-2.0
"""The doctor's check of traceloop-explain: the real program at a socket, one that fails, and none."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from explaining import explaining

from traceloop_cli.checks import reasons
from traceloop_cli.checks.model import Machine
from traceloop_cli.engines.host import Host
from traceloop_cli.findings import Finding, Level
from traceloop_proto.traceloop_pb2 import StatsReply

pytestmark = pytest.mark.installed


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="reasons-") as path:  # the path of a unix socket is short (unix(7))
        yield Path(path)


def first(directory: Path, *, is_root: bool = True) -> Finding:
    """Returns the finding about the service; the second one is that no daemon answers about its counters."""
    address = f"unix:{directory}/traceloop.sock"
    machine = Machine(Host(directory), address, directory, release="6.1.0", is_root=is_root)
    found, counters = reasons.findings(machine)
    assert counters.level is Level.UNKNOWN
    return found


def test_a_service_that_answers(directory: Path) -> None:
    with explaining(directory / "explain.sock"):
        assert first(directory) == Finding("reasons", Level.OK, "traceloop-explain answers")
        assert first(directory, is_root=False).level is Level.UNKNOWN


def test_a_service_that_fails(directory: Path) -> None:
    with explaining(directory / "explain.sock", program=("/bin/false",)) as process:
        process.wait(30)  # and with it the socket, of which the next connection would wait for ever
        found = first(directory)
    assert (found.level, "nobody listens" in found.what) == (Level.WARNING, True), found
    assert "systemctl restart traceloop-explain.socket" in found.remedy
    refuses = "import socket; s = socket.socket(fileno=3); c, _ = s.accept(); c.recv(100); c.send(b'!no memory')"
    with explaining(directory / "explain.sock", program=("/usr/bin/python3", "-c", refuses)):
        found = first(directory)
    assert (found.level, found.what.endswith("explain.sock: no memory")) == (Level.WARNING, True), found
    assert "journalctl -u traceloop-explain" in found.remedy


def test_no_service(directory: Path) -> None:
    assert first(directory).level is Level.OK
    (directory / "run/systemd/system").mkdir(parents=True)
    found = first(directory)
    assert (found.level, "is not set up" in found.what) == (Level.WARNING, True)
    assert "systemctl unmask traceloop-explain.socket" in found.remedy
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(directory / "explain.sock"))
    assert "nobody listens" in first(directory).what


def test_traces_without_a_reason_are_counted() -> None:
    assert not list(reasons.counted(StatsReply(reasons_asked=7)))
    (found,) = reasons.counted(StatsReply(reasons_asked=1007, reasons_failed=2))
    assert found.level is Level.WARNING
    assert found.what == "of 1,007 traces, 2 have no reason: traceloop-explain failed"
