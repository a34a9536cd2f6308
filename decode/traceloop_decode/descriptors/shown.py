# SPDX-License-Identifier: Apache-2.0
"""Facts that calls have shown about places: devices' numbers, names that are no symbolic links, names of one file.

What was shown of a place counts until a name of its path is taken. rename(2) leaves two names of one file as they are,
so it has moved a file only if the other name is known to be none of the file's. That is known of a file all of whose
names are: it was made here, or had one name when a call told how many, and each link(2) since is remembered by the last
part of both its paths.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from traceloop_decode.descriptors.opened import Names
from traceloop_decode.descriptors.paths import Place

_ANY: Final = b""
"""Last part of a path that was not read, or leads to a file of another name."""


class _Fact(NamedTuple):
    moment: int
    device: str = ""
    plain: bool = False
    whole: bool = False


class Shown:
    """Facts about places. names: of the same processes."""

    __slots__ = ("_facts", "_linked", "_links", "_names")

    def __init__(self, names: Names) -> None:
        self._facts: dict[tuple[bool, bytes], _Fact] = {}  # by whether it is outside, and path
        self._linked: set[bytes] = set()  # files' names that got another beside them, or were told to have one
        self._links: set[bytes] = set()  # these other names
        self._names = names

    def note(self, place: Place, *, device: str = "", plain: bool = False, whole: bool = False) -> None:
        """Notes a device's numbers, that the last name is no symbolic link's, that all names of the file are known."""
        before = self._fact(place)
        if before is not None:
            device, plain, whole = device or before.device, plain or before.plain, whole or before.whole
        self._facts[place.outside, place.path] = _Fact(self._names.now, device, plain, whole)

    def note_several(self, place: Place) -> None:
        """Notes that the file at a place has several names; if no call made them, these are not known."""
        name, fact = place.name, self._fact(place)
        if fact is not None and name not in self._linked and name not in self._links:
            self._facts[place.outside, place.path] = fact._replace(whole=False)
        self._linked.add(name)
        self._links.add(name)

    def note_link(self, name: bytes, link: bytes) -> None:
        """Notes that a file got another name; both by the last parts of their paths, b"" for any."""
        self._linked.add(name)
        self._links.add(link)

    def note_moved(self, name: bytes, to: bytes) -> None:
        """Notes that a file got another name instead: what was remembered of the one counts for both."""
        for names in (self._linked, self._links):
            if name in names:
                names.add(to)

    def may_be_one(self, *names: bytes) -> bool:
        """Tells whether two names may be of one file, if all names of one of the files are known."""
        return any(
            _is_in(self._links, link) and (_is_in(self._linked, name) or _is_in(self._links, name))
            for link, name in (names, names[::-1])
        )

    def device(self, place: Place) -> str:
        """Returns the numbers of the device at a place: ``char 1:3``; "" if none is known."""
        fact = self._fact(place)
        return fact.device if fact is not None else ""

    def is_plain(self, place: Place) -> bool:
        """Tells whether the last name is known to be no symbolic link's."""
        fact = self._fact(place)
        return fact is not None and fact.plain

    def is_whole(self, place: Place) -> bool:
        """Tells whether all names of the file at a place are known."""
        fact = self._fact(place)
        return fact is not None and fact.whole

    def forget(self) -> None:
        """Forgets all."""
        self._facts.clear()
        self._linked.clear()
        self._links.clear()

    def _fact(self, place: Place) -> _Fact | None:
        fact = self._facts.get((place.outside, place.path)) if self._facts else None
        return fact if fact is not None and self._names.taken(place, fact.moment) is None else None


def _is_in(names: set[bytes], name: bytes) -> bool:
    return name in names or _ANY in names or (name == _ANY and bool(names))
