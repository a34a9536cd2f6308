# SPDX-License-Identifier: Apache-2.0
"""Selects the calls on a path (strace -P): those that name it, and those on a descriptor that stands for it.

A call names a path in exactly these bytes, relative or not. `descriptors` knows what a descriptor stands for, so events
must have passed through `descriptors.follow.known`. A call that opens a named path adds the file that it opened, as
strace adds the path without its symbolic links.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.arguments.variants import selector_of
from traceloop_decode.arguments.words import line_of, request_line
from traceloop_decode.descriptors.names import in_brackets
from traceloop_decode.model import Call, Item
from traceloop_decode.syscalls import Abi

_INT: Final = 0xFFFFFFFF
_POLLFD: Final = Struct("<i4x")
_FD: Final = frozenset(("fd", "dirfd"))


class _Places(NamedTuple):
    """Arguments of a call that are descriptors, arrays of pollfd, sets of descriptors, and paths."""

    fds: tuple[int, ...]
    polled: tuple[int, ...]
    sets: tuple[int, ...]
    paths: tuple[int, ...] | None
    """Indices of paths; None if any string may be one."""


class Paths:
    """The paths to select."""

    def __init__(self, paths: tuple[bytes, ...]) -> None:
        self._paths = frozenset(paths)
        self._files = {in_brackets(path) for path in paths}  # in the form of `descriptors`

    def has(self, call: Call) -> bool:
        """Tells whether the call is on one of the paths."""
        places = _places(call.number, call.abi, selector_of(call))
        if self._named(call):
            if call.files is not None and call.files.result is not None and call.files.result.text:
                self._files.add(call.files.result.text)
            return True
        return call.files is not None and self._stands(call, places)

    def _named(self, call: Call) -> bool:
        return any(item.data in self._paths or (item.tail and self._fits(item)) for item in paths_of(call))

    def _fits(self, item: Item) -> bool:
        # A long path is known by its ends and its length.
        return any(
            len(path) == item.size and path.startswith(item.data) and path.endswith(item.tail) for path in self._paths
        )

    def _stands(self, call: Call, places: _Places) -> bool:
        assert call.files is not None
        before = call.files.before
        for fd in _descriptors_at(call, places):
            known = before.get(fd)
            if known is not None and known.text in self._files:
                return True
        return False


def paths_of(call: Call) -> Iterator[Item]:
    """Yields the paths that a call names."""
    return (item for _, item in paths_at(call))


def paths_at(call: Call) -> Iterator[tuple[int, Item]]:
    """Yields the paths that a call names, each with the index of its argument."""
    places = _places(call.number, call.abi, selector_of(call))
    for index in call.items if places.paths is None else places.paths:
        yield from ((index, item) for item in call.items.get(index, ()) if item.kind == layout.KIND_STRING)


def descriptors_of(call: Call) -> Iterator[int]:
    """Yields the descriptors in a call's arguments."""
    return _descriptors_at(call, _places(call.number, call.abi, selector_of(call)))


def _descriptors_at(call: Call, places: _Places) -> Iterator[int]:
    for index in places.fds:
        if index < len(call.registers):
            yield call.registers[index] & _INT
    for index in places.polled:
        for item in call.items.get(index, ())[:1]:
            yield from (fd for (fd,) in _POLLFD.iter_unpack(item.data[: len(item.data) // 8 * 8]))
    for index in places.sets:  # of select and pselect6, whose first argument limits them
        count = call.registers[0] & _INT if call.registers else 0
        for item in call.items.get(index, ())[:1]:
            bits = (8 * at + bit for at, byte in enumerate(item.data) if byte for bit in range(8) if byte >> bit & 1)
            yield from (bit for bit in bits if bit < count)


@lru_cache(maxsize=4096)
def _places(number: int, abi: Abi, selector: str) -> _Places:
    call = abi.lookup(number)
    line = None
    if call is not None:
        line = request_line(call) if abi.requests else line_of(call, selector, compat=abi.compat)
    if line is None:  # then the kernel's name of the argument tells
        params = call.params if call is not None else ()
        return _Places(
            tuple(n for n, param in enumerate(params) if param.name in ("fd", "dfd", "fildes")), (), (), None
        )

    def of(*what: str) -> tuple[int, ...]:
        return tuple(n for n, word in enumerate(line.words) if word.what in what)

    return _Places(of(*_FD), of("pollfd"), of("fd_set"), of("path"))
