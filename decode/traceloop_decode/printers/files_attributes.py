# SPDX-License-Identifier: Apache-2.0
"""Results of stat, statx and statfs, and the times and attributes that utime and similar calls set."""

from __future__ import annotations

from functools import partial
from struct import Struct
from typing import Final

from traceloop_decode.printers.files import device, is_device, more_flags, symbolic_mode, whole_struct
from traceloop_decode.printers.numbers import address, user
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.spans import DAY_S
from traceloop_decode.values.options import styled
from traceloop_decode.values.times import time_of_day
from traceloop_decode.values.xlat import XLATS

_STAT: Final = Struct("<QQQIII4xQqqqqQqQqQ")
_STAT_ARM64: Final = Struct("<QQIIIIQ8xqi4xqqQqQqQ8x")  # asm-generic/stat.h
_STATX: Final = Struct("<IIQIIIH2xQQQQ" + "qI4x" * 4 + "IIIIQ")
_STATFS: Final = Struct("<QQQQQQQIIQQQ")
_XATTR_ARGS: Final = Struct("<QII")
_FILE_ATTR: Final = Struct("<QIIII")
_UTIMBUF: Final = Struct("<qq")
_PAIR: Final = Struct("<qQ")

_UTIME: Final = {0x3FFFFFFF: "UTIME_NOW", 0x3FFFFFFE: "UTIME_OMIT"}
_STAT_TIMES: Final = ("st_atime", "st_mtime", "st_ctime")
_STATX_TIMES: Final = (("stx_atime", 0x20), ("stx_btime", 0x800), ("stx_ctime", 0x80), ("stx_mtime", 0x40))
_STATX_TYPE_OR_MODE, _STATX_NLINK, _STATX_UID, _STATX_GID = 3, 4, 8, 0x10
_STATX_INO, _STATX_SIZE, _STATX_BLOCKS = 0x100, 0x200, 0x400
_STATX_MNT_ID: Final = 0x1000
_ST_VALID: Final = 0x20
_YEAR_MAX_S: Final = 67_767_976_233_529_199  # mktime(3) has no later year: tm_year is an int


def date(seconds: int, fraction: str = "") -> str:
    """Returns `` /* 2009-02-13T23:31:30.123456+0000 */``, or "" for the epoch. fraction: digits after the seconds."""
    if not (seconds or fraction.strip("0")) or abs(seconds) > _YEAR_MAX_S:
        return ""
    days, second = divmod(seconds, DAY_S)
    # Years are counted from March here, so that the leap day comes last; 400 of them are 146097 days.
    era, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month, year = (month + 3, year) if month < 10 else (month - 9, year + 1)
    point = f".{fraction}" if fraction.strip("0") else ""
    return f" /* {year + era * 400}-{month:02}-{day + 1:02}T{time_of_day(second)}{point}+0000 */"


def _time(name: str, seconds: int, nanoseconds: int) -> str:
    return f"{name}={seconds}{date(seconds, f'{nanoseconds:09}')}, {name}_nsec={nanoseconds}"


def _stat(data: bytes, view: View) -> str:
    layout = _STAT_ARM64 if view.call.abi.arch == "aarch64" else _STAT
    if len(data) < layout.size:
        return "{...}"
    fields = layout.unpack_from(data)
    if layout is _STAT_ARM64:
        dev, ino, mode, links, *rest = fields
        fields = dev, ino, links, mode, *rest
    dev, ino, links, mode, uid, gid, rdev, size, block_size, blocks, *times = fields
    options = view.options
    shown_mode = f"st_mode={symbolic_mode(mode, options)}"
    what = f"st_rdev={device(rdev, options)}" if is_device(mode) else f"st_size={size}"
    if not options.verbose:
        return f"{{{shown_mode}, {what}, ...}}"
    shown = ", ".join([_time(name, *times[2 * n : 2 * n + 2]) for n, name in enumerate(_STAT_TIMES)])
    return (
        f"{{st_dev={device(dev, options)}, st_ino={ino}, {shown_mode}, st_nlink={links}, st_uid={uid}, st_gid={gid}, "
        f"st_blksize={block_size}, st_blocks={blocks}, {what}, {shown}}}"
    )


