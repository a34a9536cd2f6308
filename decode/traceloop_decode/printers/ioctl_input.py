# SPDX-License-Identifier: Apache-2.0
"""ioctl arguments of input devices: key codes, force feedback effects."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.fields import parsed
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_CODE: Final = Struct("<II")
_STRUCTS: Final = parsed("""
envelope attack_length:u16 attack_level:u16 fade_length:u16 fade_level:x16
trigger button:u16 interval:u16
replay length:u16 delay:u16
effect type:u16=input_effects id:i16 direction:u16 ... trigger:@trigger replay:@replay
constant level:i16 envelope:@envelope
ramp start_level:i16 end_level:i16 envelope:@envelope
periodic waveform:u16 period:u16 magnitude:i16 offset:i16 phase:u16 envelope:@envelope _:u16 custom_len:u32
 custom_data:p64
rumble strong_magnitude:u16 weak_magnitude:u16
""")
_UNION_AT: Final = 16  # struct ff_effect: the union is aligned like a pointer
_EFFECT_SIZE: Final = 48
_UNIONS: Final = {0x50: "rumble", 0x51: "periodic", 0x52: "constant", 0x57: "ramp"}


def _effect(data: bytes, view: View) -> str:
    if len(data) < _EFFECT_SIZE:
        return "{...}"
    text = _STRUCTS["effect"].listed(data, view)
    kind = _UNIONS.get(int.from_bytes(data[:2], "little"))
    if view.options.verbose and kind is not None:
        text += f", {kind}={_STRUCTS[kind].text(data[_UNION_AT:], view)}"
    return f"{{{text}}}"


def _key_code(data: bytes, view: View) -> str:
    if len(data) < _CODE.size:
        return "[...]"
    scan, key = _CODE.unpack_from(data)
    return f"[{scan}, {XLATS['input_keys'].one(key, view.options)}]"


STRUCTS: Final[dict[str, StructPrinter]] = {"ff_effect": _effect, "key_code": _key_code}
