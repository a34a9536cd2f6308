# SPDX-License-Identifier: Apache-2.0
"""Memory that calls on files read and write: open_how, handles, names, directory entries, offsets."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.files import O_MAKES_FILE, extra_bytes, open_flags, register, whole_struct
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.memory import counted, is_readable
from traceloop_decode.printers.numbers import address, mode
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.xlat import XLATS

_OPEN_HOW: Final = Struct("<QQQ")
_HANDLE: Final = Struct("<Ii")
_DIRENT: Final = Struct("<QqH")
_OFFSET: Final = Struct("<q")
_MOVED: Final = Struct("<Q")
_FD: Final = Struct("<i")
_HANDLE_MAX: Final = 128  # MAX_HANDLE_SZ
_BLOB_MAX: Final = 1 << 20
_XATTR_MAX: Final = 65536  # XATTR_SIZE_MAX
_SPAN: Final = Struct("<QQ")
_CACHE_COUNTS: Final = Struct("<QQQQQ")
_COUNTED: Final = ("cache", "dirty", "writeback", "evicted", "recently_evicted")


def _print_open_how(view: View, index: int) -> str:
    item, size = view.item(index), register(view, index + 1)
    if item is None or size < _OPEN_HOW.size or len(item.data) < _OPEN_HOW.size:
        return address(view.registers[index])
    flags, file_mode, resolve = _OPEN_HOW.unpack_from(item.data)
    made = f", mode={mode(file_mode)}" if file_mode or flags & O_MAKES_FILE else ""
    resolved = XLATS["resolve_flags"].flags(resolve, view.options)
    rest = extra_bytes(item, _OPEN_HOW.size, view.options)
    return f"{{flags={open_flags(flags, view, view.options)}{made}, resolve={resolved}{rest}}}"


_TOO_SMALL: Final = -75  # EOVERFLOW: the kernel stored the size that is needed


def _print_handle(view: View, index: int) -> str:
    before, after = view.data(index), view.data(index, out=True)
    if len(before) < _HANDLE.size:
        return address(view.registers[index])
    wanted, kind = _HANDLE.unpack_from(before)
    if view.call.name == "name_to_handle_at":
        if len(after) < _HANDLE.size or (view.failed and view.call.result != _TOO_SMALL):
            return f"{{handle_bytes={wanted}}}"
        size, kind = _HANDLE.unpack_from(after)
        if view.failed:
            return f"{{handle_bytes={wanted} => {size}}}"
        shown, changed = after[_HANDLE.size :][:size], f" => {size}" if size != wanted else ""
        return f"{{handle_bytes={wanted}{changed}, handle_type={kind}, f_handle={_hexadecimal(shown)}}}"
    item, shown = view.item(index), before[_HANDLE.size :][:wanted]
    is_there = item is None or is_readable(item, _HANDLE.size + min(wanted, _HANDLE_MAX))
    return f"{{handle_bytes={wanted}, handle_type={kind}, f_handle={_hexadecimal(shown) if is_there else '???'}}}"


def _hexadecimal(data: bytes) -> str:
    return quote(data, escape=2)


def _print_mount_id(view: View, index: int) -> str:
    data = view.data(index, out=True)
    return (
        f"[{_FD.unpack_from(data)[0]}]" if len(data) >= _FD.size and not view.failed else address(view.registers[index])
    )


def _print_hex_bytes(view: View, index: int) -> str:
    # For data that is not text.
    item = view.item(index, out=True) or view.item(index)
    if item is None or (item.out and view.failed):
        return address(view.registers[index])
    shown = item.data[: view.options.string_max]
    return quote(shown, more=len(shown) < item.size, escape=2)


def _print_blob(view: View, index: int) -> str:
    # fsconfig's: of more than the kernel takes the address.
    size = register(view, index + 1) & 0xFFFFFFFF
    item = view.item(index) if size <= _BLOB_MAX else None
    if item is None or not is_readable(item, min(item.size, view.options.string_max + 1)):
        return address(view.registers[index])
    return _print_hex_bytes(view, index)


def _print_xattr_value(view: View, index: int) -> str:
    # The value is often a string with its NUL, which strace does not show.
    item = view.item(index, out=True) or view.item(index)
    if item is None or (item.out and view.failed):
        return address(view.registers[index])
    if item.size > _XATTR_MAX or not is_readable(item, min(item.size, view.options.string_max + 1)):
        return address(view.registers[index])
    shown = item.data[: view.options.string_max]
    if not view.options.escape and shown.endswith(b"\0"):
        return quote(shown[:-1])
    return quote(shown, more=len(shown) < item.size, escape=view.options.escape)


def _print_names(view: View, index: int) -> str:
    # For listxattr: the result is the full size even if the buffer was too small.
    item = view.item(index, out=True)
    if item is None or view.failed or not register(view, index + 1):
        return address(view.registers[index])
    return counted(item, view.registers[index], item.size, view.options)


def _print_entries(view: View, index: int) -> str:
    # In struct linux_dirent and linux_dirent64, d_reclen follows two 64-bit numbers.
    if view.failed or not view.returned:
        return address(view.registers[index])
    data, size = view.data(index, out=True), view.call.result or 0
    at, entries = 0, []
    while at + _DIRENT.size <= len(data):
        inode, offset, length = _DIRENT.unpack_from(data, at)
        if length <= _DIRENT.size or at + length > len(data):
            break
        entries.append((inode, offset, data[at : at + length]))
        at += length
    if not view.options.verbose:
        cut = "" if at >= size else ", ..."
        return f"{address(view.registers[index])} /* {len(entries)} entries{cut} */"
    shown = [_entry(view, *entry) for entry in entries]
    return f"[{', '.join(shown if at >= size else [*shown, '...'])}]"


def _entry(view: View, inode: int, offset: int, data: bytes) -> str:
    old = view.call.name == "getdents"  # there d_type is the last byte; in linux_dirent64 it precedes the name
    kind = f"d_type={XLATS['dirent_type'].one(data[-1] if old else data[_DIRENT.size], view.options)}"
    name = f"d_name={quote(data[_DIRENT.size + (not old) : -1 if old else None].partition(bytes(1))[0])}"
    last = f"{name}, {kind}" if old else f"{kind}, {name}"
    return f"{{d_ino={inode}, d_off={offset}, d_reclen={len(data)}, {last}}}"


def _print_offset(view: View, index: int) -> str:
    data = view.data(index)
    return f"[{_OFFSET.unpack_from(data)[0]}]" if len(data) >= _OFFSET.size else address(view.registers[index])


def _print_moved_offset(view: View, index: int) -> str:
    before, after = view.data(index), view.data(index, out=True)
    if len(before) < _OFFSET.size:
        return address(view.registers[index])
    shown = f"[{_MOVED.unpack_from(before)[0]}]"
    if view.failed or not view.call.result or len(after) < _OFFSET.size:
        return shown
    return f"{shown} => [{_MOVED.unpack_from(after)[0]}]"


VALUES: Final[dict[str, Printer]] = {
    "open_how": _print_open_how,
    "file_handle": _print_handle,
    "mount_id": _print_mount_id,
    "hex_bytes": _print_hex_bytes,
    "fs_blob": _print_blob,
    "xattr_names": _print_names,
    "xattr_value": _print_xattr_value,
    "dirents": _print_entries,
    "offset": _print_offset,
    "moved_offset": _print_moved_offset,
}


def _print_cache_counts(fields: tuple[int, ...], _view: View) -> str:
    return "{" + ", ".join(f"nr_{name}={value}" for name, value in zip(_COUNTED, fields, strict=True)) + "}"


STRUCTS: Final[dict[str, StructPrinter]] = {
    "cache_counts": whole_struct(_CACHE_COUNTS, _print_cache_counts),
    "cache_range": whole_struct(_SPAN, lambda fields, _view: f"{{off={hexadecimal(fields[0])}, len={fields[1]}}}"),
    "fd_number": whole_struct(_FD, lambda fields, _view: str(fields[0])),
    "span": whole_struct(_SPAN, lambda fields, _view: f"{{iov_base={address(fields[0])}, iov_len={fields[1]}}}"),
}

LATE: Final = frozenset(("moved_offset", "file_handle"))