def _statx(fields: tuple[int, ...], view: View) -> str:
    mask, block_size, attributes, links, uid, gid, mode, ino, size, blocks, known, *rest = fields
    options, verbose = view.options, view.options.verbose
    named = XLATS["statx_attributes"]

    def filled(bits: int, text: str, *, always: bool = False) -> list[str]:
        return [text] if mask & bits and (verbose or always) else []

    shown = [f"stx_mask={XLATS['statx_mask'].flags(mask, options)}"]
    shown += [f"stx_blksize={block_size}"] if verbose else []
    shown.append(f"stx_attributes={named.flags(attributes, options)}")
    shown += filled(_STATX_NLINK, f"stx_nlink={links}")
    shown += filled(_STATX_UID, f"stx_uid={user(uid)}") + filled(_STATX_GID, f"stx_gid={user(gid)}")
    shown += filled(_STATX_TYPE_OR_MODE, f"stx_mode={symbolic_mode(mode, options)}", always=True)
    shown += filled(_STATX_INO, f"stx_ino={ino}") + filled(_STATX_SIZE, f"stx_size={size}", always=True)
    if not verbose:
        return f"{{{', '.join(shown)}, ...}}"
    shown += filled(_STATX_BLOCKS, f"stx_blocks={blocks}")
    shown.append(f"stx_attributes_mask={named.flags(known, options)}")
    for n, (name, bit) in enumerate(_STATX_TIMES):
        seconds, nanoseconds = rest[2 * n : 2 * n + 2]
        if mask & bit:
            when = date(seconds, f"{nanoseconds:09}")
            shown.append(f"{name}={{tv_sec={seconds}, tv_nsec={nanoseconds}}}{when}")
    devices = zip(("rdev_major", "rdev_minor", "dev_major", "dev_minor"), rest[8:12], strict=True)
    shown += [f"stx_{name}={number}" for name, number in devices]
    shown += [f"stx_mnt_id={rest[12]:#x}"] if mask & _STATX_MNT_ID else []
    return f"{{{', '.join(shown)}}}"


def _statfs(fields: tuple[int, ...], view: View) -> str:
    magic, block_size, blocks, free, available, files, free_files, low, high, name_max, fragment, flags = fields
    ids = ", ".join(f"{half:#x}" if half else "0" for half in (low, high))
    known = f", f_flags={more_flags('statfs_flags', flags, view.options)}" if flags & _ST_VALID else ""
    return (
        f"{{f_type={XLATS['fs_magic'].one(magic, view.options)}, f_bsize={block_size}, f_blocks={blocks}, "
        f"f_bfree={free}, f_bavail={available}, f_files={files}, f_ffree={free_files}, f_fsid={{val=[{ids}]}}, "
        f"f_namelen={name_max}, f_frsize={fragment}{known}}}"
    )


def _utimbuf(fields: tuple[int, ...], _view: View) -> str:
    accessed, modified = fields
    return f"{{actime={accessed}{date(accessed)}, modtime={modified}{date(modified)}}}"


def _file_time(fields: tuple[int, ...], view: View, *, unit: str, digits: int) -> str:
    seconds, fraction = fields
    number = f"{{tv_sec={seconds}, {unit}={fraction}}}"
    if digits == 9 and fraction in _UTIME:
        return styled(_UTIME[fraction], number, view.options.constants)
    return number + (date(seconds, f"{fraction:0{digits}}") if 0 <= fraction < 10**digits else "")


def _xattr_args(fields: tuple[int, ...], view: View) -> str:
    value, size, flags = fields
    return f"{{value={address(value)}, size={size}, flags={XLATS['xattr_flags'].flags(flags, view.options)}}}"


def _file_attr(fields: tuple[int, ...], view: View) -> str:
    flags, *numbers = fields
    names = ("fa_extsize", "fa_nextents", "fa_projid", "fa_cowextsize")
    shown = "".join([f", {name}={number}" for name, number in zip(names, numbers, strict=True)])
    return f"{{fa_xflags={XLATS['fs_xflags'].flags(flags, view.options)}{shown}}}"


STRUCTS: Final[dict[str, StructPrinter]] = {
    "stat": _stat,
    "stat64": _stat,
    "statx": whole_struct(_STATX, _statx),
    "statfs": whole_struct(_STATFS, _statfs),
    "statfs64": whole_struct(_STATFS, _statfs),
    "xattr_args": whole_struct(_XATTR_ARGS, _xattr_args),
    "file_attr": whole_struct(_FILE_ATTR, _file_attr),
    "utimbuf": whole_struct(_UTIMBUF, _utimbuf),
    "file_timeval": whole_struct(_PAIR, partial(_file_time, unit="tv_usec", digits=6)),
    "file_timespec": whole_struct(_PAIR, partial(_file_time, unit="tv_nsec", digits=9)),
}
