# SPDX-License-Identifier: Apache-2.0
"""Arguments of the calls on mounts, quotas and watches."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.files import ABBREVIATED, bits, extra_bytes, more_flags, register, styled
from traceloop_decode.printers.memory import text
from traceloop_decode.printers.numbers import VALUES as _NUMBERS
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.view import Printer, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.xlat import XLATS

_MOUNT_FLAGS: Final = 3  # their place among mount's arguments
_MS_REMOUNT: Final = 0x20
_MS_NO_TYPE_OR_DATA: Final = 0x1000 | 0x2000 | 0x20000 | 0x40000 | 0x80000 | 0x100000  # BIND MOVE UNBINDABLE .. SHARED
_MS_MAGIC: Final = 0xC0ED0000
_MS_MAGIC_MASK: Final = 0xFFFF0000

_MOUNT_ATTR: Final = Struct("<QQQQ")
_DQBLK: Final = Struct("<QQQQQQQQI")
_FLAGS: Final = Struct("<I")
_FAN_CLASS: Final = 0xC
_QUOTA_SHIFT: Final = 8


def _print_mount_flags(view: View, index: int) -> str:
    flags, magic = view.registers[index], ""
    if flags & _MS_MAGIC_MASK == _MS_MAGIC:
        flags, magic = flags & ~_MS_MAGIC_MASK, styled("MS_MGC_VAL", hex(_MS_MAGIC), view.options)
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
    return text(item.data, len(item.data) + item.more, view.options)


def _print_mount_type(view: View, index: int) -> str:
    return _unless(view, index, _MS_REMOUNT | _MS_NO_TYPE_OR_DATA)


def _print_mount_data(view: View, index: int) -> str:
    return _unless(view, index, 0 if register(view, _MOUNT_FLAGS) & _MS_REMOUNT else _MS_NO_TYPE_OR_DATA)


def _print_mount_attr(view: View, index: int) -> str:
    data, size = view.data(index), register(view, index + 1)
    if size < _MOUNT_ATTR.size or len(data) < _MOUNT_ATTR.size:
        return address(view.registers[index])
    added, cleared, propagation, namespace = _MOUNT_ATTR.unpack_from(data)
    names, options = XLATS["mount_attr_flags"], view.options
    rest = extra_bytes(data, _MOUNT_ATTR.size, options)
    return (
        f"{{attr_set={names.flags(added, options)}, attr_clr={names.flags(cleared, options)}, "
        f"propagation={XLATS['mount_flags'].one(propagation, options)}, userns_fd={namespace}{rest}}}"
    )


def _quota_cmd(view: View) -> str:
    cmd = register(view, 1 if view.call.name == "quotactl_fd" else 0) & 0xFFFFFFFF
    return XLATS["quota_cmd"].names.get(cmd >> _QUOTA_SHIFT, "")


def _print_quota_cmd(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    cmd = XLATS["quota_cmd"].one(value >> _QUOTA_SHIFT, ABBREVIATED)
    text = f"QCMD({cmd}, {XLATS['quota_type'].one(value & 0xFF, ABBREVIATED)})"
    return styled(text, str(value), view.options)


def _print_quota_id(view: View, index: int) -> str | None:
    cmd, value = _quota_cmd(view), view.registers[index] & 0xFFFFFFFF
    if cmd == "Q_QUOTAON":
        return XLATS["quota_format"].one(value, view.options)
    if cmd in (
        "Q_QUOTAOFF",
        "Q_SYNC",
        "Q_GETFMT",
        "Q_GETINFO",
        "Q_SETINFO",
        "Q_XQUOTASYNC",
        "Q_XGETQSTAT",
        "Q_XGETQSTATV",
    ):
        return None
    return None if cmd in ("Q_XQUOTAON", "Q_XQUOTAOFF", "Q_XQUOTARM") else _NUMBERS["id"](view, index)


def _print_quota_address(view: View, index: int) -> str | None:
    cmd, pointer, data = _quota_cmd(view), address(view.registers[index]), view.data(index)
    if cmd in ("Q_QUOTAOFF", "Q_SYNC", "Q_XQUOTASYNC"):
        return None
    if cmd == "Q_QUOTAON":
        name, end, _ = data.partition(b"\0")
        return quote(name, more=not end, escape=view.options.escape) if data else pointer
    if cmd in ("Q_XQUOTAON", "Q_XQUOTAOFF", "Q_XQUOTARM"):
        flags = _FLAGS.unpack_from(data)[0] if len(data) >= _FLAGS.size else None
        return pointer if flags is None else f"[{XLATS['xfs_quota_flags'].flags(flags, view.options)}]"
    if cmd in ("Q_GETQUOTA", "Q_GETNEXTQUOTA") and not view.failed:
        data = view.data(index, out=True)
    elif cmd != "Q_SETQUOTA":
        return pointer
    if len(data) < _DQBLK.size:
        return pointer
    hard, soft, used, files_hard, files_soft, files, blocks_s, files_s, valid = _DQBLK.unpack_from(data)
    more = (
        f"dqb_btime={blocks_s}, dqb_itime={files_s}, dqb_valid={XLATS['quota_valid'].flags(valid, view.options)}"
        if view.options.verbose
        else "..."
    )
    return (
        f"{{dqb_bhardlimit={hard}, dqb_bsoftlimit={soft}, dqb_curspace={used}, dqb_ihardlimit={files_hard}, "
        f"dqb_isoftlimit={files_soft}, dqb_curinodes={files}, {more}}}"
    )


def _print_fanotify_init(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    kind = XLATS["fanotify_class"].one(value & _FAN_CLASS, view.options)
    rest = value & ~_FAN_CLASS
    return f"{kind}|{XLATS['fanotify_init_flags'].flags(rest, view.options)}" if rest else kind


def _print_fanotify_dirfd(view: View, index: int) -> str:
    if signed32(view.registers[index]) == -1:
        return styled("FAN_NOFD", "-1", view.options)
    return _NUMBERS["dirfd"](view, index) or ""


VALUES: Final[dict[str, Printer]] = {
    "mount_mask": _print_mount_flags,
    "mount_type": _print_mount_type,
    "mount_data": _print_mount_data,
    "mount_attr": _print_mount_attr,
    "quotactl_cmd": _print_quota_cmd,
    "quota_id": _print_quota_id,
    "quota_data": _print_quota_address,
    "fanotify_kind": _print_fanotify_init,
    "fanotify_events": bits("fanotify_mask"),
    "fanotify_dirfd": _print_fanotify_dirfd,
}

LATE: Final = frozenset(("quota_data",))
