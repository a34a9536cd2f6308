# SPDX-License-Identifier: Apache-2.0
"""Facts that calls have shown about places: devices' numbers, and names that are no symbolic links.

What was shown of a place counts until a name of its path is taken.
"""

from __future__ import annotations

from typing import NamedTuple

from traceloop_decode.descriptors.opened import Names
from traceloop_decode.descriptors.paths import Place


class _Fact(NamedTuple):
    moment: int
    device: str = ""
    plain: bool = False


class Shown:
    """Facts about places. names: of the same processes."""

    __slots__ = ("_facts", "_names")

    def __init__(self, names: Names) -> None:
        self._facts: dict[bytes, _Fact] = {}
        self._names = names

    def note(self, place: Place, *, device: str = "", plain: bool = False) -> None:
        """Notes a device's numbers, or that the last name is no symbolic link's."""
        before = self._fact(place)
        if before is not None:
            device, plain = device or before.device, plain or before.plain
        self._facts[place.path] = _Fact(self._names.now, device, plain)

    def device(self, place: Place) -> str:
        """Returns the numbers of the device at a place: ``char 1:3``; "" if none is known."""
        fact = self._fact(place)
        return fact.device if fact is not None else ""

    def is_plain(self, place: Place) -> bool:
        """Tells whether the last name is known to be no symbolic link's."""
        fact = self._fact(place)
        return fact is not None and fact.plain

    def _fact(self, place: Place) -> _Fact | None:
        fact = self._facts.get(place.path) if self._facts else None
        return fact if fact is not None and self._names.taken(place, fact.moment) is None else None
