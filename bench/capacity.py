# SPDX-License-Identifier: Apache-2.0
"""Measures how many calls a ring holds: makes more calls of a known mix than fit, then counts the complete ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from programs import attached
from report import Figure

from traceloop_decode.events import events
from traceloop_decode.model import Call, Returned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workload import Workload

    from traceloop_bpf.tracer import Tracer

TARGET_CALLS: Final = 12_500  # in 1 MiB
_CALLS: Final = 50_000
_MIX: Final = {"getppid": (), "openat": (1,), "write": (1,), "read": (1,), "close": ()}  # -> pointer arguments


def measure(tracer: Tracer, recorder: dict[str, int], workload: Workload) -> Iterator[Figure | str]:
    """Counts the complete calls in a ring: entry, exit, and the contents of every pointer."""
    with attached(recorder):
        recording = tracer.record([workload.cgroup_id])
        workload.sample("mixed", 1, _CALLS)
        snapshot = recording.ring.snapshot(recording.started_ns)
        tracer.stop(recording)
    tracer.give_back(recording)
    tracer.pool.wait_idle()
    calls = [
        event if isinstance(event, Call) else event.call
        for event in events(snapshot)
        if isinstance(event, Call | Returned)
    ]
    whole = sum(map(_is_whole, calls))
    mebibytes = snapshot.ring_size / (1 << 20)
    size = snapshot.ring_size / max(1, whole)
    yield Figure(
        f"whole calls in a ring of {mebibytes:g} MiB",
        whole,
        "calls",
        TARGET_CALLS * mebibytes,
        at_least=True,
        detail=f"{size:.0f} bytes a call",
    )


def _is_whole(call: Call) -> bool:
    return (
        call.name in _MIX
        and not call.entry_lost
        and call.result is not None
        and all(any(item.data for item in call.args[n].items) for n in _MIX[call.name])
    )
