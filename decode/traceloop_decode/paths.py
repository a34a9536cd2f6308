# SPDX-License-Identifier: Apache-2.0
"""Which calls are on a path (strace -P): those that name it, and those on a descriptor that stands for it.

A call names a path as it stands there, relative or not. What a descriptor stands for is what `fds` knows of it, so
events must have come through `fds.known`. An opening call that names a path adds what it opened, as strace adds
the path without its symbolic links.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.fd_names import in_brackets
from traceloop_decode.model import Call
from traceloop_decode.syscalls import Abi
from traceloop_decode.variants import selector_of
from traceloop_decode.words import line_of

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
        self._files = {in_brackets(path) for path in paths}  # as `fds` has them

    def has(self, call: Call) -> bool:
        """Is the call on one of them?"""
        places = _places(call.number, call.abi, selector_of(call))
        if self._named(call, places):
            if call.files is not None and call.files.result:
                self._files.add(call.files.result)
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
        ours = {fd for fd, known in call.files.before.items() if known.text in self._files}
        if not ours:
            return False
        registers = call.registers
        if any(registers[index] & _INT in ours for index in places.fds if index < len(registers)):
            return True
        for index in places.polled:
            data = b"".join(item.data for item in call.items.get(index, ())[:1])
            if any(fd in ours for (fd,) in _POLLFD.iter_unpack(data[: len(data) // 8 * 8])):
                return True
        for index in places.sets:
            bits = int.from_bytes(b"".join(item.data for item in call.items.get(index, ())[:1]), "little")
            if any(bits >> fd & 1 for fd in ours):
                return True
        return False


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
