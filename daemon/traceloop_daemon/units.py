# SPDX-License-Identifier: Apache-2.0
"""Sizes, spans of time and shares, as people write them.

Sizes: bytes, or a number with K, M, G, T, P or E, to the base 1024, as systemd has them. Spans of time: seconds, or
numbers with systemd.time(7)'s short units, such as ``14d`` or ``1h 30min``. Each function raises ValueError for
anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_POWERS: Final = "KMGTPE"
_SIZE: Final = re.compile(rf"([0-9]+(?:\.[0-9]+)?) ?([{_POWERS}]?)B?", re.ASCII)
_UNITS_S: Final = {
    **dict.fromkeys(("s", "sec"), 1),
    **dict.fromkeys(("m", "min"), 60),
    **dict.fromkeys(("h", "hr"), 3600),
    "d": 86_400,
    "w": 7 * 86_400,
    "M": 2_629_800,  # systemd.time(7): 30.44 days, to be exact 365.25 / 12
    "y": 31_557_600,
}
_PART: Final = re.compile(r"([0-9]+) ?([A-Za-z]+) ?", re.ASCII)
_PERCENT: Final = re.compile(r"([0-9]+)%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Share:
    """So many percent of something whose size is known later."""

    percent: int

    def of(self, whole: int) -> int:
        """This share of `whole`."""
        return whole * self.percent // 100

    def __str__(self) -> str:
        return f"{self.percent}%"


def size_bytes(value: object) -> int:
    """The bytes of a size."""
    if type(value) is int and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) and len(value) < 40 else None
    if match is None:
        raise ValueError('a size: bytes, or such as "512K", "1M" or "2G"')
    power = 1024 ** (_POWERS.index(match[2]) + 1) if match[2] else 1
    return int(float(match[1]) * power) if "." in match[1] else int(match[1]) * power


def size_or_share(value: object) -> int | Share:
    """The bytes of a size, or a share of the file system."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) < 5 else None
    if match is not None and int(match[1]) <= 100:
        return Share(int(match[1]))
    try:
        return size_bytes(value)
    except ValueError:
        raise ValueError('a size or a share of the file system: bytes, or such as "512M" or "10%"') from None


def span_s(value: object) -> int:
    """The seconds of a span of time."""
    if type(value) is int and value >= 0:
        return value
    wrong = ValueError('a span of time: seconds, or such as "30s", "5min", "12h" or "14d"')
    if not isinstance(value, str) or not value or len(value) > 100:
        raise wrong
    at = total_s = 0
    while at < len(value):
        match = _PART.match(value, at)
        if match is None or match[2] not in _UNITS_S:
            raise wrong
        total_s += int(match[1]) * _UNITS_S[match[2]]
        at = match.end()
    return total_s


def size_text(size: int) -> str:
    """A size in the largest unit that leaves it whole: ``1M``."""
    power = 0
    while power < len(_POWERS) and size and size % 1024 ** (power + 1) == 0:
        power += 1
    return f"{size // 1024**power}{_POWERS[power - 1]}" if power else str(size)
