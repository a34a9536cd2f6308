# SPDX-License-Identifier: Apache-2.0
"""traceloop-explain, which finds why containers ended: whether it is there, and answers about a trace of nothing."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from traceloop_cli.checks.model import Machine
from traceloop_cli.errors import CliError
from traceloop_cli.findings import Finding, Level
from traceloop_cli.sources.client import connected
from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo, pack
from traceloop_decode.model import DecodeError
from traceloop_decode.reason import ANSWER_MAX, REQUEST, NotExplained, answered
from traceloop_decode.snapshot import Snapshot
from traceloop_proto.traceloop_pb2 import StatsReply, StatsRequest

_AREA: Final = "reasons"
_SOCKET: Final = "explain.sock"
_UNIT: Final = "traceloop-explain.socket"
_DEADLINE_S: Final = 10
_ANSWER_S: Final = 40  # it gives up after 30
_WHY: Final = "`list` and the journal do not tell why containers ended; `traceloopctl why` still does"
_START: Final = f"systemctl unmask {_UNIT}; systemctl restart {_UNIT}"
_LOG: Final = "journalctl -u traceloop-explain.service"
_PAGE: Final = 4096


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about the service, and about the traces that it has not explained."""
    path = machine.runtime_dir / _SOCKET
    if not path.exists():
        yield _absent(machine, path)
    elif not machine.is_root:
        yield Finding(_AREA, Level.UNKNOWN, f"only root can ask at {path}")
    else:
        yield _asked(path)
    try:
        with connected(machine.address) as daemon:
            yield from counted(daemon.Stats(StatsRequest(), timeout=_DEADLINE_S))
    except CliError as error:
        yield Finding(_AREA, Level.UNKNOWN, str(error))


def _absent(machine: Machine, path: Path) -> Finding:
    if not machine.has_systemd:
        return Finding(
            _AREA, Level.OK, "none are found on this node: that takes systemd; `traceloopctl why` finds them"
        )
    return Finding(_AREA, Level.WARNING, f"traceloop-explain is not set up: there is no {path}", _WHY, _START)


def _asked(path: Path) -> Finding:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
            asked.settimeout(_ANSWER_S)
            asked.connect(str(path))
            fd = os.memfd_create("doctor")
            try:
                os.pwrite(fd, _trace(), 0)  # it is read from the beginning
                socket.send_fds(asked, [REQUEST], [fd])
            finally:
                os.close(fd)
            answered(asked.recv(ANSWER_MAX + 1))
    except ConnectionRefusedError:
        return Finding(_AREA, Level.WARNING, f"traceloop-explain does not run: nobody listens at {path}", _WHY, _START)
    except (NotExplained, DecodeError, OSError) as error:
        return Finding(_AREA, Level.WARNING, f"traceloop-explain fails: {path}: {error}", _WHY, _LOG)
    return Finding(_AREA, Level.OK, "traceloop-explain answers")


def _trace() -> bytes:
    # The archive file of a container that did nothing.
    headers = (bytes(layout.headers_size(1)),) * 3
    empty = Snapshot(platform.machine(), layout.RECORD_VERSION, _PAGE, _PAGE, 1, 0, 0, 0, headers, b"")
    return pack(TraceInfo("doctor"), empty.encode())


def counted(stats: StatsReply) -> Iterator[Finding]:
    """Yields that traces have no reason although the service was asked."""
    if stats.reasons_failed:
        what = f"of {stats.reasons_asked:,} traces, {stats.reasons_failed:,} have no reason: traceloop-explain failed"
        yield Finding(_AREA, Level.WARNING, what, _WHY, f"journalctl -u traceloopd says which; {_LOG}")
