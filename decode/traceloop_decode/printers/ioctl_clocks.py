# SPDX-License-Identifier: Apache-2.0
"""ioctl arguments of clocks: PTP hardware clocks, and parameters of real-time clocks."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.fields import Types, parsed, printer
from traceloop_decode.printers.files_attributes import date
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.numbers import address, signed64
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_ARGUMENT: Final = 2
_TIME: Final = Struct("<qII")
_SECOND_NS: Final = 10**9


def _time(data: bytes, view: View) -> str:
    # struct ptp_clock_time, as a time of the calendar
    seconds, fraction, _ = _TIME.unpack(data)
    comment = date(seconds, f"{fraction:09}") if fraction < _SECOND_NS else ""
    return _span(data, view) + ("" if view.options.constants == "raw" else comment)


def _span(data: bytes, _view: View) -> str:
    seconds, fraction, reserved = _TIME.unpack(data)
    return f"{{sec={seconds}, nsec={fraction}{f', reserved={reserved:#x}' if reserved else ''}}}"


_TYPES: Final[Types] = {"time": (_TIME.size, _time), "span": (_TIME.size, _span)}
_STRUCTS: Final = parsed(
    """
ptp_caps max_adj:i32 n_alarm:i32 n_ext_ts:i32 n_per_out:i32 pps:i32 n_pins:i32 cross_timestamping:i32 adjust_phase:i32
 ?rsv:x32*12
ptp_extts index:u32 flags:u32|ptp_timestamps _:u64
ptp_extts2 index:u32 flags:u32|ptp_timestamps ?rsv:x32*2
ptp_offset n_samples:u32 ?rsv:x32*3
ptp_precise device:time sys_realtime:time sys_monoraw:span ?rsv:x32*4
ptp_pin @64 index:u32 func:u32=ptp_pins chan:u32 _:x32*5
ptp_pin2 @64 index:u32 func:u32=ptp_pins chan:u32 ?rsv:x32*5
ptp_pin_get @64 index:u32 @0 >name:c64 @68 >func:u32=ptp_pins >chan:u32 _:x32*5
ptp_pin_get2 @64 index:u32 @76 ?rsv:x32*5 @0 >name:c64 @68 >func:u32=ptp_pins >chan:u32
ptp_perout start:time period:span index:u32 flags:u32|ptp_outputs _:x32*4
ptp_perout_phase phase:span period:span index:u32 flags:u32|ptp_outputs _:x32*4
""",
    _TYPES,
)
_ON_AT: Final = 40
_FLAGS_AT: Final = 36
_DUTY_CYCLE: Final = 2
_PHASE: Final = 4
_SECOND_VERSION: Final = "PTP_PEROUT_REQUEST2"


def _output(data: bytes, view: View) -> str:
    if len(data) < _STRUCTS["ptp_perout"].size:
        return "{...}"
    flags = int.from_bytes(data[_FLAGS_AT:_ON_AT], "little")
    text = _STRUCTS["ptp_perout_phase" if flags & _PHASE else "ptp_perout"].listed(data, view)
    rest = data[_ON_AT:]
    if flags & _DUTY_CYCLE:
        text += f", on={_span(rest[: _TIME.size], view)}"
    elif any(rest) and XLATS["ioctls"].names.get(view.registers[1] & 0xFFFFFFFF) == _SECOND_VERSION:
        words = (hexadecimal(int.from_bytes(rest[at : at + 4], "little")) for at in range(0, len(rest), 4))
        text += f", rsv=[{', '.join(words)}]"
    return f"{{{text}}}"


_PARAMETER: Final = Struct("<QQII")
_FEATURES, _CORRECTION, _SWITCH_MODE = range(3)
_GET: Final = "RTC_PARAM_GET"


def _parameter(data: bytes, view: View) -> str:
    # struct rtc_param, whose value's kind depends on the parameter
    if len(data) < _PARAMETER.size:
        return "{...}"
    before = view.data(_ARGUMENT)
    kind, value, index, pad = _PARAMETER.unpack_from(before if len(before) >= _PARAMETER.size else data)
    name = XLATS["rtc_parameters"].one(kind, view.options)
    rest = f"index={index}{f', __pad={pad:#x}' if pad else ''}"
    if XLATS["ioctls"].names.get(view.registers[1] & 0xFFFFFFFF) != _GET:
        return f"{{param={name}, {_value(kind, value, view)}, {rest}}}"
    given = f"{{param={name}, {rest}}} => "
    if not view.returned or view.failed:
        return given + address(view.registers[_ARGUMENT])
    return f"{given}{{{_value(kind, int.from_bytes(data[8:16], 'little'), view)}}}"


def _value(kind: int, value: int, view: View) -> str:
    if kind == _FEATURES:
        return f"uvalue={XLATS['rtc_features'].flags(value, view.options)}"
    if kind == _SWITCH_MODE:
        return f"uvalue={XLATS['rtc_switch_modes'].one(value, view.options)}"
    return f"svalue={signed64(value)}" if kind == _CORRECTION else f"uvalue={hexadecimal(value)}"


STRUCTS: Final[dict[str, StructPrinter]] = {
    **{name: printer(fields, _ARGUMENT) for name, fields in _STRUCTS.items() if not name.startswith("ptp_perout")},
    "ptp_perout": _output,
    "rtc_param": _parameter,
}
