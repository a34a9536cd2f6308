# SPDX-License-Identifier: Apache-2.0
"""The fields of a siginfo_t: sigaction(2), and include/uapi/asm-generic/siginfo.h for their places."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.signals import SIGNAL
from traceloop_decode.syscalls import AARCH64, ARM, I386, X86_64, Abi
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS

if TYPE_CHECKING:
    from traceloop_decode.model import Signal

_HEAD: Final = Struct("<iii4x")  # si_signo, si_errno, si_code
_SENDER: Final = Struct("<iIq")  # si_pid, si_uid, si_value
_CHILD: Final = Struct("<iIi4xqq")  # si_pid, si_uid, si_status, si_utime, si_stime
_TIMER: Final = Struct("<iiq")  # si_timerid, si_overrun, si_value
_ADDRESS: Final = Struct("<Q")  # si_addr
_BEHIND_ADDRESS: Final = {
    ("SIGBUS", "BUS_MCEERR_AR"): (24, Struct("<h"), ("si_addr_lsb",)),
    ("SIGBUS", "BUS_MCEERR_AO"): (24, Struct("<h"), ("si_addr_lsb",)),
    ("SIGSEGV", "SEGV_BNDERR"): (32, Struct("<QQ"), ("si_lower", "si_upper")),
    ("SIGSEGV", "SEGV_PKUERR"): (32, Struct("<I"), ("si_pkey",)),
}
_POLL: Final = Struct("<qi")  # si_band, si_fd
_SECCOMP: Final = Struct("<QII")  # si_call_addr, si_syscall, si_arch
SIZE: Final = 48
"""Bytes from which all fields are known."""

# Why a signal came: for those of the kernel by its number, else by who sent it.
_REASONS: Final = {
    "SIGILL": "sigill_code",
    "SIGTRAP": "sigtrap_code",
    "SIGBUS": "sigbus_code",
    "SIGFPE": "sigfpe_code",
    "SIGSEGV": "sigsegv_code",
    "SIGCHLD": "sigchld_code",
    "SIGIO": "sigpoll_code",
    "SIGSYS": "sigsys_code",
}
_FAULTS: Final = frozenset(("SIGILL", "SIGTRAP", "SIGBUS", "SIGFPE", "SIGSEGV"))
_ADDRESSES: Final = frozenset(("si_addr", "si_lower", "si_upper", "si_call_addr"))
_HEXADECIMAL: Final = frozenset(("si_timerid", "si_addr_lsb"))
_TICKS: Final = 100  # a second, in si_utime and si_stime: USER_HZ of x86 and arm64
_MASK32: Final = 0xFFFFFFFF
_ABIS: Final = {
    "AUDIT_ARCH_X86_64": X86_64,
    "AUDIT_ARCH_I386": I386,
    "AUDIT_ARCH_AARCH64": AARCH64,
    "AUDIT_ARCH_ARM": ARM,
}


def fields(signal: Signal) -> dict[str, int]:
    """A delivered signal's fields that hold something, as numbers; none where the kernel had no siginfo."""
    return fields_of(signal.siginfo)


def fields_of(data: bytes) -> dict[str, int]:
    """The same from the bytes; none if they begin with a zero."""
    data = data.ljust(SIZE, b"\0")
    number, error, code = _HEAD.unpack_from(data)
    if not number:
        return {}
    found = {"si_signo": number, "si_code": code}
    if error:
        found["si_errno"] = error
    names, values = _union(SIGNAL.get(number, ""), code, data)
    return found | dict(zip(names, values, strict=True))


