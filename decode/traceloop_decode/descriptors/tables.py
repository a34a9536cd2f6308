# SPDX-License-Identifier: Apache-2.0
"""Open files and directories of processes, now or at an earlier moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Final, NamedTuple

from traceloop_decode.descriptors.names import Known, of_place
from traceloop_decode.descriptors.numbered import Numbered
from traceloop_decode.descriptors.opened import Names, Opened
from traceloop_decode.descriptors.paths import Place
from traceloop_decode.model import Call

ROOT: Final = Place(real=True)
_NOTHING: Final[Numbered[Opened]] = Numbered()


class Descriptors(Mapping[int, Known]):
    """Descriptors at a moment."""

    __slots__ = ("closed", "kept", "moment")

    def __init__(self, kept: Numbered[Opened], closed: Numbered[Opened], moment: int) -> None:
        self.kept, self.closed, self.moment = kept, closed, moment

    def opened(self, fd: int) -> Opened | None:
        """Returns the open file of a descriptor, or None if it is not known."""
        return self.kept.get(fd) or self.closed.get(fd)

    def get(self, fd: int, default: Known | None = None) -> Known | None:  # type: ignore[override]  # others have no use
        """Returns what is known of a descriptor's file."""
        found = self.kept.get(fd) or self.closed.get(fd)
        return (found and found.at(self.moment)) or default

    def __getitem__(self, fd: int) -> Known:
        found = self.get(fd)
        if found is None:
            raise KeyError(fd)
        return found

    def __iter__(self) -> Iterator[int]:
        for part in (self.kept, self.closed):
            yield from (fd for fd, opened in part.items() if opened.at(self.moment) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Table:
    """Descriptors: those that execve keeps, and those that it closes; no number is in both.

    blind: descriptors may change without a call, so none is known.
    """

    __slots__ = ("blind", "closed", "kept")

    def __init__(self, kept: Numbered[Opened] = _NOTHING, closed: Numbered[Opened] = _NOTHING) -> None:
        self.kept, self.closed, self.blind = kept, closed, False

    def copy(self) -> Table:
        copy = Table(self.kept, self.closed)
        copy.blind = self.blind
        return copy

    def at(self, moment: int) -> Descriptors:
        """Returns the current state as that of `moment`, which must be now."""
        return Descriptors(self.kept, self.closed, moment)

    def get(self, fd: int) -> Opened | None:
        return self.kept.get(fd) or self.closed.get(fd)

    def put(self, fd: int, opened: Opened | None, *, closed_by_exec: bool = False) -> None:
        """Adds a descriptor."""
        if opened is None or self.blind:
            self.drop(fd)
        elif closed_by_exec:
            self.kept, self.closed = self.kept.drop(fd), self.closed.put(fd, opened)
        else:
            self.kept, self.closed = self.kept.put(fd, opened), self.closed.drop(fd)

    def mark(self, fd: int, *, closed_by_exec: bool) -> None:
        """Sets or clears FD_CLOEXEC."""
        self.put(fd, self.get(fd), closed_by_exec=closed_by_exec)

    def drop(self, fd: int) -> None:
        """Removes a descriptor that was closed or is not known any more."""
        self.kept, self.closed = self.kept.drop(fd), self.closed.drop(fd)

    def drop_range(self, first: int, last: int) -> None:
        """Removes the descriptors from `first` to `last`, which were closed."""
        self.kept, self.closed = self.kept.cut(first, last)[1], self.closed.cut(first, last)[1]

    def mark_range(self, first: int, last: int) -> None:
        """Sets FD_CLOEXEC for the descriptors from `first` to `last`."""
        marked, self.kept = self.kept.cut(first, last)
        self.closed = self.closed.merge(marked)

    def executed(self) -> Table:
        """Returns the table after execve."""
        return Table() if self.blind else Table(self.kept)

    def forget(self, *, blind: bool = False) -> None:
        """Forgets all descriptors; blind: also those added later."""
        self.kept = self.closed = _NOTHING
        self.blind = self.blind or blind

    def common(self, other: Table) -> Table:
        """Returns what both tables agree on. A descriptor that execve closes in one of them is closed by it."""
        mine, others = (self.kept, self.closed), (other.kept, other.closed)
        kept, closed = (one.common(two, Opened.is_same) for one, two in zip(mine, others, strict=True))
        if mine[0].root is not others[0].root and mine[1].root is not others[1].root:
            for one, two in ((mine[0], others[1]), (mine[1], others[0])):
                closed = closed.merge(one.common(two, Opened.is_same))
        table = Table(kept, closed)
        table.blind = self.blind or other.blind
        return table


class Directories:
    """Directories in which a process's paths begin. None: not known.

    blind: they may change without a call, so neither is known.
    """

    __slots__ = ("_names", "_root", "_rooted", "blind", "opened")

    def __init__(self, names: Names, opened: Opened | None = None, root: Place | None = ROOT) -> None:
        self._names, self.opened, self.root, self.blind = names, opened, root, False

    def copy(self) -> Directories:
        copy = Directories(self._names, self.opened, self.root)
        copy.blind = self.blind
        return copy

    @property
    def cwd(self) -> Place | None:
        known = self.opened.now if self.opened is not None else None
        return known.place if known is not None and not known.deleted else None

    @cwd.setter
    def cwd(self, place: Place | None) -> None:
        self.opened = Opened(of_place(place), self._names) if place is not None and not self.blind else None

    @property
    def root(self) -> Place | None:
        if self.blind:
            return None
        return self._root if self._rooted >= self._names.pivoted else ROOT

    @root.setter
    def root(self, place: Place | None) -> None:
        self._root, self._rooted = place, self._names.now

    def common(self, other: Directories) -> Directories:
        """Returns the directories that both agree on."""
        opened = self.opened if self.cwd == other.cwd else None
        directories = Directories(self._names, opened, self.root if self.root == other.root else None)
        directories.blind = self.blind or other.blind
        return directories

    def forget(self) -> None:
        """Forgets both, and those that are set later."""
        self.opened, self.blind = None, True


class Task:
    """Descriptors and directories that threads share. tids: these threads."""

    __slots__ = ("at", "table", "tids")

    def __init__(self, table: Table, at: Directories) -> None:
        self.table, self.at = table, at
        self.tids: set[int] = set()

    def copy(self) -> Task:
        """Returns a copy without threads."""
        return Task(self.table.copy(), self.at.copy())


class Begun(NamedTuple):
    """Files that a call's numbers stood for when it began."""

    fds: Descriptors
    cwd: Opened | None

    @property
    def directory(self) -> Known | None:
        """Directory in which relative paths began."""
        return self.cwd.at(self.fds.moment) if self.cwd is not None else None

    @property
    def place(self) -> Place | None:
        """Place of that directory."""
        known = self.directory
        return known.place if known is not None and not known.deleted else None


def open_file(call: Call, fd: int) -> Opened | None:
    """Returns the open file of a descriptor when a call began, which all its descriptors have in common."""
    before = call.files.before if call.files is not None else None
    return before.opened(fd) if isinstance(before, Descriptors) else None


def common(tasks: Iterable[Task]) -> Task:
    """Returns what all tasks agree on."""
    return reduce(lambda one, other: Task(one.table.common(other.table), one.at.common(other.at)), tasks).copy()
