# SPDX-License-Identifier: Apache-2.0
"""Arguments of the calls on mounts and watches."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.files import bits, extra_bytes, more_flags, register
from traceloop_decode.printers.memory import terminated
from traceloop_decode.printers.numbers import VALUES as _NUMBERS
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import Printer, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_MOUNT_FLAGS: Final = 3  # index among mount's arguments
_MS_REMOUNT: Final = 0x20
_MS_NO_TYPE_OR_DATA: Final = 0x1000 | 0x2000 | 0x20000 | 0x40000 | 0x80000 | 0x100000  # BIND MOVE UNBINDABLE .. SHARED
_MS_MAGIC: Final = 0xC0ED0000
_MS_MAGIC_MASK: Final = 0xFFFF0000

_MOUNT_ATTR: Final = Struct("<QQQQ")
_MOUNT_ATTR_IDMAP: Final = 0x100000
_INT_MAX: Final = 0x7FFFFFFF
_FAN_CLASS: Final = 0xC
_MASK32: Final = 0xFFFFFFFF


def _print_mount_flags(view: View, index: int) -> str:
    flags, magic = view.registers[index], ""
    if flags & _MS_MAGIC_MASK == _MS_MAGIC:
        flags, magic = flags & ~_MS_MAGIC_MASK, styled("MS_MGC_VAL", hex(_MS_MAGIC), view.options.constants)
        if not flags:
            return magic
        return f"{magic}|{more_flags('mount_flags', flags, view.options)}"
    return XLATS["mount_flags"].flags(flags, view.options)


def _unless(view: View, index: int, ignored: int) -> str:
    flags = register(view, _MOUNT_FLAGS)
    if flags & _MS_MAGIC_MASK == _MS_MAGIC:
        flags &= ~_MS_MAGIC_MASK
    item = None if flags & ignored else view.item(index)
    if item is None:
        return address(view.registers[index])
    return terminated(item, view.registers[index], view.options)


def _print_mount_type(view: View, index: int) -> str:
    return _unless(view, index, _MS_REMOUNT | _MS_NO_TYPE_OR_DATA)


def _print_mount_data(view: View, index: int) -> str:
    return _unless(view, index, 0 if register(view, _MOUNT_FLAGS) & _MS_REMOUNT else _MS_NO_TYPE_OR_DATA)


def _print_mount_attr(view: View, index: int) -> str:
    item, size = view.item(index), register(view, index + 1)
    if item is None or size < _MOUNT_ATTR.size or len(item.data) < _MOUNT_ATTR.size:
        return address(view.registers[index])
    added, cleared, propagation, namespace = _MOUNT_ATTR.unpack_from(item.data)
    names, options = XLATS["mount_attr_flags"], view.options
    rest = extra_bytes(item, _MOUNT_ATTR.size, options)
    is_fd = namespace <= _INT_MAX and (added | cleared) & _MOUNT_ATTR_IDMAP
    shown = view.fd(namespace) if is_fd else str(namespace)
    return (
        f"{{attr_set={names.flags(added, options)}, attr_clr={names.flags(cleared, options)}, "
        f"propagation={XLATS['mount_flags'].one(propagation, options)}, userns_fd={shown}{rest}}}"
    )


def _print_fanotify_init(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    kind = XLATS["fanotify_class"].one(value & _FAN_CLASS, view.options)
    rest = value & ~_FAN_CLASS
    return f"{kind}|{XLATS['fanotify_init_flags'].flags(rest, view.options)}" if rest else kind


def _print_split_events(view: View, index: int) -> str:
    # A 32-bit program passes the mask in two registers, the lower half first.
    mask = (register(view, index + 1) & _MASK32) << 32 | view.registers[index] & _MASK32
    return XLATS["fanotify_mask"].flags(mask, view.options)


def _print_fanotify_dirfd(view: View, index: int) -> str:
    if signed32(view.registers[index]) == -1:
        return styled("FAN_NOFD", "-1", view.options.constants)
    return _NUMBERS["dirfd"](view, index) or ""


VALUES: Final[dict[str, Printer]] = {
    "mount_mask": _print_mount_flags,
    "mount_type": _print_mount_type,
    "mount_data": _print_mount_data,
    "mount_attr": _print_mount_attr,
    "fanotify_kind": _print_fanotify_init,
    "fanotify_events": bits("fanotify_mask"),
    "fanotify_dirfd": _print_fanotify_dirfd,
    "split_events": _NUMBERS["split_number"],
}
TRACED: Final[dict[str, Printer]] = {"split_events": _print_split_events}
