# SPDX-License-Identifier: Apache-2.0
"""Tells whose memory was short when the kernel ended a process: a memory cgroup's, by its limit, or the node's."""

from __future__ import annotations

from typing import Final, NamedTuple

from traceloop_decode.model import Level

# The kernel tries to free memory before it ends a process, so there is always a little below the limit.
_NEAR_BYTES: Final = 1 << 20
_NEAR_SHIFT: Final = 6


class Short(NamedTuple):
    """The memory cgroup that had reached its limit. above: it is above the one that has the container's limit."""

    level: Level
    above: bool


def short_level(levels: tuple[Level, ...]) -> Short | None:
    """Returns the lowest memory cgroup that had reached its limit; None if none had: the node was out of memory.

    levels: the process's own, then those above it.
    """
    limited = [level for level in levels if level.limit_bytes is not None]
    for n, level in enumerate(limited):
        limit = level.limit_bytes or 0
        if limit - level.usage_bytes <= _NEAR_BYTES + (limit >> _NEAR_SHIFT):
            return Short(level, above=n > 0)
    return None
