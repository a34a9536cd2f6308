# SPDX-License-Identifier: Apache-2.0
"""Conversion of 32-bit programs' structs to the 64-bit layout, which the printers know.

Sources: arch/x86/include/asm/compat.h, sys_ia32.h and include/linux/compat.h.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.arguments.compat import SIZES, name_of
from traceloop_decode.arguments.variants import selector_of
from traceloop_decode.arguments.words import line_of
from traceloop_decode.model import Call, Item
from traceloop_decode.syscalls import I386

_Widen = Callable[[bytes], bytes]


def _fields(narrow: str, wide: str) -> _Widen:
    # The fields and their order are the same.
    before, after = Struct(f"<{narrow}"), Struct(f"<{wide}")
    return lambda data: after.pack(*before.unpack_from(data))


_RLIMIT: Final = Struct("<II")
_INFINITE: Final = 0xFFFFFFFF


def _rlimit(data: bytes) -> bytes:
    limits = ((1 << 64) - 1 if limit == _INFINITE else limit for limit in _RLIMIT.unpack_from(data))
    return Struct("<QQ").pack(*limits)


_STAT: Final = Struct("<IIHHHHIIIIIIIIII8x")
_STAT_64: Final = Struct("<Q4xIIIIIQ4xqIqIIIIIIQ")
_STAT_WIDE: Final = Struct("<QQQIII4xQqqqqQqQqQ24x")


def _stat(data: bytes) -> bytes:
    dev, ino, mode, links, uid, gid, rdev, size, block, blocks, *times = _STAT.unpack_from(data)
    return _STAT_WIDE.pack(dev, ino, links, mode, uid, gid, rdev, size, block, blocks, *times)


def _stat64(data: bytes) -> bytes:
    dev, _, mode, links, uid, gid, rdev, size, block, blocks, *times, ino = _STAT_64.unpack_from(data)
    return _STAT_WIDE.pack(dev, ino, links, mode, uid, gid, rdev, size, block, blocks, *times)


_HEAD: Final = 12  # si_signo, si_errno, si_code: the union follows directly, where 64-bit programs have a gap
_CODE: Final = Struct("<i")
_SIGCHLD: Final = 17
_CHILD: Final = _fields("iIiii", "iIi4xqq")
_SENDER: Final = _fields("iII", "iIQ")
_TWO: Final = _fields("iI", "qI")
_POLL_CODES: Final = frozenset((-5, *range(1, 7)))
_SIGIO: Final = 29
_FAULTS: Final = frozenset((4, 5, 7, 8, 11, 31))
_ADDRESS: Final = _fields("III", "QII")


def _siginfo(data: bytes) -> bytes:
    number, code, union = _CODE.unpack_from(data)[0], _CODE.unpack_from(data, 8)[0], data[_HEAD:]
    if code > 0 and number == _SIGCHLD:
        rest = _CHILD(union)
    elif code > 0 and number in _FAULTS:
        rest = _ADDRESS(union)
    elif number == _SIGIO and code in _POLL_CODES:
        rest = _TWO(union)
    else:  # timers too: their id and overrun count are as wide as a sender's pid and uid
        rest = _SENDER(union)
    return (data[:_HEAD] + bytes(4) + rest).ljust(128, b"\0")


_TIMESPEC: Final = _fields("iI", "qQ")
_FOUR: Final = _fields("iIiI", "qQqQ")
_RUSAGE: Final = _fields("18i", "18q")
_FLOCK: Final = _fields("hhiii", "hh4xqqi4x")
_FLOCK_64: Final = _fields("hhqqi", "hh4xqqi4x")
_POINTER: Final = _fields("I", "Q")
_MQ: Final = _fields("8i", "8q")

WIDEN: Final[dict[str, _Widen]] = {
    "boxed_addr": _POINTER,
    "boxed_size": _POINTER,
    "file_timespec": _TIMESPEC,
    "file_timeval": _TIMESPEC,
    "flock": _FLOCK,
    "flock_found": _FLOCK,
    "flock_64": _FLOCK_64,
    "flock_64_found": _FLOCK_64,
    "itimerspec": _FOUR,
    "itimerval": _FOUR,
    "late_timespec": _TIMESPEC,
    "moved_offset": _POINTER,
    "mq_attr": _MQ,
    "mq_create_attr": _MQ,
    "remaining": _TIMESPEC,
    "rlimit": _rlimit,
    "rusage": _RUSAGE,
    "sigaction": _fields("IIIQ", "QQQQ"),
    "sigevent": _fields("IiiII", "QiiQQ32x"),
    "siginfo": _siginfo,
    "stack": _fields("IiI", "Qi4xQ"),
    "stat": _stat,
    "stat64": _stat64,
    "statfs": _fields("12I16x", "QQQQQQQIIQQQ32x"),
    "statfs64": _fields("IIQQQQQIIIII16x", "QQQQQQQIIQQQ32x"),
    "sysinfo": _fields("i9IHHIII8x", "q9QHH4xQQI4x"),
    "time_limit": _TIMESPEC,
    "time_t": _fields("i", "q"),
    "timeout_ns": _TIMESPEC,
    "timeout_us": _TIMESPEC,
    "timespec": _TIMESPEC,
    "timeval": _TIMESPEC,
    "timex": _fields("I4ii3iiI3ii5ii", "I4xqqqqi4xqqqqQqqqi4xqqqqqi44x"),
    "tms": _fields("4i", "4q"),
    "utimbuf": _fields("ii", "qq"),
    "vars": _POINTER,
    "wait_rusage": _RUSAGE,
}
"""Word -> converter of one struct of `arguments.compat.SIZES` bytes to its 64-bit layout."""


def widened(call: Call) -> Call:
    """Returns a 32-bit program's call in the form that printers expect; any other call unchanged."""
    if call.abi is not I386:
        return call
    call = call._replace(name=name_of(call.name))
    if not call.items:
        return call
    narrow = _narrow(call.number, selector_of(call))
    items = {
        index: tuple(_wider(item, narrow[index]) for item in its) if index in narrow else its
        for index, its in call.items.items()
    }
    return call._replace(items=items)


def _wider(item: Item, what: str) -> Item:
    size, widen = SIZES[what], WIDEN[what]
    if item.kind != layout.KIND_BUFFER or item.sub:
        return item
    whole = [widen(item.data[at : at + size]) for at in range(0, len(item.data) - size + 1, size)]
    return item._replace(data=b"".join(whole), size=item.size // size * len(widen(bytes(size))))


@lru_cache(maxsize=4096)  # programs may call any number
def _narrow(number: int, selector: str) -> dict[int, str]:
    # The arguments that point at structs with another layout.
    call = I386.lookup(number)
    line = line_of(call, selector, compat=True) if call is not None else None
    words = line.words if line is not None else ()
    return {index: word.what for index, word in enumerate(words) if word.narrow}
