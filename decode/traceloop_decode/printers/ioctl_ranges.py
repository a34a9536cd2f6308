# SPDX-License-Identifier: Apache-2.0
"""ioctl commands that are a range of numbers, as the size of a buffer or the number of an axis is part of them."""

from __future__ import annotations

from typing import Final

from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS

_WRITE, _READ, _BOTH = 1, 2, 3
_PLAIN: Final = Options()

# Kind of command -> direction, number -> name; the size of the buffer is its argument. UAPI: linux/input.h, hiddev.h,
# hidraw.h, uinput.h, joystick.h, spi/spidev.h.
_SIZED: Final = {
    ord("E"): {
        (_READ, 0x06): "EVIOCGNAME",
        (_READ, 0x07): "EVIOCGPHYS",
        (_READ, 0x08): "EVIOCGUNIQ",
        (_READ, 0x09): "EVIOCGPROP",
        (_READ, 0x0A): "EVIOCGMTSLOTS",
        (_READ, 0x18): "EVIOCGKEY",
        (_READ, 0x19): "EVIOCGLED",
        (_READ, 0x1A): "EVIOCGSND",
        (_READ, 0x1B): "EVIOCGSW",
    },
    ord("H"): {
        (_READ, 0x04): "HIDIOCGRAWNAME",
        (_READ, 0x05): "HIDIOCGRAWPHYS",
        (_READ, 0x08): "HIDIOCGRAWUNIQ",
        (_READ, 0x12): "HIDIOCGPHYS",
        (_BOTH, 0x06): "HIDIOCSFEATURE",
        (_BOTH, 0x07): "HIDIOCGFEATURE",
    },
    ord("U"): {(_READ, 0x2C): "UI_GET_SYSNAME"},
    ord("j"): {(_READ, 0x13): "JSIOCGNAME"},
    ord("k"): {(_WRITE, 0x00): "SPI_IOC_MESSAGE"},
}
_MIXER: Final = ord("M")
_SECCOMP_WRONG: Final = 0x80082102  # the direction that SECCOMP_IOCTL_NOTIF_ID_VALID had before Linux 5.9


def ranged(command: int, options: Options) -> str:
    """Returns the name of a command of a range, such as ``EVIOCGABS(ABS_X)``; "" if the command is of none."""
    direction, size, kind, number = command >> 30, command >> 16 & 0x3FFF, command >> 8 & 0xFF, command & 0xFF
    sized = _SIZED.get(kind, {}).get((direction, number))
    if sized is not None:
        return f"{sized}({size})"
    if kind == ord("E"):
        return _input(direction, number, size, options)
    if kind == _MIXER and direction in (_WRITE, _READ):
        return f"MIXER_{'WRITE' if direction == _WRITE else 'READ'}({number})"
    return "SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR" if command == _SECCOMP_WRONG else ""


def _input(direction: int, number: int, size: int, options: Options) -> str:
    if direction == _WRITE and number >= 0xC0:
        return f"EVIOCSABS({_plain('input_axes', number - 0xC0, options)})"
    if direction == _READ and 0x40 <= number < 0x80:
        return f"EVIOCGABS({_plain('input_axes', number - 0x40, options)})"
    if direction == _READ and 0x20 <= number < 0x40:
        event = _plain("input_events", number - 0x20, options) if number != 0x20 else "0"
        return f"EVIOCGBIT({event}, {size})"
    return ""


def _plain(table: str, value: int, options: Options) -> str:
    # Within a comment, a number without a name has no comment of its own.
    text = XLATS[table].one(value, _PLAIN)
    return text if options.constants == "abbrev" else text.partition(" /*")[0]
