# SPDX-License-Identifier: Apache-2.0
"""ioctl arguments of GPIO lines: both versions of linux/gpio.h."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.fields import Types, changed, parsed, printer
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_ARGUMENT: Final = 2
_ATTRIBUTE: Final = Struct("<IIQ")
_CONFIG_ATTRIBUTE: Final = 24
_FLAGS, _VALUES, _DEBOUNCE = 1, 2, 3


def _attribute(data: bytes, view: View, *, within: bool) -> str:
    # struct gpio_v2_line_attribute, whose value's kind depends on its id
    kind, padding, value = _ATTRIBUTE.unpack_from(data)
    if not padding and kind == _FLAGS:
        return f"flags={XLATS['gpio_line_flags_v2'].flags(value, view.options)}"
    if not padding and kind in (_VALUES, _DEBOUNCE):
        return f"values={hexadecimal(value)}" if kind == _VALUES else f"debounce_period_us={value & 0xFFFFFFFF}"
    text = f"id={kind}{f', padding={padding:#x}' if padding else ''}, data={hexadecimal(value)}"
    return f"attr={{{text}}}" if within else text


def _line_attribute(data: bytes, view: View) -> str:
    return f"{{{_attribute(data, view, within=False)}}}"


def _config_attribute(data: bytes, view: View) -> str:
    mask = hexadecimal(int.from_bytes(data[_ATTRIBUTE.size :], "little"))
    return f"{{{_attribute(data, view, within=True)}, mask={mask}}}"


_TYPES: Final[Types] = {
    "attribute": (_ATTRIBUTE.size, _line_attribute),
    "configured": (_CONFIG_ATTRIBUTE, _config_attribute),
}
_STRUCTS: Final = parsed(
    """
gpio_chip name:c32 label:c32 lines:u32
gpio_line line_offset:u32 _:u8*68
gpio_line_out _:u32 flags:u32|gpio_line_flags name:c32 consumer:c32
gpio_unwatch offset:u32
gpio_handle @356 lines:u32 @0 lineoffsets:u32*64<lines flags:u32|gpio_handle_flags default_values:u8*64<lines
 consumer_label:c32 @360 _:u32
gpio_handle_out @360 fd:fd32
gpio_event lineoffset:u32 handleflags:u32|gpio_handle_flags eventflags:u32|gpio_event_flags consumer_label:c32 _:u32
gpio_event_out @44 fd:fd32
gpio_values values:u8*64
gpio_config flags:u32|gpio_handle_flags default_values:u8*64 _:u32*4
gpio_line_v2 @64 offset:u32 @0 _:u8*256
gpio_line_v2_out name:c32 consumer:c32 @72 flags:u64|gpio_line_flags_v2 @68 num_attrs:u32
 @80 ?attrs:attribute*10<num_attrs @240 ?padding:x32*4
gpio_config_v2 flags:u64|gpio_line_flags_v2 num_attrs:u32 ?padding:x32*5 ?attrs:configured*10<num_attrs
gpio_request_v2 @560 num_lines:u32 @0 offsets:u32*64<num_lines consumer:c32 config:@gpio_config_v2
 @564 ?event_buffer_size:u32 ?padding:x32*5 _:u32
gpio_request_v2_out @588 fd:fd32
gpio_values_v2 @8 mask:x64
gpio_values_v2_out bits:x64 _:u64
gpio_set_values_v2 bits:x64 mask:x64
""",
    _TYPES,
)
STRUCTS: Final[dict[str, StructPrinter]] = {
    name: changed(fields, _STRUCTS[f"{name}_out"], _ARGUMENT)
    if f"{name}_out" in _STRUCTS
    else printer(fields, _ARGUMENT)
    for name, fields in _STRUCTS.items()
    if not name.endswith("_out")
}
