# SPDX-License-Identifier: Apache-2.0
"""The system: its names, its load, its log, its modules, its end."""

from __future__ import annotations

from typing import Final

from traceloop_decode.printers.kit import MASK32, decimal_one, fixed, hexadecimal, of, register
from traceloop_decode.printers.memory import text
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_NAME_BYTES: Final = 65  # each of struct new_utsname's names
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


def _host_name(view: View, index: int) -> str:
    item = view.item(index)
    if item is None or register(view, 1) & MASK32 > _NAME_MAX:
        return address(view.registers[index])
    return text(item.data, item.size, view.options)


_ACTIONS: Final = XLATS["syslog_action"]
_LEVELS: Final = XLATS["log_levels"]


def _action(view: View, index: int) -> str:
    return decimal_one(_ACTIONS, view.registers[index] & MASK32)


def _level(view: View, index: int) -> str:
    return decimal_one(_LEVELS, view.registers[index] & MASK32)


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


VALUES: Final[dict[str, Printer]] = {
    "host_name": _host_name,
    "log_action": _action,
    "log_level": _level,
    "kexec_bits": _kexec_flags,
    "rseq_at": of(hexadecimal),
}

STRUCTS: Final[dict[str, StructPrinter]] = {"utsname": _utsname, "sysinfo": _sysinfo}
