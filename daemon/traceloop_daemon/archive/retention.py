# SPDX-License-Identifier: Apache-2.0
"""Selects the archived traces to remove, by limits with the names and meanings of coredump.conf(5)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from traceloop_daemon.units import Share
from traceloop_decode.spans import DAY_S

MAX_AGE_S: Final = 14 * DAY_S
MAX_TRACES: Final = 10_000
_DEFAULT_MAX_BYTES: Final = 4 << 30
_MAX_USE: Final = Share(10)
_KEEP_FREE: Final = Share(15)
_NS: Final = 1_000_000_000
CLOCK_SET_NS: Final = 1_577_836_800 * _NS
"""2020: what ended before it was recorded by a machine whose clock was not set yet, as one without a battery."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the archive. max_use_bytes: of all traces together; None: 10 % of the file system, at most 4 GiB.

    keep_free_bytes: to be left free on it; None: 15 % of it, at most 4 GiB. max_age_s: since a container ended.
    """

    max_use_bytes: int | Share | None = None
    keep_free_bytes: int | Share | None = None
    max_age_s: int = MAX_AGE_S
    max_traces: int = MAX_TRACES


@dataclass(frozen=True, slots=True)
class Space:
    """A file system. free_bytes: as statvfs(3)'s f_bavail counts."""

    size_bytes: int
    free_bytes: int


class Occupant(Protocol):
    """An archived trace."""

    @property
    def trace_id(self) -> str:
        """The trace's id."""

    @property
    def ended_ns(self) -> int:
        """The end of the trace, by CLOCK_REALTIME."""

    @property
    def size_bytes(self) -> int:
        """Bytes that its removal frees."""


def expired(
    kept: Sequence[Occupant],
    limits: Limits,
    space: Space,
    now_ns: int,
    live: Collection[str] = (),
    *,
    shipped: Collection[str] = (),
    set_ns: int = 0,
) -> Iterator[tuple[str, str]]:
    """Yields the ids of the traces to remove, in order, each with the limit that requires it.

    kept: oldest first. Traces in `live` stay; those in `shipped`, of which a store has a copy, go before the others.
    The newest trace is removed only for its age, as users will ask for it first. If keep_free cannot be reached by
    removing traces, because other files fill the file system, no trace is removed for it.

    set_ns: when the clock was first known to be set, from which the age of what ended before CLOCK_SET_NS counts.
    """
    count, use_bytes, free_bytes = len(kept), sum(one.size_bytes for one in kept), space.free_bytes
    max_use_bytes = _bytes_of(limits.max_use_bytes, space, _MAX_USE)
    keep_free_bytes = _bytes_of(limits.keep_free_bytes, space, _KEEP_FREE)
    if free_bytes < keep_free_bytes:
        may_free = sum(one.size_bytes for one in kept[:-1] if one.trace_id not in live)
        keep_free_bytes = keep_free_bytes if free_bytes + may_free >= keep_free_bytes else free_bytes
    places = range(len(kept))
    for place in sorted(places, key=lambda place: kept[place].trace_id not in shipped) if shipped else places:
        one = kept[place]
        if one.trace_id in live:
            continue
        newest = place == len(kept) - 1
        ended_ns = one.ended_ns if one.ended_ns >= CLOCK_SET_NS else max(one.ended_ns, set_ns)
        if now_ns - ended_ns > limits.max_age_s * _NS:
            reason = f"max_age, {limits.max_age_s} s"
        elif count > limits.max_traces and not newest:
            reason = f"max_traces, {limits.max_traces}"
        elif use_bytes > max_use_bytes and not newest:
            reason = f"max_use, {max_use_bytes} bytes"
        elif free_bytes < keep_free_bytes and not newest:
            reason = f"keep_free, {keep_free_bytes} bytes"
        else:
            continue  # no break: if the clock was set back, a later trace may be older
        count -= 1
        use_bytes -= one.size_bytes
        free_bytes += one.size_bytes
        yield one.trace_id, reason


def _bytes_of(limit: int | Share | None, space: Space, default: Share) -> int:
    if limit is None:
        return min(default.of(space.size_bytes), _DEFAULT_MAX_BYTES)
    return limit.of(space.size_bytes) if isinstance(limit, Share) else limit
