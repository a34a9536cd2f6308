# SPDX-License-Identifier: Apache-2.0
"""Bytes that calls moved, and the files and errors they moved them with."""

from __future__ import annotations

from typing import Final, NamedTuple

from traceloop_decode.errnos import ERRNO, is_error
from traceloop_decode.model import Call, KnownFile

_READS: Final = frozenset(
    (
        *("read", "pread64", "readv", "preadv", "preadv2", "recv", "recvfrom", "recvmsg", "mq_timedreceive"),
        *("getdents", "getdents64"),
    )
)
_WRITES: Final = frozenset(
    (
        *("write", "pwrite64", "writev", "pwritev", "pwritev2", "send", "sendto", "sendmsg", "mq_timedsend"),
        *("vmsplice",),
    )
)
_COPIES: Final = {  # call -> the arguments that are the descriptors to read from and to write to
    "sendfile": (1, 0),
    "sendfile64": (1, 0),
    "copy_file_range": (0, 2),
    "splice": (0, 2),
    "tee": (0, 1),
}
_FLAGS_AT: Final = {"recv": 3, "recvfrom": 3, "recvmsg": 2}  # call -> the argument that is flags
_TAKES_NOTHING: Final = 0x2 | 0x2000  # MSG_PEEK leaves the bytes in the queue; MSG_ERRQUEUE returns those of errors
_NO_RESULT_BYTES: Final = frozenset(("mq_timedsend",))  # its result is 0
_SIZE_AT: Final = 2
_INT: Final = 0xFFFFFFFF


class Moved(NamedTuple):
    """Bytes read or written through one descriptor."""

    fd: int
    read: int
    written: int


def moved(call: Call) -> tuple[Moved, ...]:
    """Returns what a call moved: nothing for one that failed, two for one that copies between descriptors."""
    result = call.result
    if result is None or is_error(result) or call.by_seccomp:
        return ()
    if call.name in _NO_RESULT_BYTES:
        result = call.registers[_SIZE_AT] if len(call.registers) > _SIZE_AT else 0
    if result <= 0 or not call.registers or _flags(call) & _TAKES_NOTHING:
        return ()
    if call.name in _READS:
        return (Moved(call.registers[0] & _INT, result, 0),)
    if call.name in _WRITES:
        return (Moved(call.registers[0] & _INT, 0, result),)
    if call.name in _COPIES and len(call.registers) > max(_COPIES[call.name]):
        source, target = (call.registers[index] & _INT for index in _COPIES[call.name])
        return (Moved(source, result, 0), Moved(target, 0, result))
    return ()


def _flags(call: Call) -> int:
    at = _FLAGS_AT.get(call.name, len(call.registers))
    return call.registers[at] if at < len(call.registers) else 0


def totals(call: Call) -> tuple[int, int]:
    """Returns the bytes that a call read and wrote."""
    found = moved(call)
    return sum(one.read for one in found), sum(one.written for one in found)


def known_file(call: Call, fd: int) -> KnownFile | None:
    """Returns the file that a descriptor stood for when a call began; None if it is not known."""
    return call.files.before.get(fd) if call.files is not None else None


def error_name(call: Call) -> str:
    """Returns the name of the error that a call returned, ``seccomp`` if that refused it; "" if it did not fail."""
    if call.result is None:
        return "seccomp" if call.by_seccomp else ""
    if not is_error(call.result):
        return ""
    name, _ = ERRNO.get(-call.result, (str(-call.result), ""))
    return name


def lasted_ns(call: Call) -> int | None:
    """Returns how long a call took, or lasted until its thread's end; None if that is not known."""
    unknown = call.end_ns is None or call.entry_lost or call.by_seccomp
    return None if unknown else max(0, (call.end_ns or 0) - call.ts_ns)
