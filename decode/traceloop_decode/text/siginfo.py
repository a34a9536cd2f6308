# SPDX-License-Identifier: Apache-2.0
"""The fields of a signal's siginfo_t: sigaction(2), and include/uapi/asm-generic/siginfo.h for their places."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from traceloop_decode.signals import SIGNAL

if TYPE_CHECKING:
    from traceloop_decode.model import Signal

_HEAD: Final = Struct("<iii4x")  # si_signo, si_errno, si_code
_SENDER: Final = Struct("<iI")  # si_pid, si_uid
_VALUE: Final = Struct("<q")  # behind the sender: si_value
_CHILD: Final = Struct("<iIi4xqq")  # si_pid, si_uid, si_status, si_utime, si_stime
_TIMER: Final = Struct("<iiq")  # si_timerid, si_overrun, si_value
_ADDRESS: Final = Struct("<Q")  # si_addr
_POLL: Final = Struct("<qi")  # si_band, si_fd
_SECCOMP: Final = Struct("<QiI")  # si_call_addr, si_syscall, si_arch
_SIZE: Final = _HEAD.size + _CHILD.size

_SIGCHLD: Final = 17
_SIGPOLL: Final = 29
_SIGSYS: Final = 31
_FAULTS: Final = frozenset((4, 5, 7, 8, 11))  # SIGILL SIGTRAP SIGBUS SIGFPE SIGSEGV

_SI_QUEUE: Final = -1
_SI_TIMER: Final = -2
_SI_MESGQ: Final = -3
_SI_ASYNCIO: Final = -4
_SI_KERNEL: Final = 0x80
CODES: Final = {
    0: "SI_USER",
    _SI_QUEUE: "SI_QUEUE",
    _SI_TIMER: "SI_TIMER",
    _SI_MESGQ: "SI_MESGQ",
    _SI_ASYNCIO: "SI_ASYNCIO",
    -5: "SI_SIGIO",
    -6: "SI_TKILL",
    _SI_KERNEL: "SI_KERNEL",
}
CHILD_CODES: Final = {
    1: "CLD_EXITED",
    2: "CLD_KILLED",
    3: "CLD_DUMPED",
    4: "CLD_TRAPPED",
    5: "CLD_STOPPED",
    6: "CLD_CONTINUED",
}
_CLD_EXITED: Final = 1


def fields(signal: Signal) -> dict[str, int]:
    """Its fields that hold something, in the struct's order; none where the kernel had no siginfo."""
    data = signal.siginfo.ljust(_SIZE, b"\0")
    number, error, code = _HEAD.unpack_from(data)
    if not any(data):
        return {}
    found = {"si_signo": number, "si_code": code}
    if error:
        found["si_errno"] = error
    names, values = _union(number, code, data)
    return found | dict(zip(names, values, strict=True))


def _union(number: int, code: int, data: bytes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    at = _HEAD.size
    if code == _SI_TIMER:
        return ("si_timerid", "si_overrun", "si_value"), _TIMER.unpack_from(data, at)
    if code in (_SI_QUEUE, _SI_MESGQ, _SI_ASYNCIO):
        value = _VALUE.unpack_from(data, at + _SENDER.size)
        return ("si_pid", "si_uid", "si_value"), _SENDER.unpack_from(data, at) + value
    if code == _SI_KERNEL:
        return (), ()
    if code <= 0:
        return ("si_pid", "si_uid"), _SENDER.unpack_from(data, at)
    if number == _SIGCHLD:
        return ("si_pid", "si_uid", "si_status", "si_utime", "si_stime"), _CHILD.unpack_from(data, at)
    if number in _FAULTS:
        return ("si_addr",), _ADDRESS.unpack_from(data, at)
    if number == _SIGPOLL:
        return ("si_band", "si_fd"), _POLL.unpack_from(data, at)
    if number == _SIGSYS:
        return ("si_call_addr", "si_syscall", "si_arch"), _SECCOMP.unpack_from(data, at)
    return (), ()


def signal_name(number: int) -> str:
    """``SIGKILL``; a number that is no signal as it is."""
    return SIGNAL.get(number, str(number))


def named(found: dict[str, int]) -> dict[str, str]:
    """The same fields as text, with the names of what has one."""
    child = found.get("si_signo") == _SIGCHLD and found.get("si_code", 0) > 0
    code = found.get("si_code", 0)
    shown = {}
    for name, value in found.items():
        shown[name] = str(value)
        if name == "si_signo" or (name == "si_status" and child and code != _CLD_EXITED):
            shown[name] = signal_name(value)
        elif name == "si_code":
            shown[name] = (CHILD_CODES if child else CODES).get(value, str(value))
        elif name.endswith("addr"):
            shown[name] = f"{value:#x}" if value else "NULL"
    return shown
