# SPDX-License-Identifier: Apache-2.0
"""Traces as JSON objects, and their values as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from traceloop_decode.ending import MemoryEnd, how_ended
from traceloop_decode.signals import SIGNAL
from traceloop_proto import traceloop_pb2 as pb

_NS: Final = 1_000_000_000
_AGES: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))  # seconds of each unit
_AGE_UNITS: Final = 2  # one unit is shown until it counts two, so that 119 s are not a minute
TOTALS: Final = ("calls", "errors", "read_bytes", "written_bytes")
"""Fields of a trace that count calls from the first to the last; older traces have none of them."""
CAPABILITIES: Final = ("capabilities_granted", "capabilities_refused")
"""Fields of a trace with a bit for each capability that was asked for; absent where the kernel does not tell."""
_MEMORY: Final = ("memory_limit_bytes", "memory_peak_bytes", "oom_kills", "oom_by_limit")
_UNITS: Final = "BKMGTP"
_KIB: Final = 1024


def in_window(trace: pb.Trace, since_ns: int | None, until_ns: int | None) -> bool:
    """Returns whether any part of the recording may lie between two times (CLOCK_REALTIME, ns; None: no limit)."""
    begun_late = until_ns is not None and trace.started_ns > until_ns
    ended_early = since_ns is not None and trace.ended_ns != 0 and trace.ended_ns < since_ns
    return not begun_late and not ended_early


def trace_object(trace: pb.Trace) -> dict[str, Any]:
    """Returns what `list -o json` and `info` show: times are RFC 3339 in UTC, None stands for not known."""
    from traceloop_proto.trace_message import capture_word  # noqa: PLC0415 - a table needs none of it

    return {
        "id": trace.id,
        "node": trace.node,
        "namespace": trace.namespace,
        "pod": trace.pod,
        "pod_uid": trace.pod_uid,
        "container": trace.container,
        "container_id": trace.container_id,
        "image": trace.image,
        "restart_count": trace.restart_count if trace.HasField("restart_count") else None,
        "labels": dict(sorted(trace.labels.items())),
        "labels_left_out": trace.labels_left_out,
        "state": state(trace),
        "started": rfc3339(trace.started_ns),
        "ended": rfc3339(trace.ended_ns),
        "exit_code": trace.exit_code if trace.HasField("exit_code") else None,
        "signal": trace.signal if trace.HasField("signal") else None,
        "reason": trace.reason or None,
        "events": trace.events,
        "lost": trace.lost,
        "size_bytes": trace.size_bytes,
        "cgroup": trace.cgroup,
        "capture": capture_word(trace.capture),
        "ring_size_bytes": trace.ring_size_bytes or None,
        "io_uring_setups": trace.io_uring_setups,
        "skipped": trace.skipped.split(",") if trace.skipped else [],
        **{name: getattr(trace, name) if trace.HasField(name) else None for name in (*TOTALS, *_MEMORY)},
        "out_of_memory": bool(trace.out_of_memory) if trace.HasField("out_of_memory") else None,
        **{name: _names_in(getattr(trace, name)) if trace.HasField(name) else None for name in CAPABILITIES},
    }


def _names_in(mask: int) -> list[str]:
    from traceloop_decode.capabilities import numbers_in  # noqa: PLC0415 - needs the decoder
    from traceloop_decode.capability_names import name_of  # noqa: PLC0415 - likewise

    return [name_of(number) for number in numbers_in(mask)]


def state(trace: pb.Trace) -> str:
    """Returns ``recording``, ``frozen``, ...; or the number of a state that this version does not know."""
    return state_name(trace.state)


def state_name(number: int) -> str:
    """Returns the name of a state, or its number if this version does not know it."""
    if number in pb.State.values():
        return pb.State.Name(number).removeprefix("STATE_").lower()
    return str(number)


def ending(trace: pb.Trace) -> str:
    """Returns how the container's first process ended: ``1``, ``SIGKILL``; empty if not known."""
    if trace.HasField("signal"):
        return SIGNAL.get(trace.signal, str(trace.signal))
    return str(trace.exit_code) if trace.HasField("exit_code") else ""


def reason(trace: pb.Trace) -> str:
    """Returns why the container ended, in one sentence; if the node has not found it, how; empty if not known."""
    memory = MemoryEnd(
        bool(trace.out_of_memory),
        trace.oom_kills,
        trace.memory_limit_bytes if trace.HasField("memory_limit_bytes") else None,
        trace.oom_by_limit if trace.HasField("oom_by_limit") else None,
    )
    return trace.reason or how_ended(*_end(trace), memory)


def _end(trace: pb.Trace) -> tuple[int | None, int | None]:
    # The exit code and the signal.
    if trace.HasField("signal"):
        return None, trace.signal
    return trace.exit_code if trace.HasField("exit_code") else None, None


def rfc3339(time_ns: int) -> str | None:
    """Formats a time: ``2026-11-22T13:08:00.000000042Z``; None for 0, which stands for not known."""
    if not time_ns:
        return None
    seconds, rest_ns = divmod(time_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09}Z"


def age(elapsed_ns: int) -> str:
    """Formats a span of time in one unit: ``90s``, ``5m``, ``2d``."""
    seconds = max(0, elapsed_ns // _NS)
    for unit_s, letter in _AGES:
        if seconds >= _AGE_UNITS * unit_s:
            return f"{seconds // unit_s}{letter}"
    return f"{seconds}s"


def size(size_bytes: int) -> str:
    """Formats a size: ``512B``, ``1.0M``."""
    power = 0
    while power < len(_UNITS) - 1 and size_bytes >= _KIB ** (power + 1):
        power += 1
    return f"{size_bytes / _KIB**power:.1f}{_UNITS[power]}" if power else f"{size_bytes}B"
