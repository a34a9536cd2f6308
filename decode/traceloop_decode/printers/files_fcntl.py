# SPDX-License-Identifier: Apache-2.0
"""fcntl's commands: locks, owners, and results that are flags."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Final

from traceloop_decode.printers.files import ABBREVIATED, open_flags, register, whole_struct
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.signals import SIGNAL
from traceloop_decode.values.xlat import XLATS

_FLOCK: Final = Struct("<HH4xqqi")
_OWNER: Final = Struct("<Ii")
_LARGE: Final = (12, 13, 14)  # F_GETLK64 F_SETLK64 F_SETLKW64
_F_GETFD, _F_GETFL, _F_GETSIG, _F_GETLEASE, _F_GET_SEALS = 1, 3, 11, 1025, 1034


def _lock(fields: tuple[int, ...], view: View, *, pid: bool) -> str:
    kind, whence, start, length, owner = fields
    return (
        f"{{l_type={XLATS['lock_type'].one(kind, view.options)}, l_whence={XLATS['whence'].one(whence, view.options)}, "
        f"l_start={start}, l_len={length}{f', l_pid={owner}' if pid else ''}}}"
    )


def _owner(fields: tuple[int, ...], view: View) -> str:
    kind, pid = fields
    return f"{{type={XLATS['owner_type'].one(kind, view.options)}, pid={pid}}}"


def _fcntl_result(view: View) -> str:
    cmd, number = register(view, 1) & 0xFFFFFFFF, view.call.result or 0
    if cmd == _F_GETFL:
        return f" (flags {open_flags(number, view, ABBREVIATED)})"
    if cmd == _F_GETLEASE:
        return f" ({XLATS['lock_type'].one(number, ABBREVIATED)})"
    if not number:
        return ""
    if cmd == _F_GETFD:
        return f" (flags {XLATS['fd_flags'].flags(number, view.options)})"
    if cmd == _F_GET_SEALS:
        return f" (seals {XLATS['seals'].flags(number, view.options)})"
    if cmd == _F_GETSIG:
        return f" ({SIGNAL.get(number, str(number))})"
    return ""


_GIVEN: Final = whole_struct(_FLOCK, partial(_lock, pid=False))
_FOUND: Final = whole_struct(_FLOCK, partial(_lock, pid=True))
_FCNTL64: Final = "fcntl64"


def _lock_64(show: StructPrinter) -> StructPrinter:
    # Of 32-bit programs another struct. F_GETLK64 and its like are commands of fcntl64 alone: fcntl refuses them.
    def print_lock(data: bytes, view: View) -> str:
        refused = (register(view, 1) & 0xFFFFFFFF) in _LARGE and view.call.abi.call_name(view.call.number) != _FCNTL64
        return address(register(view, 2)) if refused else show(data, view)

    return print_lock


STRUCTS: Final[dict[str, StructPrinter]] = {
    "flock": _GIVEN,
    "flock_found": _FOUND,
    "flock_64": _lock_64(_GIVEN),
    "flock_64_found": _lock_64(_FOUND),
    "f_owner_ex": whole_struct(_OWNER, _owner),
}

RESULTS: Final[dict[str, Callable[[View], str]]] = {"fcntl": _fcntl_result}
