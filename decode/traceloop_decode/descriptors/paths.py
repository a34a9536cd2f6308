# SPDX-License-Identifier: Apache-2.0
"""Absolute paths of open files and directories, each as a name in the directory above it.

A file that is opened in a directory shares the directory's path, so a deep path costs memory once. A path is at most as
long as the kernel can return: the path of a deeper file is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

PATH_MAX: Final = 4095
"""Maximum length of a path in bytes: Linux' PATH_MAX without the NUL."""

# The file that such a name leads to depends on who opens it, and when, and has another name.
_MAGIC_IN_PROC: Final = frozenset((b"fd", b"cwd", b"root", b"exe", b"map_files", b"ns"))
_MAGIC_PROCESSES: Final = (b"self", b"thread-self")
_MAGIC_TOPS: Final = (b"proc", b"dev", b"..")


class Place:
    """An absolute path. real: the kernel returned it, so it contains no symbolic link.

    above: the directory, or None for the root. size: of the path, in bytes. top: its first name, or ``..`` if it
    has one. outside: it is a path in another mount namespace, whose names are not those in the processes' own; so is
    what is opened below it.
    """

    __slots__ = ("above", "name", "outside", "real", "size", "top")

    def __init__(
        self, above: Place | None = None, name: bytes = b"", *, real: bool = False, outside: bool = False
    ) -> None:
        self.above, self.name, self.real = above, name, real
        self.outside: bool = outside if above is None else above.outside
        if above is None:
            self.size, self.top = 1, b""
        elif above.above is None:
            self.size, self.top = 1 + len(name), name
        else:
            self.size, self.top = above.size + 1 + len(name), name if name == b".." else above.top

    @classmethod
    def of(cls, path: bytes, *, real: bool = False, outside: bool = False) -> Place:
        """Returns the place that an absolute path names."""
        return cls(real=real, outside=outside).below(path)

    def below(self, path: bytes) -> Place:
        """Returns the place that a path names that begins here; it is as real as this one."""
        place = self
        for name in path.split(b"/"):
            if name:
                place = Place(place, name, real=self.real)
        return place

    @property
    def path(self) -> bytes:
        """Path in bytes, such as ``/etc/hosts``."""
        return b"/" + b"/".join([*self.names()][::-1])

    def names(self) -> Iterator[bytes]:
        """Yields the names in the path, the last one first."""
        place = self
        while place.above is not None:
            yield place.name
            place = place.above

    def is_at(self, other: Place) -> bool:
        """Tells whether both have the same path, in the same mount namespace as far as that is known."""
        return self is other or (self.size == other.size and self.outside is other.outside and self.path == other.path)

    def after(self, other: Place) -> bytes | None:
        """Returns the path from a directory above to here; None if it is not above."""
        if self.size <= other.size or other.above is None or self.outside is not other.outside:
            return None
        path, above = self.path, other.path
        return path[len(above) + 1 :] if path.startswith(above + b"/") else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.real is other.real and self.is_at(other)

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"Place.of({self.path!r}, real={self.real})"


def join(base: Place | None, root: Place | None, path: bytes) -> Place | None:
    """Returns the place that a path leads to. Keeps symbolic links, and ``..`` after a name that may be one.

    base: the directory in which a relative path begins; None if it is not known.
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
    return at if at.size <= PATH_MAX and not _is_magic(at, root) else None


def _is_magic(place: Place, root: Place | None) -> bool:
    # Tells whether the kernel leads on from there, or from above, to another file.
    if (root is None or root.above is None) and place.top not in _MAGIC_TOPS:
        return False
    names = [*place.names()][::-1]
    above = [*root.names()][::-1] if root is not None else []
    path: list[bytes] = []
    for name in names[len(above) :] if names[: len(above)] == above else names:
        if name == b"..":  # of a link, mostly to a directory beside it
            del path[-1:]
            continue
        path.append(name)
        if path[0] == b"proc" and len(path) > 1 and name in _MAGIC_IN_PROC:
            return True
        if path == [b"proc", name] and name in _MAGIC_PROCESSES:
            return True
        if path == [b"dev", name] and (name == b"fd" or name.startswith(b"std")):
            return True
    return False


def said(root: Place | None, path: bytes) -> Place | None:
    """Returns the place of a path that the kernel returned as seen by a process. root: that process's root."""
    if root is None or not path.startswith(b"/") or root.size + len(path) > PATH_MAX:
        return None
    return root.below(path)
