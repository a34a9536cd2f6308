# SPDX-License-Identifier: Apache-2.0
"""Scheduling: policies, CPUs, I/O priorities."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.kit import MASK32, recorded
from traceloop_decode.printers.memory import is_readable
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import Printer, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_POLICY: Final = XLATS["sched_policy"]
_SCHED_FLAGS: Final = XLATS["sched_flags"]
_KEEP_POLICY: Final = 8
_KEEP_PARAMS: Final = 16
_SCHED_ATTR_VER0: Final = 48
_SCHED_ATTR_VER1: Final = 56
_SCHED_ATTR: Final = Struct("<IIQiIQQQ")
_SCHED_UTIL: Final = Struct("<II")


def _sched_attr(view: View, index: int) -> str:
    gets = view.call.name == "sched_getattr"
    data, after = view.data(index, out=gets), view.data(index, out=True)
    size = int.from_bytes(data[:4], "little") or _SCHED_ATTR_VER0
    item, wanted = view.item(index, out=gets), 4 if size < _SCHED_ATTR_VER0 else min(size, _SCHED_ATTR_VER1)
    if item is None or (gets and view.failed) or not is_readable(item, wanted):
        return address(view.registers[index])
    shown = _sched_fields(data, view)
    size, found = (int.from_bytes(given[:4], "little") for given in (data, after or data))
    return shown if gets or size == found else f"{shown} => {{size={found}}}"


def _sched_fields(data: bytes, view: View) -> str:
    size = int.from_bytes(data[:4], "little")
    if 0 < size < _SCHED_ATTR_VER0:
        return f"{{size={size}}}"
    if len(data) < _SCHED_ATTR_VER0:
        return "{...}"
    _, policy, flags, nice, priority, runtime, deadline, period = _SCHED_ATTR.unpack_from(data)
    fields = [f"size={size}"]
    gets = view.call.name == "sched_getattr"
    if gets or not flags & (_KEEP_POLICY | _KEEP_PARAMS) or policy >> 31:
        fields.append(f"sched_policy={_POLICY.one(policy, view.options)}")
    fields.append(f"sched_flags={_SCHED_FLAGS.flags(flags, view.options)}")
    if gets or not flags & _KEEP_PARAMS:
        fields += [f"sched_nice={nice}", f"sched_priority={priority}", f"sched_runtime={runtime}"]
        fields += [f"sched_deadline={deadline}", f"sched_period={period}"]
    if size >= _SCHED_ATTR_VER1 and len(data) >= _SCHED_ATTR_VER1:
        least, most = _SCHED_UTIL.unpack_from(data, _SCHED_ATTR_VER0)
        fields += [f"sched_util_min={least}", f"sched_util_max={most}"]
    if size > _SCHED_ATTR_VER1:
        fields.append("...")
    return f"{{{', '.join(fields)}}}"


def _cpus(view: View, index: int) -> str:
    item = recorded(view, index)
    if item is None:
        return address(view.registers[index])
    bits = int.from_bytes(item.data, "little")
    shown = [str(cpu) for cpu in range(bits.bit_length()) if bits >> cpu & 1]
    return f"[{' '.join(shown)}{' ...' if len(item.data) < item.size else ''}]"


_CLASS: Final = XLATS["ioprio_class"]


def ioprio(value: int, view: View) -> str:
    """Returns ``IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)``."""
    return f"IOPRIO_PRIO_VALUE({_CLASS.one(value >> 13, view.options)}, {value & 0x1FFF})"


def _ioprio_value(view: View, index: int) -> str:
    value = view.registers[index] & MASK32
    return styled(ioprio(value, view), str(signed32(value)), view.options.constants)


def _ioprio_result(view: View) -> str:
    return f" ({ioprio(view.call.result or 0, view)})" if view.options.constants != "raw" else ""


def _policy_result(view: View) -> str:
    name = _POLICY.names.get(view.call.result or 0)
    return f" ({name})" if name else ""


VALUES: Final[dict[str, Printer]] = {
    "sched_attr": _sched_attr,
    "cpu_set": _cpus,
    "ioprio": _ioprio_value,
}

RESULTS: Final = {"ioprio_get": _ioprio_result, "sched_getscheduler": _policy_result}
