# SPDX-License-Identifier: Apache-2.0
"""Calls on the system: its names, its load, its log, its modules, its shutdown."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers.kit import MASK32, boxed, decimal_one, fixed, hexadecimal, of, register
from traceloop_decode.printers.memory import counted, limited, text
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_NAME_BYTES: Final = 65  # size of each name in struct new_utsname
_UTSNAME: Final = ("sysname", "nodename", "release", "version", "machine", "domainname")
_SHORT: Final = 2  # names that strace shows without -v


def _utsname(data: bytes, view: View) -> str:
    count = len(_UTSNAME) if view.options.verbose else _SHORT
    shown = []
    for n, name in enumerate(_UTSNAME[:count]):
        field = data[n * _NAME_BYTES : (n + 1) * _NAME_BYTES]
        if len(field) < _NAME_BYTES:
            break
        value = field.partition(b"\0")[0]
        shown.append(f"{name}={text(value, len(value), view.options, whole=True)}")
    if len(shown) < len(_UTSNAME):
        shown.append("...")
    return f"{{{', '.join(shown)}}}"


@fixed("q3Q6QHH4xQQI")
def _sysinfo(_view: View, uptime: int, load1: int, load5: int, load15: int, *rest: int) -> str:
    names = [
        "totalram",
        "freeram",
        "sharedram",
        "bufferram",
        "totalswap",
        "freeswap",
        "procs",
        "pad",
        "totalhigh",
        "freehigh",
        "mem_unit",
    ]
    shown = [f"{name}={value}" for name, value in zip(names, rest, strict=True) if name != "pad"]
    return f"{{uptime={uptime}, loads=[{load1}, {load5}, {load15}], {', '.join(shown)}}}"


_NAME_MAX: Final = 64
_REBOOT_TEXT: Final = 255
_FS_OPTION: Final = 256
_MEMFD_NAME: Final = 250  # MFD_NAME_MAX_LEN, and a NUL


def _host_name(view: View, index: int) -> str:
    item = view.item(index)
    if item is None or register(view, 1) & MASK32 > _NAME_MAX:
        return address(view.registers[index])
    return counted(item, view.registers[index], item.size, view.options)


_ACTIONS: Final = XLATS["syslog_action"]
_LEVELS: Final = XLATS["log_levels"]


def _action(view: View, index: int) -> str:
    return decimal_one(_ACTIONS, signed32(view.registers[index]))


def _level(view: View, index: int) -> str:
    return decimal_one(_LEVELS, signed32(view.registers[index]))


_KEXEC_ARCH: Final = XLATS["kexec_arch"]
_KEXEC: Final = XLATS["kexec_flags"]
_ARCH_MASK: Final = 0xFFFF0000


def _kexec_flags(view: View, index: int) -> str:
    raw = view.registers[index]
    arch, flags = raw & _ARCH_MASK, raw & ~_ARCH_MASK
    name = _KEXEC_ARCH.one(arch, view.options)
    if not flags:
        return name
    rest = _KEXEC.flags(flags, view.options)
    return f"{name}|{f'{flags:#x}' if '???' in rest else rest}"


@fixed("Qi4xQQQQ32x")
def _sysctl_args(_view: View, *fields: int) -> str:
    name, length, old, old_length, new, size = fields
    return (
        f"{{name={address(name)}, nlen={length}, oldval={address(old)}, oldlenp={address(old_length)}, "
        f"newval={address(new)}, newlen={size}}}"
    )


_USER_DESC: Final = Struct("<4I")  # struct user_desc of asm/ldt.h
_DESC_BITS: Final = (
    ("seg_32bit", 0, 1),
    ("contents", 1, 3),
    ("read_exec_only", 3, 1),
    ("limit_in_pages", 4, 1),
    ("seg_not_present", 5, 1),
    ("useable", 6, 1),
    ("lm", 7, 1),
)


def _user_desc(view: View, index: int) -> str:
    gets, at = view.call.name == "get_thread_area", address(view.registers[index])
    if view.call.name == "modify_ldt" and register(view, 2) != _USER_DESC.size:
        return at
    entry = _id(view.data(index, size=4)[:4]) if view.data(index, size=4) else ""
    data = view.data(index, out=gets, size=_USER_DESC.size)
    if gets and (view.failed or len(data) < _USER_DESC.size):
        return f"{{entry_number={entry}, ...}}" if entry else at
    if len(data) < _USER_DESC.size:
        return at
    _, base, limit, bits = _USER_DESC.unpack_from(data)
    found = _id(data[:4])
    changed = f" => {found}" if gets and entry and found != entry else ""
    wide = _DESC_BITS[: len(_DESC_BITS) - view.call.compat]  # lm is of 64-bit programs alone
    flags = ", ".join(f"{name}={bits >> shift & mask}" for name, shift, mask in wide)
    return f"{{entry_number={entry or found}{changed}, base_addr={_padded(base)}, limit={_padded(limit)}, {flags}}}"


def _id(data: bytes) -> str:
    number = int.from_bytes(data, "little")
    return "-1" if number == MASK32 else str(number)


def _padded(value: int) -> str:
    return f"{value:#08x}" if value else 8 * "0"


# arch_prctl

_XFEATURE: Final = XLATS["xfeature"]
_XFEATURES: Final = XLATS["xfeature_masks"]


def _beside(text: str, raw: int, view: View) -> str:
    # strace has these names in a comment, whatever -X says but raw.
    number = hexadecimal(raw)
    return text if "/*" in text else styled(text, number, "raw" if view.options.constants == "raw" else "verbose")


def _xfeature(view: View, index: int) -> str:
    raw = view.registers[index]
    return _beside(_XFEATURE.one(raw, view.options), raw, view)


VALUES: Final[dict[str, Printer]] = {
    "reboot_text": limited(_REBOOT_TEXT),
    "fs_option": limited(_FS_OPTION),
    "memfd_name": limited(_MEMFD_NAME),
    "host_name": _host_name,
    "log_action": _action,
    "log_level": _level,
    "kexec_bits": _kexec_flags,
    "rseq_at": of(hexadecimal),
    "user_desc": _user_desc,
    "xfeature": _xfeature,
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    "sysctl_args": _sysctl_args,
    "xfeature_mask": boxed("Q", lambda raw, view: _beside(_XFEATURES.flags(raw, view.options), raw, view)),
    "utsname": _utsname,
    "sysinfo": _sysinfo,
}


def _ldt_result(view: View) -> str:
    # An int in an unsigned long: an error has a zero upper half.
    error = (1 << 32) - (view.call.result or 0)
    return " {} ({})".format(*ERRNO[error]) if error in ERRNO else ""


def _entry(view: View) -> str:
    # The entry that the kernel took for a new area.
    data = view.data(0, out=True, size=_USER_DESC.size)
    return f" (entry_number={_id(data[:4])})" if len(data) >= _USER_DESC.size else ""


RESULTS: Final = {"modify_ldt": _ldt_result, "set_thread_area": _entry}
