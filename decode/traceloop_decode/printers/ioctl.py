# SPDX-License-Identifier: Apache-2.0
"""ioctl's commands by name, and their arguments if these are a number or memory that holds one."""

from __future__ import annotations

from typing import Final

from traceloop_decode.printers import (
    ioctl_btrfs,
    ioctl_clocks,
    ioctl_devices,
    ioctl_gpio,
    ioctl_input,
    ioctl_interface,
    ioctl_mapper,
    ioctl_terminal,
)
from traceloop_decode.printers.ioctl_ranges import ranged
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

# Commands without an argument: it is not printed, whatever its value.
_NO_ARGUMENT: Final = (
    "TIOCEXCL TIOCNXCL TIOCCONS TIOCSSERIAL TIOCNOTTY TIOCSBRK TIOCCBRK TIOCVHANGUP FIONCLEX FIOCLEX BLKRRPART "
    "BLKFLSBUF BLKTRACESTART BLKTRACESTOP BLKTRACETEARDOWN FIFREEZE FITHAW LOOP_CLR_FD LOOP_SET_CAPACITY "
    "LOOP_CTL_GET_FREE RNDZAPENTCNT RNDCLEARPOOL RNDRESEEDCRNG RTC_AIE_ON RTC_AIE_OFF RTC_UIE_ON RTC_UIE_OFF "
    "RTC_PIE_ON RTC_PIE_OFF RTC_WIE_ON RTC_WIE_OFF RTC_VL_CLR NS_GET_USERNS NS_GET_PARENT NS_GET_NSTYPE "
    "PIO_FONTRESET KDENABIO KDDISABIO KDMAPDISP KDUNMAPDISP WDIOC_KEEPALIVE NBD_DO_IT NBD_CLEAR_SOCK NBD_CLEAR_QUE "
    "NBD_PRINT_DEBUG NBD_DISCONNECT BTRFS_IOC_DEFRAG BTRFS_IOC_TRANS_START BTRFS_IOC_TRANS_END BTRFS_IOC_SYNC "
    "BTRFS_IOC_BALANCE BTRFS_IOC_SCRUB_CANCEL BTRFS_IOC_QUOTA_RESCAN_WAIT SG_GET_TIMEOUT"
)
_WITHOUT: Final = frozenset(_NO_ARGUMENT.split())
_OF_POINTERS: Final = frozenset((0x12, 0x4B, 0x89, 0x94, 0xAA))
"""Types of commands (bits 8 to 15) whose argument is mostly a pointer."""
_WITH_SIZE: Final = frozenset((ord("E"), ord("V"), 0xA4))
"""The same of those whose number says how large what the pointer points at is: input, v4l2 and tee."""

_DIRECTIONS: Final = ("_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE")


def _command(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    number = f"{value:#x}" if value else "0"
    if view.options.constants == "raw":
        return number
    names = [name for name in (ranged(value, view.options), XLATS["ioctls"].names.get(value)) if name]
    if not names:
        fields = (value >> 8 & 0xFF, value & 0xFF, value >> 16 & 0x3FFF)
        names = [f"_IOC({_DIRECTIONS[value >> 30]}, {', '.join(f'{field:#x}' if field else '0' for field in fields)})"]
    return styled(" or ".join(names), number, view.options.constants)


def _argument(view: View, index: int) -> str | None:
    command, value = view.registers[index - 1] & 0xFFFFFFFF, view.registers[index]
    names = XLATS["ioctls"].names.get(command, "").split(" or ")
    if not _WITHOUT.isdisjoint(names):
        return None
    kind = command >> 8 & 0xFF
    if not value and ((kind in _OF_POINTERS and names[0]) or (kind in _WITH_SIZE and command >> 30)):
        return address(value)
    return f"{value:#x}" if value else "0"


def _int(data: bytes, _view: View) -> str:
    return f"[{int.from_bytes(data[:4], 'little', signed=True)}]"


def _long(data: bytes, _view: View) -> str:
    return f"[{int.from_bytes(data[:8], 'little')}]"


def _range(data: bytes, _view: View) -> str:
    return f"[{int.from_bytes(data[:8], 'little')}, {int.from_bytes(data[8:16], 'little')}]"


def _inode_flags(data: bytes, view: View) -> str:
    return f"[{XLATS['inode_flags'].flags(int.from_bytes(data[:4], 'little'), view.options)}]"


def _namespace_kind(view: View) -> str:
    # NS_GET_NSTYPE returns the flag of a kind of namespaces.
    names = XLATS["setns_types"].names
    commands = XLATS["ioctls"].names
    is_kind = [commands.get(command & 0xFFFFFFFF) for command in view.registers[1:2]] == ["NS_GET_NSTYPE"]
    return f" ({names[view.call.result or 0]})" if is_kind and view.call.result in names else ""


VALUES: Final[dict[str, Printer]] = {
    "ioctl_command": _command,
    "ioctl_argument": _argument,
    **ioctl_btrfs.VALUES,
    **ioctl_devices.VALUES,
}
STRUCTS: Final[dict[str, StructPrinter]] = {
    "ioctl_int": _int,
    "ioctl_long": _long,
    "ioctl_range": _range,
    "inode_flags_word": _inode_flags,
    **ioctl_terminal.STRUCTS,
    **ioctl_interface.STRUCTS,
    **ioctl_devices.STRUCTS,
    **ioctl_btrfs.STRUCTS,
    **ioctl_clocks.STRUCTS,
    **ioctl_mapper.STRUCTS,
    **ioctl_input.STRUCTS,
    **ioctl_gpio.STRUCTS,
}
RESULTS: Final = {"ioctl": _namespace_kind}
LATE: Final = ("ifreq_answer", "ifconf")
