# SPDX-License-Identifier: Apache-2.0
"""Argument of the device mapper's ioctls: struct dm_ioctl of linux/dm-ioctl.h."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.files import device
from traceloop_decode.printers.ioctl_devices import ARGUMENT
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.xlat import XLATS

_HEAD: Final = Struct("<3I3IiIIIQ")
"""The version (three numbers), data_size, data_start, target_count, open_count, flags, event_nr, padding, dev."""
_MAJOR: Final = 4
_DATA_AT: Final = 305
_SIZE_AT, _NAME_AT, _UUID_AT = 12, 48, 176
_SUSPEND_FLAG: Final = 2
_OF_ALL: Final = {"DM_REMOVE_ALL", "DM_LIST_DEVICES", "DM_LIST_VERSIONS"}
_WITH_DATA: Final = {
    *("DM_LIST_DEVICES", "DM_LIST_VERSIONS", "DM_DEV_WAIT", "DM_DEV_RENAME", "DM_TABLE_LOAD", "DM_TABLE_DEPS"),
    *("DM_TABLE_STATUS", "DM_TARGET_MSG", "DM_DEV_SET_GEOMETRY"),
}
_GIVEN: Final = {"DM_TARGET_MSG", "DM_DEV_RENAME", "DM_DEV_SET_GEOMETRY"}
_ANSWERED: Final = {"DM_TABLE_DEPS", "DM_LIST_DEVICES", "DM_LIST_VERSIONS"}
_OF_EVENTS: Final = {"DM_DEV_SUSPEND", "DM_DEV_RENAME", "DM_DEV_REMOVE", "DM_DEV_WAIT"}
_COUNTED: Final = {
    *("DM_DEV_CREATE", "DM_DEV_RENAME", "DM_DEV_SUSPEND", "DM_DEV_STATUS", "DM_DEV_WAIT", "DM_TABLE_LOAD"),
    *("DM_TABLE_CLEAR", "DM_TABLE_DEPS", "DM_TABLE_STATUS", "DM_TARGET_MSG"),
}


def _mapper(data: bytes, view: View) -> str:
    before = view.data(ARGUMENT) or data
    if int.from_bytes(before[_SIZE_AT : _SIZE_AT + 4], "little") < _SIZE_AT:
        return address(view.registers[ARGUMENT])
    given = _struct(before, view, answered=False)
    return f"{given} => {_struct(data, view, answered=True)}" if view.returned and not view.failed else given


def _struct(data: bytes, view: View, *, answered: bool) -> str:
    if len(data) < _UUID_AT:
        return "{...}"
    *version, size, start, targets, opened, flags, events, _, dev = _HEAD.unpack_from(data)
    command = XLATS["ioctls"].names.get(view.registers[1] & 0xFFFFFFFF, "")
    shown = [f"version=[{', '.join(map(str, version))}]"]
    if version[0] != _MAJOR:
        return f"[{{{shown[0]} /* unsupported device mapper ABI version */}}]"
    shown.append(f"data_size={size}")
    if size < _DATA_AT:
        return f"[{{{', '.join(shown)} /* data_size too small */}}]"
    if command in _WITH_DATA:
        shown.append(f"data_start={start}")
    if command not in _OF_ALL:
        shown += [f"dev={device(dev, view.options)}"] if dev else []
        shown += _texts(data, view)
    if answered and command in _COUNTED:
        shown.append(f"target_count={targets}, open_count={opened}, event_nr={events}")
    elif not answered and command == "DM_TABLE_LOAD":
        shown.append(f"target_count={targets}")
    elif not answered and command in _OF_EVENTS and not (command == "DM_DEV_SUSPEND" and flags & _SUSPEND_FLAG):
        shown.append(f"event_nr={events}")
    shown.append(f"flags={XLATS['mapper_flags'].flags(flags, view.options)}")
    if answered:
        more = command in _ANSWERED or (command in ("DM_DEV_WAIT", "DM_TABLE_STATUS") and targets)
    else:
        more = command in _GIVEN or (command == "DM_TABLE_LOAD" and targets)
    return f"[{{{', '.join(shown)}}}{', ...' if more else ''}]"


def _texts(data: bytes, view: View) -> list[str]:
    # The UUID may be cut: the struct has 305 bytes, more than are recorded of an argument by default.
    shown = []
    for name, text in (("name", data[_NAME_AT:_UUID_AT]), ("uuid", data[_UUID_AT:_DATA_AT])):
        found, end, _ = text.partition(b"\0")
        whole = len(text) == (_UUID_AT - _NAME_AT if name == "name" else _DATA_AT - _UUID_AT)
        if found:
            cut = found[:-1] if whole and not end else found
            shown.append(f"{name}={quote(cut, more=not end, escape=view.options.escape)}")
    return shown


STRUCTS: Final[dict[str, StructPrinter]] = {"mapper": _mapper}
