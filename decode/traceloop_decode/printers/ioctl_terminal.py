# SPDX-License-Identifier: Apache-2.0
"""ioctl arguments for terminals: struct termios, its older and newer versions, struct winsize, modem lines."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, Xlat

_OLD: Final = Struct("<HHHHB")
"""struct termio before c_cc[8]."""
_NEW: Final = Struct("<IIIIB")
"""struct termios and termios2 before c_cc[19]."""
_OLD_CHARACTERS: Final = 8
_CHARACTERS: Final = 19
_SPEEDS: Final = Struct("<II")
_SPEEDS_AT: Final = 36
_WINDOW: Final = Struct("<HHHH")

_INPUT: Final = XLATS["termios_input"]
_OUTPUT: Final = XLATS["termios_output"]
_CONTROL: Final = XLATS["termios_control"]
_LOCAL: Final = XLATS["termios_local"]
_DELAYS: Final = (
    (0x100, XLATS["termios_newline"]),
    (0x600, XLATS["termios_return"]),
    (0x1800, XLATS["termios_tab"]),
    (0x2000, XLATS["termios_backspace"]),
    (0x4000, XLATS["termios_vertical"]),
    (0x8000, XLATS["termios_feed"]),
)
_SPEED: Final = XLATS["termios_speed"]
_SPEED_MASK: Final = 0x100F
_INPUT_SPEED_SHIFT: Final = 16
_SIZE: Final = XLATS["termios_size"]
_SIZE_MASK: Final = 0x30
_NAMES: Final = (
    *("VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VTIME", "VMIN", "VSWTC", "VSTART", "VSTOP", "VSUSP", "VEOL"),
    *("VREPRINT", "VDISCARD", "VWERASE", "VLNEXT", "VEOL2", "17", "18"),
)


def _set(table: Xlat, value: int, options: Options) -> str:
    # Unlike elsewhere, an empty set is printed as nothing, and unnamed bits as a bare number.
    if not value:
        return ""
    return table.flags(value, options).removesuffix(f" /* {table.unknown} */")


def _output(value: int, options: Options) -> str:
    texts = []
    for mask, table in _DELAYS:
        texts.append(table.one(value & mask, options))
        value &= ~mask
    return "|".join((*texts, _set(_OUTPUT, value, options)))


def _control(value: int, options: Options) -> str:
    texts = [_SPEED.one(value & _SPEED_MASK, options)]
    speed = value >> _INPUT_SPEED_SHIFT & _SPEED_MASK
    if speed:
        texts.append(f"{_SPEED.one(speed, options)}<<IBSHIFT")
    texts.append(_SIZE.one(value & _SIZE_MASK, options))
    rest = value & ~(_SPEED_MASK | _SPEED_MASK << _INPUT_SPEED_SHIFT | _SIZE_MASK)
    return "|".join((*texts, _set(_CONTROL, rest, options)))


def _termios(head: Struct, count: int) -> StructPrinter:
    def print_termios(data: bytes, view: View) -> str:
        if len(data) < head.size + count:
            return "{...}"
        options = view.options
        on, out, control, local, line = head.unpack_from(data)
        text = (
            f"{{c_iflag={_set(_INPUT, on, options)}, c_oflag={_output(out, options)}, "
            f"c_cflag={_control(control, options)}, c_lflag={_set(_LOCAL, local, options)}, "
        )
        if not options.verbose:
            return text + "...}"
        characters = zip(_NAMES, data[head.size : head.size + count], strict=False)
        shown = ", ".join(f"[{name}]={value:#x}" if value else f"[{name}]=0" for name, value in characters)
        text += f"c_line={XLATS['line_disciplines'].one(line, options)}, c_cc=[{shown}]"
        if len(data) >= _SPEEDS_AT + _SPEEDS.size:
            text += ", c_ispeed={}, c_ospeed={}".format(*_SPEEDS.unpack_from(data, _SPEEDS_AT))
        return text + "}"

    return print_termios


def _window(data: bytes, _view: View) -> str:
    if len(data) < _WINDOW.size:
        return "{...}"
    return "{{ws_row={}, ws_col={}, ws_xpixel={}, ws_ypixel={}}}".format(*_WINDOW.unpack_from(data))


def _modem(data: bytes, view: View) -> str:
    return f"[{XLATS['modem_lines'].flags(int.from_bytes(data[:4], 'little'), view.options)}]"


STRUCTS: Final[dict[str, StructPrinter]] = {
    "termio": _termios(_OLD, _OLD_CHARACTERS),
    "termios": _termios(_NEW, _CHARACTERS),
    "termios2": _termios(_NEW, _CHARACTERS),
    "winsize": _window,
    "modem_lines": _modem,
}
