# SPDX-License-Identifier: Apache-2.0
"""Open files, whose facts at any moment descriptors of many processes share.

A moment is the number of earlier changes that concern more than one descriptor: a name was removed from its file, a
mount changed, a socket got an address. Such a change need not visit all tables, and what was known before it can still
be looked up.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from traceloop_decode.descriptors.names import Known
from traceloop_decode.descriptors.paths import Place

_ANY_NAME: Final = (b"", b".", b"..")
_MOVES_MAX: Final = 16
"""A file that is moved more often, before anything is asked about it, is not followed."""


class Move(NamedTuple):
    """A place whose file got another place, or, with to=None, lost its name. plain: it was no symbolic link's.

    may_stay: nothing happened if the file had both names; a directory has one.
    """

    place: Place
    to: Place | None
    plain: bool
    may_stay: bool


class Names:
    """Names that were taken from their files, and when. now: the moment. pivoted: when all roots last changed."""

    __slots__ = ("_all", "_moments", "_moves", "_outside", "now", "pivoted")

    def __init__(self) -> None:
        self.now = self.pivoted = 0
        self._all: list[int] = []  # moments when any name may have been taken
        self._moments: dict[bytes, list[int]] = {}
        self._outside: dict[bytes, list[int]] = {}  # of the names of places outside
        self._moves: dict[int, Move] = {}  # by moment

    def change(self) -> int:
        """Begins a new moment and returns it."""
        self.now += 1
        return self.now

    def take(self, name: bytes, move: Move | None = None) -> None:
        """Takes a name from its file: no path that contains the name is known any more, but for what `move` tells.

        Symbolic links may lead to a file by many paths, but seldom by another last name.
        """
        if name in _ANY_NAME:
            self.take_all()
            return
        moment = self.change()
        moments = self._outside if move is not None and move.place.outside else self._moments
        moments.setdefault(name, []).append(moment)
        if move is not None:
            self._moves[moment] = move

    def take_all(self) -> None:
        """Takes all names: no path is known any more, but for places outside."""
        self._all.append(self.change())

    def pivot(self) -> None:
        """Notes that every process's root may have changed."""
        self.take_all()
        self.pivoted = self.now

    def taken(self, place: Place, since: int) -> int | None:
        """Returns the first moment after `since` at which a name of the path was taken, or None if none was."""
        by_name, whole = (self._outside, []) if place.outside else (self._moments, self._all)
        found = [moments for name in set(place.names()) if (moments := by_name.get(name))]
        after = [moments[at] for moments in (*found, whole) if (at := bisect_right(moments, since)) < len(moments)]
        return min(after, default=None)

    def after(self, known: Known, moment: int) -> Known | None:
        """Returns what is known of a file after a name of its path was taken; None if nothing is.

        A deleted file's own name tells nothing of it: others may have got the name since.
        """
        move, place = self._moves.get(moment), known.place
        if move is None or place is None or known.deleted:
            return None
        if move.place.is_at(place):
            return known.moved(move.to) if (move.plain or place.real) and not move.may_stay else None
        if move.to is None or not place.real:
            return None
        rest = place.after(move.place)
        return known.moved(move.to.below(rest)) if rest is not None else None


class Opened:
    """An open file, which descriptors stand for. twin: the other end of a pipe, or of a pair of sockets."""

    __slots__ = ("__weakref__", "_changes", "_known", "_names", "_seen", "twin")

    def __init__(self, known: Known, names: Names) -> None:
        self._known, self._names, self._seen = known, names, names.now
        self._changes: list[tuple[int, Known | None]] = []
        self.twin: Opened | None = None

    def at(self, moment: int) -> Known | None:
        """Returns what the file was at a moment, or None if that is not known."""
        if self._seen < self._names.now:
            self._follow()
        if not self._changes:
            return self._known
        before = bisect_right(self._changes, moment, key=_moment)
        return self._changes[before - 1][1] if before else self._known

    def _follow(self) -> None:
        # Applies what has happened to the names of the path.
        known = self._changes[-1][1] if self._changes else self._known
        for _ in range(_MOVES_MAX):
            place = known.place if known is not None else None
            if known is None or place is None:
                break
            taken = self._names.taken((place.above or place) if known.deleted else place, self._seen)
            if taken is None:
                break
            known, self._seen = self._names.after(known, taken), taken
            self._changes.append((taken, known))
        else:
            self._changes.append((self._seen, None))
        self._seen = self._names.now

    @property
    def now(self) -> Known | None:
        """Current facts about the file, or None if they are not known."""
        return self.at(self._names.now)

    def change(self, known: Known) -> None:
        """Notes that the file is something else from now on: a socket that got an address."""
        if known != self.now:
            self._changes.append((self._names.change(), known))

    def is_same(self, other: Opened) -> bool:
        """Tells whether the same is known of both; of two with a twin, that they are one."""
        return self is other or (self.twin is other.twin is None and self.now == other.now)


def _moment(change: tuple[int, Known | None]) -> int:
    return change[0]
