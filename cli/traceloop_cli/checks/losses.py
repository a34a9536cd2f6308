# SPDX-License-Identifier: Apache-2.0
"""What the daemon has counted since it started that is missing from traces, though their rings were large enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from traceloop_cli.checks.model import Machine
from traceloop_cli.errors import CliError
from traceloop_cli.findings import Finding, Level
from traceloop_cli.sources.client import recorder
from traceloop_proto.recorder_pb2 import StatsRequest

_AREA: Final = "losses"
_DEADLINE_S: Final = 10


class _Loss(NamedTuple):
    """field: of StatsReply. what follows its number."""

    field: str
    what: str
    why: str
    remedy: str


_LOSSES: Final = (
    _Loss(
        "cgroups_left_out",
        "cgroups below containers' own are not recorded",
        "a container has more than 2,048 of them, or all together have too many: calls made there are in no trace",
        "journalctl -u traceloopd names the container; a writable /sys/fs/cgroup lets it make cgroups",
    ),
    _Loss(
        "forgotten",
        "calls were not read again at their exit",
        "a container had more than 200 calls in flight with memory that could not be read: their strings are missing",
        "journalctl -u traceloopd names the container",
    ),
    _Loss(
        "recorders_replaced",
        "recorders were broken by someone, and replaced",
        "someone with root's rights froze a map of the recorder or took its descriptors",
        "journalctl -u traceloopd says what was done; find out by whom",
    ),
)


def findings(machine: Machine) -> Iterator[Finding]:
    """Of the daemon that answers. What rings have overwritten is no finding: each trace says so."""
    try:
        with recorder(machine.address) as daemon:
            stats = daemon.Stats(StatsRequest(), timeout=_DEADLINE_S)
    except CliError as error:
        yield Finding(_AREA, Level.UNKNOWN, str(error))
        return
    found = [loss for loss in _LOSSES if getattr(stats, loss.field)]
    for loss in found:
        count = getattr(stats, loss.field)
        yield Finding(_AREA, Level.WARNING, f"{count:,} {loss.what}", loss.why, loss.remedy)
    if not found:
        yield Finding(_AREA, Level.OK, "nothing is missing but what rings have overwritten")
