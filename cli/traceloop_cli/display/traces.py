# SPDX-License-Identifier: Apache-2.0
"""Traces for people and programs: as objects, and the values in them as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from traceloop_decode.signals import SIGNAL
from traceloop_proto import recorder_pb2 as pb

_CAPTURE: Final = "CAPTURE_"
_NS: Final = 1_000_000_000
_AGES: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))  # seconds of each unit
_AGE_UNITS: Final = 2  # one unit is shown until it counts two, so that 119 s are not a minute
_UNITS: Final = "BKMGTP"
_KIB: Final = 1024


def in_window(trace: pb.Trace, since_ns: int | None, until_ns: int | None) -> bool:
    """Whether any of its recording lies between the two (CLOCK_REALTIME, or None); what is not known counts as so."""
    begun_late = until_ns is not None and trace.started_ns > until_ns
    ended_early = since_ns is not None and trace.ended_ns != 0 and trace.ended_ns < since_ns
    return not begun_late and not ended_early


def trace_object(trace: pb.Trace) -> dict[str, Any]:
    """What `list -o json` and `info` show: numbers stay numbers, times are RFC 3339 in UTC, None is not known."""
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
        "events": trace.events,
        "lost": trace.lost,
        "size_bytes": trace.size_bytes,
        "cgroup": trace.cgroup,
        "capture": _capture(trace.capture),
        "ring_size_bytes": trace.ring_size_bytes or None,
        "io_uring_setups": trace.io_uring_setups,
    }


def state(trace: pb.Trace) -> str:
    """``recording``, ``frozen``, ...; a number that this version does not know as it is."""
    return state_name(trace.state)


def state_name(number: int) -> str:
    """A state's name by its number."""
    if number in pb.State.values():
        return pb.State.Name(number).removeprefix("STATE_").lower()
    return str(number)


def capture_name(word: str) -> str:
    """The message's name of a capture policy by its word, as in archives; unspecified for one not known here."""
    name = f"{_CAPTURE}{word.upper().replace('-', '_')}"
    return name if name in pb.Capture.keys() else f"{_CAPTURE}UNSPECIFIED"  # noqa: SIM118 - no dict


def _capture(number: int) -> str | None:
    # The word of a policy; None where it is not known; a number that this version does not know as it is.
    if number == pb.CAPTURE_UNSPECIFIED:
        return None
    if number in pb.Capture.values():
        return pb.Capture.Name(number).removeprefix(_CAPTURE).lower().replace("_", "-")
    return str(number)


def ending(trace: pb.Trace) -> str:
    """How its first process ended: ``1``, ``SIGKILL``; empty where that is not known."""
    if trace.HasField("signal"):
        return SIGNAL.get(trace.signal, str(trace.signal))
    return str(trace.exit_code) if trace.HasField("exit_code") else ""


def rfc3339(time_ns: int) -> str | None:
    """``2026-11-22T13:08:00.000000042Z``; None for 0, which is no time."""
    if not time_ns:
        return None
    seconds, rest_ns = divmod(time_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09}Z"


def age(elapsed_ns: int) -> str:
    """``90s``, ``5m``, ``2d``."""
    seconds = max(0, elapsed_ns // _NS)
    for unit_s, letter in _AGES:
        if seconds >= _AGE_UNITS * unit_s:
            return f"{seconds // unit_s}{letter}"
    return f"{seconds}s"


def size(size_bytes: int) -> str:
    """``512B``, ``1.0M``."""
    power = 0
    while power < len(_UNITS) - 1 and size_bytes >= _KIB ** (power + 1):
        power += 1
    return f"{size_bytes / _KIB**power:.1f}{_UNITS[power]}" if power else f"{size_bytes}B"
