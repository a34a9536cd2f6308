# SPDX-License-Identifier: Apache-2.0
"""The commands of ioctl by name, and their arguments where these are a number or memory with one."""

from __future__ import annotations

from typing import Final

from traceloop_decode.printers import ioctl_interface, ioctl_terminal
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_COMMANDS: Final = XLATS["ioctls"]
_SHARED: Final = {
    0x5402: "SNDCTL_TMR_START or TCSETS",
    0x5403: "SNDCTL_TMR_STOP or TCSETSW",
    0x5404: "SNDCTL_TMR_CONTINUE or TCSETSF",
    0x40049409: "BTRFS_IOC_CLONE or FICLONE",
    0x4020940D: "BTRFS_IOC_CLONE_RANGE or FICLONERANGE",
    0xC0189436: "BTRFS_IOC_FILE_EXTENT_SAME or FIDEDUPERANGE",
}
"""Numbers that mean one thing to one driver and something else to another."""

# Those that take no argument: it is not printed, whatever it is.
_NO_ARGUMENT: Final = (
    "TIOCEXCL TIOCNXCL TIOCCONS TIOCSSERIAL TIOCNOTTY TIOCSBRK TIOCCBRK TIOCVHANGUP FIONCLEX FIOCLEX BLKRRPART "
    "BLKFLSBUF BLKTRACESTART BLKTRACESTOP BLKTRACETEARDOWN FIFREEZE FITHAW LOOP_CLR_FD LOOP_SET_CAPACITY "
    "LOOP_CTL_GET_FREE RNDZAPENTCNT RNDCLEARPOOL RNDRESEEDCRNG RTC_AIE_ON RTC_AIE_OFF RTC_UIE_ON RTC_UIE_OFF "
    "RTC_PIE_ON RTC_PIE_OFF RTC_WIE_ON RTC_WIE_OFF RTC_VL_CLR NS_GET_USERNS NS_GET_PARENT NS_GET_NSTYPE "
    "PIO_FONTRESET KDENABIO KDDISABIO KDMAPDISP KDUNMAPDISP WDIOC_KEEPALIVE NBD_DO_IT NBD_CLEAR_SOCK NBD_CLEAR_QUE "
    "NBD_PRINT_DEBUG NBD_DISCONNECT BTRFS_IOC_DEFRAG BTRFS_IOC_TRANS_START BTRFS_IOC_TRANS_END BTRFS_IOC_SYNC "
    "BTRFS_IOC_BALANCE BTRFS_IOC_SCRUB_CANCEL BTRFS_IOC_QUOTA_RESCAN_WAIT"
)
_WITHOUT: Final = frozenset(_NO_ARGUMENT.split())
_OF_POINTERS: Final = frozenset((0x12, 0x3D, 0x4B, 0x57, 0x70, 0x89, 0x94, 0xAA))
"""Types of commands (bits 8 to 15) whose argument is a pointer, mostly."""

_DIRECTIONS: Final = ("_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE")


def _command(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    constants = view.options.constants
    number = f"{value:#x}" if value else "0"
    if value not in _COMMANDS.names:
        fields = (value >> 8 & 0xFF, value & 0xFF, value >> 16 & 0x3FFF)
        text = f"_IOC({_DIRECTIONS[value >> 30]}, {', '.join(f'{field:#x}' if field else '0' for field in fields)})"
        return number if constants == "raw" else text if constants == "abbrev" else f"{number} /* {text} */"
    name = _SHARED.get(value)
    if name is None or constants == "raw":
        return _COMMANDS.one(value, view.options)
    return name if constants == "abbrev" else f"{number} /* {name} */"


def _argument(view: View, index: int) -> str | None:
    command, value = view.registers[index - 1] & 0xFFFFFFFF, view.registers[index]
    name = _COMMANDS.names.get(command)
    if name in _WITHOUT:
        return None
    if not value and name is not None and command >> 8 & 0xFF in _OF_POINTERS:
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


VALUES: Final[dict[str, Printer]] = {"ioctl_command": _command, "ioctl_argument": _argument}
STRUCTS: Final[dict[str, StructPrinter]] = {
    "ioctl_int": _int,
    "ioctl_long": _long,
    "ioctl_range": _range,
    "inode_flags_word": _inode_flags,
    **ioctl_terminal.STRUCTS,
    **ioctl_interface.STRUCTS,
}
LATE: Final = ("ifreq_answer", "ifconf")
