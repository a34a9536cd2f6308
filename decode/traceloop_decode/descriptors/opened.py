# SPDX-License-Identifier: Apache-2.0
"""Open files, whose facts at any moment descriptors of many processes share.

A moment is the number of earlier changes that concern more than one descriptor: a name was removed from its file, a
mount changed, a socket got an address. Such a change need not visit all tables, and what was known before it can still
be looked up.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from traceloop_decode.descriptors.names import Known
from traceloop_decode.descriptors.paths import Place

_ANY_NAME: Final = (b"", b".", b"..")


class Names:
    """Names that were taken from their files, and when. now: the moment. pivoted: when all roots last changed."""

    __slots__ = ("_all", "_moments", "now", "pivoted")

    def __init__(self) -> None:
        self.now = self.pivoted = 0
        self._all: list[int] = []  # moments when any name may have been taken
        self._moments: dict[bytes, list[int]] = {}

    def change(self) -> int:
        """Begins a new moment and returns it."""
        self.now += 1
        return self.now

    def take(self, name: bytes) -> None:
        """Takes a name from its file: no path that contains the name is known any more.

        Symbolic links may lead to a file by many paths, but seldom by another last name.
        """
        if name in _ANY_NAME:
            self.take_all()
        else:
            self._moments.setdefault(name, []).append(self.change())

    def take_all(self) -> None:
        """Takes all names: no path is known any more."""
        self._all.append(self.change())

    def pivot(self) -> None:
        """Notes that every process's root may have changed."""
        self.take_all()
        self.pivoted = self.now

    def taken(self, place: Place, since: int) -> int | None:
        """Returns the first moment after `since` at which a name of the path was taken, or None if none was."""
        found = [moments for name in set(place.names()) if (moments := self._moments.get(name))]
        after = [moments[at] for moments in (*found, self._all) if (at := bisect_right(moments, since)) < len(moments)]
        return min(after, default=None)


class Opened:
    """An open file, which descriptors stand for."""

    __slots__ = ("_changes", "_known", "_names", "_seen", "_until")

    def __init__(self, known: Known, names: Names) -> None:
        self._known, self._names, self._seen = known, names, names.now
        self._until: int | None = None  # the moment from which its path is not known
        self._changes: list[tuple[int, Known]] = []

    def at(self, moment: int) -> Known | None:
        """Returns what the file was at a moment, or None if that is not known."""
        if self._changes:
            before = bisect_right(self._changes, moment, key=_moment)
            return self._changes[before - 1][1] if before else self._known
        if self._known.place is None:
            return self._known
        if self._until is None and self._seen < self._names.now:
            self._until = self._names.taken(self._known.place, self._seen)
            self._seen = self._names.now
        return self._known if self._until is None or moment < self._until else None

    @property
    def now(self) -> Known | None:
        """Current facts about the file, or None if they are not known."""
        return self.at(self._names.now)

    def change(self, known: Known) -> None:
        """Notes that the file is something else from now on: a socket that got an address."""
        if known != self.now:
            self._changes.append((self._names.change(), known))

    def is_same(self, other: Opened) -> bool:
        """Tells whether the same is known of both."""
        return self is other or self.now == other.now


def _moment(change: tuple[int, Known]) -> int:
    return change[0]
