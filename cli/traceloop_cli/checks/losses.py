# SPDX-License-Identifier: Apache-2.0
"""Losses that the daemon has counted since it started, other than those that each trace shows of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from traceloop_cli.checks.model import Machine
from traceloop_cli.errors import CliError
from traceloop_cli.findings import Finding, Level
from traceloop_cli.sources.client import connected
from traceloop_proto.traceloop_pb2 import StatsReply, StatsRequest

_AREA: Final = "losses"
_DEADLINE_S: Final = 10


class _Loss(NamedTuple):
    """A kind of loss. field: its counter in StatsReply. what: the text after the number."""

    field: str
    what: str
    why: str
    remedy: str


_LOSSES: Final = (
    _Loss(
        "births_untold",
        "containers are not recorded, as their starts were not told",
        "they started while no daemon read the kernel's events, more than these hold",
        "`traceloopctl add` records those that still run; journalctl -u traceloopd says why no daemon ran",
    ),
    _Loss(
        "births_late",
        "containers started while no ring was ready",
        "more of them started at once than rings were in stock: their first calls are missing, of some all",
        "raise ring.spare and ring.spare_max in traceloop.toml; journalctl -u traceloopd names the containers",
    ),
    _Loss(
        "traces_lost",
        "traces are lost",
        "they could not be archived, or their rings did not outlive the daemon",
        "journalctl -u traceloopd names each and says why",
    ),
    _Loss(
        "cgroups_left_out",
        "cgroups below containers' own are not recorded",
        "a container has more than 2,048 of them, or all containers together too many: calls made there are missing",
        "journalctl -u traceloopd names the container once it has ended; a writable /sys/fs/cgroup lets it create them",
    ),
    _Loss(
        "forgotten",
        "calls were not read again at their exit",
        "a container had more than 200 calls in flight whose memory could not be read: their strings are missing",
        "journalctl -u traceloopd names the container once it has ended",
    ),
    _Loss(
        "in_call_forgotten",
        "times a thread that waited in a call was forgotten",
        "more than ten thousand threads waited in calls at once: the life totals count such a call twice, and "
        "capabilities that it asks for are not noted",
        "no call is missing in the traces; find out which container has so many threads",
    ),
    _Loss(
        "runtimes_forgotten",
        "processes of container runtimes are recorded as their containers' own",
        "more than 1,024 of them were in containers at once",
        "no call is missing; the runtime's calls take room in the rings of those containers",
    ),
    _Loss(
        "entries_untold",
        "processes came into containers, and it is not known which files they had open",
        "the kernel's events were full, as no daemon read them, or more came at once than can be looked at",
        "their calls are recorded; journalctl -u traceloopd says why no daemon ran",
    ),
    _Loss(
        "recorders_replaced",
        "recorders were damaged from outside, and replaced",
        "a process with root's rights froze one of the recorder's maps or took its descriptors",
        "journalctl -u traceloopd says what was done; find out who did it",
    ),
)


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about the daemon's counters. What each trace shows of itself, such as overwriting, is none."""
    try:
        with connected(machine.address) as daemon:
            stats = daemon.Stats(StatsRequest(), timeout=_DEADLINE_S)
    except CliError as error:
        yield Finding(_AREA, Level.UNKNOWN, str(error))
        return
    yield from counted(stats)


def counted(stats: StatsReply) -> Iterator[Finding]:
    """Yields findings about these counters."""
    found = [loss for loss in _LOSSES if getattr(stats, loss.field)]
    for loss in found:
        count = getattr(stats, loss.field)
        yield Finding(_AREA, Level.WARNING, f"{count:,} {loss.what}", loss.why, loss.remedy)
    if not found:
        yield Finding(_AREA, Level.OK, "nothing is missing except what each trace says of itself")
