# SPDX-License-Identifier: Apache-2.0
"""Which calls are on a path (strace -P): those that name it, and those on a descriptor that stands for it.

A call names a path as it stands there, relative or not. What a descriptor stands for is what `descriptors` knows of it,
so events must have come through `descriptors.follow.known`. An opening call that names a path adds what it opened, as
strace adds the path without its symbolic links.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.arguments.variants import selector_of
from traceloop_decode.arguments.words import line_of
from traceloop_decode.descriptors.names import in_brackets
from traceloop_decode.model import Call
from traceloop_decode.syscalls import Abi

_INT: Final = 0xFFFFFFFF
_POLLFD: Final = Struct("<i4x")
_FD: Final = frozenset(("fd", "dirfd"))


class _Places(NamedTuple):
    """Which arguments of a call are descriptors, arrays of pollfd, sets of descriptors, and paths."""

    fds: tuple[int, ...]
    polled: tuple[int, ...]
    sets: tuple[int, ...]
    paths: tuple[int, ...] | None
    """None: whatever is a string."""


class Paths:
    """The paths that are asked for."""

    def __init__(self, paths: tuple[bytes, ...]) -> None:
        self._paths = frozenset(paths)
        self._files = {in_brackets(path) for path in paths}  # as `descriptors` has them

    def has(self, call: Call) -> bool:
        """Is the call on one of them?"""
        places = _places(call.number, call.abi, selector_of(call))
        if self._named(call, places):
            if call.files is not None and call.files.result is not None and call.files.result.text:
                self._files.add(call.files.result.text)
            return True
        return call.files is not None and self._stands(call, places)

    def _named(self, call: Call, places: _Places) -> bool:
        indices = call.items.keys() if places.paths is None else places.paths
        return any(
            item.data in self._paths and item.kind == layout.KIND_STRING
            for index in indices
            for item in call.items.get(index, ())
        )

    def _stands(self, call: Call, places: _Places) -> bool:
        assert call.files is not None
        before = call.files.before
        for fd in _descriptors(call, places):
            known = before.get(fd)
            if known is not None and known.text in self._files:
                return True
        return False


def _descriptors(call: Call, places: _Places) -> Iterator[int]:
    # Those that a call names.
    for index in places.fds:
        if index < len(call.registers):
            yield call.registers[index] & _INT
    for index in places.polled:
        for item in call.items.get(index, ())[:1]:
            yield from (fd for (fd,) in _POLLFD.iter_unpack(item.data[: len(item.data) // 8 * 8]))
    for index in places.sets:
        for item in call.items.get(index, ())[:1]:
            yield from (
                8 * at + bit for at, byte in enumerate(item.data) if byte for bit in range(8) if byte >> bit & 1
            )


@lru_cache(maxsize=4096)
def _places(number: int, abi: Abi, selector: str) -> _Places:
    call = abi.lookup(number)
    line = line_of(call, selector, compat=abi.compat) if call is not None else None
    if line is None:  # the kernel's own name says as much
        params = call.params if call is not None else ()
        return _Places(
            tuple(n for n, param in enumerate(params) if param.name in ("fd", "dfd", "fildes")), (), (), None
        )

    def of(*what: str) -> tuple[int, ...]:
        return tuple(n for n, word in enumerate(line.words) if word.what in what)

    return _Places(of(*_FD), of("pollfd"), of("fd_set"), of("path"))