def _union(signal: str, code: int, data: bytes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    at, reason = _HEAD.size, _reason(signal, code)
    if reason in ("SI_USER", "SI_TKILL"):
        return ("si_pid", "si_uid"), _SENDER.unpack_from(data, at)[:2]
    if reason == "SI_TIMER":
        return ("si_timerid", "si_overrun", "si_value"), _TIMER.unpack_from(data, at)
    if reason == "SI_SIGIO" or (signal == "SIGIO" and reason.startswith("POLL_")):
        return ("si_band", "si_fd"), _POLL.unpack_from(data, at)
    if code > 0 and signal == "SIGIO":
        return (), ()
    if code > 0 and signal == "SIGCHLD":
        return ("si_pid", "si_uid", "si_status", "si_utime", "si_stime"), _CHILD.unpack_from(data, at)
    if code > 0 and signal in _FAULTS:
        address = _ADDRESS.unpack_from(data, at)
        if (signal, reason) not in _BEHIND_ADDRESS:
            return ("si_addr",), address
        behind, layout, names = _BEHIND_ADDRESS[signal, reason]
        return ("si_addr", *names), address + layout.unpack_from(data, behind)
    if code > 0 and signal == "SIGSYS":
        return ("si_call_addr", "si_syscall", "si_arch"), _SECCOMP.unpack_from(data, at)
    # Another program's, which may lack what a sender's has, or one that the kernel says no more of.
    pid, uid, value = _SENDER.unpack_from(data, at)
    sender = (("si_pid", pid), ("si_uid", uid)) if code < 0 or pid or uid else ()
    both = (*sender, ("si_value", value)) if code < 0 or value else sender
    return tuple(name for name, _ in both), tuple(number for _, number in both)


def _reason(signal: str, code: int) -> str:
    name = XLATS["si_code"].names.get(code, "")
    return name or (XLATS[_REASONS[signal]].names.get(code, "") if signal in _REASONS else "")


def signal_name(number: int) -> str:
    """``SIGKILL``; a number that is no signal as it is."""
    return SIGNAL.get(number, str(number))


def styled(number: str, name: str, constants: str) -> str:
    """A number that may have a name, as -X says: ``abbrev`` the name, ``raw`` the number, ``verbose`` both."""
    if not name or constants == "raw":
        return number
    return name if constants == "abbrev" else f"{number} /* {name} */"


def named(found: dict[str, int], constants: str = "abbrev", arch: str = "x86_64") -> dict[str, str]:
    """The same fields as text, as strace has them; a value is both a number and a pointer, or nothing if it is zero."""
    shown = {}
    for name, value in found.items():
        if name == "si_value":
            if not value and "si_timerid" not in found:
                continue
            shown["si_int"] = str((value & _MASK32 ^ 0x80000000) - 0x80000000)
            shown["si_ptr"] = _address(value)
        else:
            shown[name] = _named(name, value, found, constants, arch)
    return shown


def _named(name: str, value: int, found: dict[str, int], constants: str, arch: str) -> str:
    signal = SIGNAL.get(found["si_signo"], "")
    if name == "si_signo":
        return styled(str(value), SIGNAL.get(value, ""), constants)
    if name == "si_code":
        return styled(f"{value & _MASK32:#x}" if value else "0", _reason(signal, value), constants)
    if name == "si_errno":
        return styled(str(value & _MASK32), ERRNO[value][0] if value in ERRNO else "", constants)
    if name == "si_status":
        exited = _reason(signal, found["si_code"]) == "CLD_EXITED"
        return styled(str(value), "" if exited else SIGNAL.get(value, ""), constants)
    if name in ("si_utime", "si_stime"):
        return f"{value} /* {value / _TICKS:.2f} s */" if value and constants != "raw" else str(value)
    if name == "si_syscall":
        return _call_name(value, _ABIS.get(XLATS["audit_arch"].names.get(found["si_arch"], "")), arch, constants)
    if name == "si_arch":
        arches = XLATS["audit_arch"]
        none = "0" if constants == "raw" else f"0 /* {arches.unknown} */"
        return arches.one(value, Options(constants=constants)) if value else none
    if name in _ADDRESSES:
        return _address(value)
    return f"{value & _MASK32:#x}" if name in _HEXADECIMAL and value else str(value)


def _call_name(number: int, abi: Abi | None, arch: str, constants: str) -> str:
    # Of the machine's own tables alone, as strace.
    call = abi.lookup(number) if abi is not None and abi.arch == arch else None
    if abi is None or call is None or constants == "raw":
        return str(number)
    return f"{number} /* {call.name} */" if abi.compat else f"__NR_{call.name}"


def _address(value: int) -> str:
    return f"{value & (1 << 64) - 1:#x}" if value else "NULL"


def text_of(found: dict[str, int], constants: str = "abbrev", arch: str = "x86_64") -> str:
    """Fields as strace has them: ``{si_signo=SIGUSR1, si_code=SI_USER, si_pid=1, si_uid=0}``. arch: the machine's."""
    return f"{{{', '.join([f'{name}={value}' for name, value in named(found, constants, arch).items()])}}}"
