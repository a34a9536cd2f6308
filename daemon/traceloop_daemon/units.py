# SPDX-License-Identifier: Apache-2.0
"""Parses sizes, spans of time and shares as people write them.

A size is a number of bytes, or a number with K, M, G, T, P or E to the base 1024, as in systemd. A span of time is a
number of seconds, or what `traceloop_decode.spans` reads, such as ``14d`` or ``1h 30min``. Each function raises
ValueError for anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from traceloop_decode.spans import SECOND_NS, span_ns

_POWERS: Final = "KMGTPE"
_SIZE: Final = re.compile(rf"([0-9]+(?:\.[0-9]+)?) ?([{_POWERS}]?)B?", re.ASCII)
_NO_SPAN: Final = 'a span of time: a whole number of seconds, or such as "30s", "5min", "12h" or "14d"'
_SPAN_LETTERS_MAX: Final = 100
_PERCENT: Final = re.compile(r"([0-9]+)%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Share:
    """A percentage of a size that is known later."""

    percent: int

    def of(self, whole: int) -> int:
        """Returns this share of `whole`."""
        return whole * self.percent // 100

    def __str__(self) -> str:
        return f"{self.percent}%"


def size_bytes(value: object) -> int:
    """Parses a size, in bytes."""
    if type(value) is int and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) and len(value) < 40 else None
    if match is None:
        raise ValueError('a size: a number of bytes, or a number with a unit, such as "512K", "1M" or "2G"')
    power = 1024 ** (_POWERS.index(match[2]) + 1) if match[2] else 1
    return int(float(match[1]) * power) if "." in match[1] else int(match[1]) * power


def size_or_share(value: object) -> int | Share:
    """Parses a size, in bytes, or a share of the file system."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) < 5 else None
    if match is not None and int(match[1]) <= 100:
        return Share(int(match[1]))
    try:
        return size_bytes(value)
    except ValueError:
        raise ValueError('a size or a share of the file system, such as "512M" or "10%"') from None


def span_s(value: object) -> int:
    """Parses a span of time, in whole seconds."""
    if type(value) is int and value >= 0:
        return value
    try:
        if isinstance(value, str) and len(value) <= _SPAN_LETTERS_MAX:
            seconds, rest_ns = divmod(span_ns(value), SECOND_NS)
            if not rest_ns:
                return seconds
    except ValueError as error:
        raise ValueError(_NO_SPAN) from error
    raise ValueError(_NO_SPAN)


def size_text(size: int) -> str:
    """Formats a size in the largest unit that gives a whole number: ``1M``."""
    power = 0
    while power < len(_POWERS) and size and size % 1024 ** (power + 1) == 0:
        power += 1
    return f"{size // 1024**power}{_POWERS[power - 1]}" if power else str(size)
