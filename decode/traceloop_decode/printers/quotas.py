# SPDX-License-Identifier: Apache-2.0
"""Arguments of quotactl and quotactl_fd."""

from __future__ import annotations

from typing import Final

from traceloop_decode.printers.fields import Fields, parsed
from traceloop_decode.printers.kit import register
from traceloop_decode.printers.numbers import VALUES as NUMBERS
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS

_ABBREVIATED: Final = Options()
_SHIFT: Final = 8
_WORD: Final = 4

# struct if_dqblk, if_nextdqblk and if_dqinfo of linux/quota.h; fs_disk_quota, fs_quota_stat and fs_quota_statv of
# linux/dqblk_xfs.h.
_STRUCTS: Final = parsed("""
file qfs_ino:u64 qfs_nblks:u64 qfs_nextents:u32 _:u32
limits dqb_bhardlimit:u64 dqb_bsoftlimit:u64 dqb_curspace:u64 dqb_ihardlimit:u64 dqb_isoftlimit:u64 dqb_curinodes:u64
 ... dqb_btime:u64 dqb_itime:u64 dqb_valid:u32|quota_valid
next dqb_bhardlimit:u64 dqb_bsoftlimit:u64 dqb_curspace:u64 dqb_ihardlimit:u64 dqb_isoftlimit:u64 dqb_curinodes:u64
 dqb_btime:u64 dqb_itime:u64 dqb_valid:u32|quota_valid dqb_id:u32
next_brief dqb_bhardlimit:u64 dqb_bsoftlimit:u64 dqb_curspace:u64 dqb_ihardlimit:u64 dqb_isoftlimit:u64
 dqb_curinodes:u64 @68 dqb_id:u32 ...
info dqi_bgrace:u64 dqi_igrace:u64 dqi_flags:u32|quota_info_flags dqi_valid:u32|quota_info_valid
xfs d_version:i8 d_flags:u8|xfs_quota_kinds d_fieldmask:x16 d_id:u32 d_blk_hardlimit:u64 d_blk_softlimit:u64
 d_ino_hardlimit:u64 d_ino_softlimit:u64 d_bcount:u64 d_icount:u64 ... d_itimer:i32 d_btimer:i32 d_iwarns:u16
 d_bwarns:u16 _:u32 d_rtb_hardlimit:u64 d_rtb_softlimit:u64 d_rtbcount:u64 d_rtbtimer:i32 d_rtbwarns:u16 _:u16 _:u64
state qs_version:i8 ... _:u8 qs_flags:u16|xfs_quota_flags _:u32 qs_uquota:@file qs_gquota:@file qs_incoredqs:u32
 qs_btimelimit:i32 qs_itimelimit:i32 qs_rtbtimelimit:i32 qs_bwarnlimit:u16 qs_iwarnlimit:u16
state_v qs_version:i8 ... _:u8 qs_flags:u16|xfs_quota_flags qs_incoredqs:u32 qs_uquota:@file qs_gquota:@file
 qs_pquota:@file qs_btimelimit:i32 qs_itimelimit:i32 qs_rtbtimelimit:i32 qs_bwarnlimit:u16 qs_iwarnlimit:u16
""")
_GIVEN: Final = {"Q_SETQUOTA": "limits", "Q_SETINFO": "info", "Q_XSETQLIM": "xfs"}
_STORED: Final = {
    "Q_GETQUOTA": "limits",
    "Q_GETNEXTQUOTA": "next",
    "Q_GETINFO": "info",
    "Q_XGETQUOTA": "xfs",
    "Q_XGETNEXTQUOTA": "xfs",
    "Q_XGETQSTAT": "state",
    "Q_XGETQSTATV": "state_v",
}
_OF_FLAGS: Final = {"Q_XQUOTAON": "xfs_quota_flags", "Q_XQUOTAOFF": "xfs_quota_flags", "Q_XQUOTARM": "xfs_quota_kinds"}
_WITHOUT_DATA: Final = frozenset(("Q_QUOTAOFF", "Q_SYNC", "Q_XQUOTASYNC"))
_WITHOUT_ID: Final = (
    _WITHOUT_DATA | _OF_FLAGS.keys() | {"Q_GETFMT", "Q_GETINFO", "Q_SETINFO", "Q_XGETQSTAT", "Q_XGETQSTATV"}
)


def _name(view: View) -> str:
    command = register(view, 1 if view.call.name == "quotactl_fd" else 0) & 0xFFFFFFFF
    return XLATS["quota_cmd"].names.get(command >> _SHIFT, "")


def _command(view: View, index: int) -> str:
    value = view.registers[index] & 0xFFFFFFFF
    command = XLATS["quota_cmd"].one(value >> _SHIFT, _ABBREVIATED)
    text = f"QCMD({command}, {XLATS['quota_type'].one(value & 0xFF, _ABBREVIATED)})"
    return styled(text, str(value), view.options.constants)


def _id(view: View, index: int) -> str | None:
    name = _name(view)
    if name == "Q_QUOTAON":
        return XLATS["quota_format"].one(view.registers[index] & 0xFFFFFFFF, view.options)
    return None if name in _WITHOUT_ID else NUMBERS["id"](view, index)


def _data(view: View, index: int) -> str | None:
    name, pointer = _name(view), address(view.registers[index])
    if name in _WITHOUT_DATA:
        return None
    if name == "Q_QUOTAON":
        data = view.data(index)
        path, end, _ = data.partition(b"\0")
        return quote(path, more=not end, escape=view.options.escape) if data else pointer
    if name in _OF_FLAGS:
        return _word(_OF_FLAGS[name], view.data(index), view, pointer, is_set=True)
    if name in _GIVEN:
        return _struct(_STRUCTS[_GIVEN[name]], view.data(index), view, pointer)
    return _stored(name, view.data(index, out=True), view, pointer) if view.returned and not view.failed else pointer


def _stored(name: str, data: bytes, view: View, pointer: str) -> str:
    if name == "Q_GETFMT":
        return _word("quota_format", data, view, pointer, is_set=False)
    what = _STORED.get(name)
    if what == "next" and not view.options.verbose:
        what = "next_brief"
    return _struct(_STRUCTS[what], data, view, pointer) if what is not None else pointer


def _word(table: str, data: bytes, view: View, pointer: str, *, is_set: bool) -> str:
    if len(data) < _WORD:
        return pointer
    value, names = int.from_bytes(data[:_WORD], "little"), XLATS[table]
    return f"[{(names.flags if is_set else names.one)(value, view.options)}]"


def _struct(fields: Fields, data: bytes, view: View, pointer: str) -> str:
    return fields.text(data, view) if len(data) >= fields.size else pointer


VALUES: Final[dict[str, Printer]] = {"quotactl_cmd": _command, "quota_id": _id, "quota_data": _data}
LATE: Final = frozenset(("quota_data",))
