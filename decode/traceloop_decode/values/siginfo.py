# SPDX-License-Identifier: Apache-2.0
"""Fields of siginfo_t: sigaction(2); include/uapi/asm-generic/siginfo.h has their offsets."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.signals import SIGNAL
from traceloop_decode.syscalls import AARCH64, ARM, I386, X86_64
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.times import clock_ticks
from traceloop_decode.values.xlat import XLATS

if TYPE_CHECKING:
    from traceloop_decode.model import Ignored, Signal

_HEAD: Final = Struct("<iii4x")  # si_signo, si_errno, si_code
_SENDER: Final = Struct("<iIq")  # si_pid, si_uid, si_value
_CHILD: Final = Struct("<iIi4xqq")  # si_pid, si_uid, si_status, si_utime, si_stime
_TIMER: Final = Struct("<iiq")  # si_timerid, si_overrun, si_value
_ADDRESS: Final = Struct("<Q")  # si_addr
_AFTER_ADDRESS: Final = {
    ("SIGBUS", "BUS_MCEERR_AR"): (24, Struct("<H"), ("si_addr_lsb",)),
    ("SIGBUS", "BUS_MCEERR_AO"): (24, Struct("<H"), ("si_addr_lsb",)),
    ("SIGSEGV", "SEGV_BNDERR"): (32, Struct("<QQ"), ("si_lower", "si_upper")),
    ("SIGSEGV", "SEGV_PKUERR"): (32, Struct("<I"), ("si_pkey",)),
}
_POLL: Final = Struct("<qi")  # si_band, si_fd
_SECCOMP: Final = Struct("<QII")  # si_call_addr, si_syscall, si_arch
SIZE: Final = 48
"""Bytes that contain all known fields."""

# Tables of si_code: by signal for those that the kernel sent, else one for all senders.
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
_MASK32: Final = 0xFFFFFFFF
_ABIS: Final = {
    "AUDIT_ARCH_X86_64": X86_64,
    "AUDIT_ARCH_I386": I386,
    "AUDIT_ARCH_AARCH64": AARCH64,
    "AUDIT_ARCH_ARM": ARM,
}


def fields(signal: Signal | Ignored) -> dict[str, int]:
    """Returns the non-empty fields of a delivered signal as numbers; none if the kernel had no siginfo."""
    return fields_of(signal.siginfo)


def fields_of(data: bytes) -> dict[str, int]:
    """Parses siginfo_t's bytes into `fields`; returns none if they begin with a zero."""
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
        if (signal, reason) not in _AFTER_ADDRESS:
            return ("si_addr",), address
        after, layout, names = _AFTER_ADDRESS[signal, reason]
        return ("si_addr", *names), address + layout.unpack_from(data, after)
    if code > 0 and signal == "SIGSYS":
        return ("si_call_addr", "si_syscall", "si_arch"), _SECCOMP.unpack_from(data, at)
    # Another program's signal, which may lack a sender's fields, or a signal about which the kernel says no more.
    pid, uid, value = _SENDER.unpack_from(data, at)
    sender = (("si_pid", pid), ("si_uid", uid)) if code < 0 or pid or uid else ()
    both = (*sender, ("si_value", value)) if code < 0 or value else sender
    return tuple(name for name, _ in both), tuple(number for _, number in both)


def _reason(signal: str, code: int) -> str:
    name = XLATS["si_code"].names.get(code, "")
    return name or (XLATS[_REASONS[signal]].names.get(code, "") if signal in _REASONS else "")


def signal_name(number: int) -> str:
    """Returns ``SIGKILL``, or the number itself if it is no signal."""
    return SIGNAL.get(number, str(number))


def named(found: dict[str, int], constants: str = "abbrev", arch: str = "x86_64") -> dict[str, str]:
    """Returns the fields as strace's text; si_value becomes si_int and si_ptr, or is left out if it is zero."""
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
        return styled(SIGNAL.get(value, ""), str(value), constants)
    if name == "si_code":
        return styled(_reason(signal, value), f"{value & _MASK32:#x}" if value else "0", constants)
    if name == "si_errno":
        return styled(ERRNO[value][0] if value in ERRNO else "", str(value & _MASK32), constants)
    if name == "si_status":
        exited = _reason(signal, found["si_code"]) == "CLD_EXITED"
        return styled("" if exited else SIGNAL.get(value, ""), str(value), constants)
    if name in ("si_utime", "si_stime"):
        return clock_ticks(value, constants)
    if name == "si_uid":
        return "-1" if value == _MASK32 else str(value)
    if name == "si_syscall":
        return call_name(value, found["si_arch"], arch, constants)
    if name == "si_arch":
        arches = XLATS["audit_arch"]
        none = "0" if constants == "raw" else f"0 /* {arches.unknown} */"
        return arches.one(value, Options(constants=constants)) if value else none
    if name in _ADDRESSES:
        return _address(value)
    return f"{value & _MASK32:#x}" if name in _HEXADECIMAL and value else str(value)


def call_name(number: int, audit_arch: int, arch: str, constants: str) -> str:
    """Returns ``__NR_read`` for a call of an AUDIT_ARCH_... value, or its number if the machine has no such table."""
    abi = _ABIS.get(XLATS["audit_arch"].names.get(audit_arch, ""))
    call = abi.lookup(number) if abi is not None and abi.arch == arch else None
    if abi is None or call is None or constants == "raw":
        return str(number)
    return f"{number} /* {call.name} */" if abi.compat else styled(f"__NR_{call.name}", str(number), constants)


def _address(value: int) -> str:
    return f"{value & (1 << 64) - 1:#x}" if value else "NULL"


def text_of(found: dict[str, int], constants: str = "abbrev", arch: str = "x86_64") -> str:
    """Returns ``{si_signo=SIGUSR1, si_code=SI_USER, si_pid=1, si_uid=0}``, as strace prints it. arch: the machine's."""
    return f"{{{', '.join([f'{name}={value}' for name, value in named(found, constants, arch).items()])}}}"
