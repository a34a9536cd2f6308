# SPDX-License-Identifier: Apache-2.0
"""The daemon: whether it answers, runs the installed version, and has what it needs from systemd."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from traceloop_cli.checks.model import HOOK_SOCKET_UNIT, SERVICE, Machine
from traceloop_cli.display.traces import size
from traceloop_cli.errors import CliError, Denied, Failed
from traceloop_cli.findings import Finding, Level
from traceloop_cli.sources.addresses import socket_path
from traceloop_cli.sources.client import connected
from traceloop_decode.safe_text import printable
from traceloop_proto.traceloop_pb2 import ListRequest, StatsReply, StatsRequest

_AREA: Final = "daemon"
_UNIT: Final = "unit"
_DEADLINE_S: Final = 10
_CONTAINERS_MIN: Final = 100
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred of unix(7)


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about the daemon and its units."""
    answers = True
    try:
        with connected(machine.address) as daemon:
            reply = daemon.List(ListRequest(), timeout=_DEADLINE_S)
            stats = daemon.Stats(StatsRequest(), timeout=_DEADLINE_S)
        yield Finding(_AREA, Level.OK, f"it answers as node {reply.node}, with {len(reply.traces)} traces")
        yield from _memory(stats)
    except Denied as error:
        yield Finding(_AREA, Level.UNKNOWN, str(error))
    except CliError as error:
        answers = False
        why = "nothing is recorded"
        yield Finding(_AREA, Level.ERROR, str(error), why, "systemctl start traceloopd; journalctl -u traceloopd")
    if answers:
        yield from _version(machine)
    if machine.has_systemd:
        try:
            yield from _units(machine, answers=answers)
        except Failed as error:
            yield Finding(_UNIT, Level.UNKNOWN, str(error))
    else:
        why = "live recordings end with the daemon, since no systemd keeps their descriptors"
        remedy = "run traceloopd by systemd, or do not stop it while containers run"
        yield Finding(_UNIT, Level.WARNING, "systemd is not this machine's process 1", why, remedy)


def _memory(stats: StatsReply) -> Iterator[Finding]:
    if not stats.ring_bytes:  # an older daemon
        return
    left, needed = stats.memory_left_bytes // stats.ring_bytes, size(stats.ring_bytes)
    limit = f"{size(stats.memory_limit_bytes)} ({printable(stats.memory_limit)})"
    if stats.no_memory or left < _CONTAINERS_MIN:
        missed = f"; {stats.no_memory} were not recorded for lack of memory" if stats.no_memory else ""
        what = f"there is memory for {left} more containers of {needed} each, of {limit}{missed}"
        why = "any more containers are not recorded"
        remedy = f"systemctl edit {SERVICE}: raise MemoryMax=; or set a smaller ring.size, or add memory"
        yield Finding(_AREA, Level.WARNING, what, why, remedy)
    else:
        yield Finding(_AREA, Level.OK, f"there is memory for {left} more containers of {needed} each, of {limit}")


def _version(machine: Machine) -> Iterator[Finding]:
    # Compares the start of the daemon's process with the ctime of its files, which is when a package installed them.
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(socket_path(machine.address))
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid = _CREDENTIALS.unpack(credentials)[0]
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return
    boot_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    started_s = boot_s + ticks / os.sysconf("SC_CLK_TCK")
    package = Path(__file__).parents[2]
    folders = [package / name for name in ("traceloop_daemon", "traceloop_bpf", "traceloop_decode", "traceloop_proto")]
    changed = [path for folder in folders for path in folder.rglob("*.py") if path.stat().st_ctime > started_s + 1]
    if changed:
        why = "it runs another version than the installed one"
        what = f"it started before {changed[0]} was installed"
        yield Finding(_AREA, Level.WARNING, what, why, "systemctl restart traceloopd (live recordings resume)")
    elif any(folder.is_dir() for folder in folders):
        yield Finding(_AREA, Level.OK, "it runs the installed version")


def _units(machine: Machine, *, answers: bool) -> Iterator[Finding]:
    unit = machine.unit(SERVICE)
    if unit.get("LoadState") != "loaded":
        yield Finding(
            _UNIT,
            Level.WARNING,
            f"systemd has no unit {SERVICE}",
            "nothing restarts the daemon, and live recordings end with it",
            "install the package, or: make install && systemctl daemon-reload",
        )
        return
    for name in (SERVICE, HOOK_SOCKET_UNIT):
        state = (unit if name == SERVICE else machine.unit(name)).get("UnitFileState", "")
        if not state.startswith("enabled"):
            why = "nothing is recorded after the next boot"
            yield Finding(_UNIT, Level.WARNING, f"{name} is {state or 'missing'}", why, f"systemctl enable {SERVICE}")
    status = unit.get("StatusText", "")
    if unit.get("ActiveState") != "active":
        said = f", and says: {status}" if status.startswith("cannot start") else ""  # systemd keeps the last status
        level = Level.ERROR if not answers else Level.WARNING
        why = "nothing is recorded" if not answers else "the daemon that answers was not started by systemd"
        what = f"{SERVICE} is {unit.get('ActiveState')}{said}"
        yield Finding(_UNIT, level, what, why, "systemctl start traceloopd; journalctl -u traceloopd")
        return
    if (restarts := int(unit.get("NRestarts") or 0)) > 0:
        why = "it ended unexpectedly"
        yield Finding(_UNIT, Level.WARNING, f"systemd restarted it {restarts} times", why, "journalctl -u traceloopd")
    yield from _limits(unit)


def _limits(unit: dict[str, str]) -> Iterator[Finding]:
    stored, limit = (int(unit.get(key) or 0) for key in ("NFileDescriptorStore", "FileDescriptorStoreMax"))
    files = _number(unit.get("LimitNOFILE", ""))
    edit = f"systemctl edit {SERVICE}"
    if not stored:
        why = "live recordings end with the daemon"
        what = f"systemd keeps no descriptors for it (FileDescriptorStoreMax={limit})"
        remedy = f"{edit}: FileDescriptorStoreMax=8192, then systemctl restart {SERVICE}"
        yield Finding(_UNIT, Level.WARNING, what, why, remedy)
    elif files is not None and files <= limit:
        why = "the daemon cannot take back all descriptors that systemd keeps for it"
        what = f"LimitNOFILE={files} is not above FileDescriptorStoreMax={limit}"
        yield Finding(_UNIT, Level.WARNING, what, why, f"{edit}: LimitNOFILE={2 * limit}")
    else:
        what = f"systemd keeps {stored} of at most {limit} descriptors for it: live recordings survive a restart"
        yield Finding(_UNIT, Level.OK, what)


def _number(text: str) -> int | None:
    # systemd prints infinity as a word, or as a number with all bits set.
    return int(text) if text.isdigit() and int(text) < (1 << 63) else None
