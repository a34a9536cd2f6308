# SPDX-License-Identifier: Apache-2.0
"""Absolute paths of open files and directories, each a name in the one above it.

A file that is opened in a directory shares the directory's path, so a deep one costs memory once. No path is longer
than the kernel can tell: of a deeper file it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

PATH_MAX: Final = 4095
"""Bytes of the longest path; Linux' PATH_MAX, but for the NUL."""

# What these names mean depends on who opens them, and when: the file behind them has another name.
_MAGIC: Final = re.compile(
    rb"/proc/(?:self|thread-self)(?:/|$)|/proc/(?:.*/)?(?:fd|cwd|root|exe|map_files|ns)(?:/|$)|/dev/(?:fd(?:/|$)|std)"
)
_MAGIC_TOPS: Final = (b"proc", b"dev")


class Place:
    """An absolute path. real: the kernel said it, so that it has no symbolic link in it.

    above: the directory; None: it is the root. size: of the path, in bytes. top: its first name.
    """

    __slots__ = ("above", "name", "real", "size", "top")

    def __init__(self, above: Place | None = None, name: bytes = b"", *, real: bool = False) -> None:
        self.above, self.name, self.real = above, name, real
        if above is None:
            self.size, self.top = 1, b""
        elif above.above is None:
            self.size, self.top = 1 + len(name), name
        else:
            self.size, self.top = above.size + 1 + len(name), above.top

    @classmethod
    def of(cls, path: bytes, *, real: bool = False) -> Place:
        """What a path names."""
        return cls(real=real).below(path)

    def below(self, path: bytes) -> Place:
        """What a path names that begins here, as real as this."""
        place = self
        for name in path.split(b"/"):
            if name:
                place = Place(place, name, real=self.real)
        return place

    @property
    def path(self) -> bytes:
        """``/etc/hosts``."""
        return b"/" + b"/".join([*self.names()][::-1])

    def names(self) -> Iterator[bytes]:
        """What it is made of, the last name first."""
        place = self
        while place.above is not None:
            yield place.name
            place = place.above

    @property
    def is_magic(self) -> bool:
        """Does the kernel lead on from there?"""
        return self.top in _MAGIC_TOPS and _MAGIC.match(self.path) is not None

    def is_at(self, other: Place) -> bool:
        """Have both the same path?"""
        return self is other or (self.size == other.size and self.path == other.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.real is other.real and self.is_at(other)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"Place.of({self.path!r}, real={self.real})"


def join(base: Place | None, root: Place | None, path: bytes) -> Place | None:
    """Where a path leads. Symbolic links stay as they are, and so does ``..`` behind what may be one.

    base: where a path begins that is not absolute; None: not known.
    """
    at = root if path.startswith(b"/") else base
    if at is None or not path or len(path) > PATH_MAX:
        return None
    for part in path.split(b"/"):
        if part in (b"", b"."):
            continue
        if part != b"..":
            at = Place(at, part)
        elif root is None:
            return None
        elif at.is_at(root):
            continue
        elif at.real:
            at = at.above or at
        elif at.above is not None:
            at = Place(at, part)
    return at if at.size <= PATH_MAX and not at.is_magic else None


def said(root: Place | None, path: bytes) -> Place | None:
    """A path that the kernel said in a process's own view."""
    if root is None or not path.startswith(b"/") or root.size + len(path) > PATH_MAX:
        return None
    return root.below(path)
