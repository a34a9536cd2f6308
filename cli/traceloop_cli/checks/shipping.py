# SPDX-License-Identifier: Apache-2.0
"""traceloop-ship, where it is set up: whether it runs, and whether it has failed for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from traceloop_cli.checks.model import Machine
from traceloop_cli.display.traces import age
from traceloop_cli.errors import CliError
from traceloop_cli.findings import Finding, Level
from traceloop_cli.sources.client import connected
from traceloop_decode.safe_text import printable
from traceloop_proto.traceloop_pb2 import StatsReply, StatsRequest

_AREA: Final = "shipping"
_SETTINGS: Final = "/etc/traceloop/ship.toml"
_DEADLINE_S: Final = 10
_MINUTE_NS: Final = 60_000_000_000
_FAILS_NS: Final = 15 * _MINUTE_NS  # seven runs of its timer
_RUNS_NS: Final = 90 * _MINUTE_NS  # a run takes at most an hour, and the next begins two minutes later
_WHY: Final = "traces are lost with this node, or when its archive is full"
_ENABLE: Final = "systemctl enable --now traceloop-ship.path traceloop-ship.timer traceloop-ship-last.service"
_LOG: Final = "journalctl -u traceloop-ship.service"


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about shipping; none where it is not set up."""
    if not machine.host.path(_SETTINGS).exists():
        return
    try:
        with connected(machine.address) as daemon:
            stats = daemon.Stats(StatsRequest(), timeout=_DEADLINE_S)
    except CliError as error:
        yield Finding(_AREA, Level.UNKNOWN, str(error))
    else:
        yield from told(machine, stats, time.time_ns())


def told(machine: Machine, stats: StatsReply, now_ns: int) -> Iterator[Finding]:
    """Yields what the daemon has read of it."""
    if not machine.host.path(_SETTINGS).exists():
        return
    found = stats.shipping
    failing_ns = now_ns - found.failing_since_ns if found.failing_since_ns or found.error else 0
    if not stats.HasField("shipping"):
        what = f"there is {_SETTINGS}, but traceloop-ship has not run"
        yield Finding(_AREA, Level.WARNING, what, _WHY, f"{_ENABLE}; {_LOG}")
    elif now_ns - found.last_run_ns > _RUNS_NS:
        what = f"traceloop-ship ran {age(now_ns - found.last_run_ns)} ago for the last time"
        yield Finding(_AREA, Level.WARNING, what, _WHY, f"{_ENABLE}; {_LOG}")
    elif failing_ns > _FAILS_NS:
        since = f"for {age(failing_ns)}" if found.failing_since_ns else "since its first run"
        what = f"traceloop-ship has failed {since}, and {found.waiting:,} traces wait: {printable(found.error)}"
        yield Finding(_AREA, Level.WARNING, what, _WHY, f"{_LOG}; rclone's settings are in /etc/traceloop/rclone.conf")
    else:
        yield Finding(_AREA, Level.OK, f"{found.traces:,} traces were shipped, {found.waiting:,} wait")
