# SPDX-License-Identifier: Apache-2.0
"""Arguments of btrfs' ioctls: structs of linux/btrfs.h, as far as they are recorded."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.fields import changed, parsed, printer
from traceloop_decode.printers.files import device
from traceloop_decode.printers.ioctl_devices import ARGUMENT
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.safe_text import quote
from traceloop_decode.values.xlat import XLATS

_MAX, _MAX32 = (1 << 64) - 1, (1 << 32) - 1
_VOLUME: Final = Struct("<q")
_SUBVOLUME: Final = Struct("<qQQQQ16x")  # fd, transid, flags, size, qgroup_inherit
_LOOKUP: Final = Struct("<QQ")
"""The two numbers with which the structs of INO_LOOKUP and SPACE_INFO begin."""
_KEY: Final = Struct("<7Q3I36x")
_FIRST_FREE, _LAST_FREE = 256, (1 << 64) - 256  # BTRFS_..._FREE_OBJECTID
_INFO: Final = parsed("""
info max_id:u64 num_devices:u64 fsid:uuid nodesize:u32 sectorsize:u32 clone_alignment:u32
sums csum_type:u16=btrfs_checksums csum_size:u16
flags flags:u64|btrfs_info_flags
generation generation:u64
metadata metadata_uuid:uuid
""")
_SUMS, _GENERATION, _METADATA = 1, 2, 4  # BTRFS_FS_INFO_FLAG_...
_INHERIT: Final = 4  # BTRFS_SUBVOL_QGROUP_INHERIT


def _number(number: int) -> str:
    return "UINT64_MAX" if number == _MAX else str(number)


def _object(number: int, view: View) -> str:
    named = number in XLATS["btrfs_objects"].names
    return XLATS["btrfs_objects"].one(number, view.options) if named else _number(number)


def _type(number: int, view: View) -> str:
    if number == _MAX32:
        return "UINT32_MAX"
    named = number in XLATS["btrfs_keys"].names
    return XLATS["btrfs_keys"].one(number, view.options) if named else str(number)


def _key(data: bytes, view: View) -> str:
    tree, first, last, *spans, first_type, last_type, count = _KEY.unpack(data)
    shown = [f"tree_id={_object(tree, view)}"]
    if first != _FIRST_FREE or view.options.verbose:
        shown.append(f"min_objectid={_object(first, view)}")
    if last != _LAST_FREE or view.options.verbose:
        shown.append(f"max_objectid={_object(last, view)}")
    names = ("min_offset", "max_offset", "min_transid", "max_transid")
    shown += [f"{name}={_number(number)}" for name, number in zip(names, spans, strict=True)]
    shown.append(f"min_type={_type(first_type, view)}, max_type={_type(last_type, view)}, nr_items={count}")
    return f"{{{', '.join(shown)}}}"


_TYPES: Final = {
    "max64": (8, lambda data, _view: _number(int.from_bytes(data, "little"))),
    "key": (_KEY.size, _key),
    "object64": (8, lambda data, view: _object(int.from_bytes(data, "little"), view)),
    "device64": (8, lambda data, view: device(int.from_bytes(data, "little"), view.options)),
}
_STRUCTS: Final = parsed(
    """
btrfs_defrag start:u64 len:max64 flags:u64|btrfs_defrag_flags extent_thresh:u32 compress_type:u32=btrfs_compressions
 _:u64*2
btrfs_scrub devid:device64 start:max64 end:max64 flags:u64|btrfs_scrub_flags
btrfs_send send_fd:fd64 clone_sources_count:u64 clone_sources:p64 parent_root:object64 flags:u64|btrfs_send_flags
btrfs_statistics devid:device64 nr_items:u64 flags:u64|btrfs_statistics_flags
btrfs_paths inum:u64 size:u64 _:u64*4 fspath:p64
btrfs_scrubbed devid:device64
btrfs_quota cmd:u64=btrfs_quota_commands
btrfs_group_member assign:u64 src:u64 dst:u64
btrfs_group create:u64 qgroupid:u64
btrfs_rescan flags:u64
""",
    _TYPES,
)
_CHANGES: Final = parsed(
    """
btrfs_device devid:device64 ?uuid:uuid
btrfs_device_out @8 ?uuid:uuid bytes_used:u64 total_bytes:u64 ...
""",
    _TYPES,
)
_BALANCE: Final = parsed(
    """
kind profiles:u64|btrfs_groups usage:u64 devid:device64 pstart:max64 pend:max64 vstart:max64 vend:max64 target:u64
 flags:u64|btrfs_balance_arguments _:u64*8
""",
    _TYPES,
)["kind"]
_SEARCHES: Final = parsed(
    """
found @64 nr_items:u32
btrfs_search key:key
btrfs_search_out key:@found ...
btrfs_search_v2 key:key buf_size:u64
btrfs_search_v2_out key:@found @104 buf_size:u64 ...
""",
    _TYPES,
)


def _name(data: bytes, at: int, size: int, view: View) -> str:
    # Of a name with 4,040 bytes or so, what is recorded by default is the beginning.
    text = data[at:]
    found, end, _ = text.partition(b"\0")
    return quote(found[:-1] if len(text) == size and not end else found, more=not end, escape=view.options.escape)


def _volume(data: bytes, view: View) -> str:
    if len(data) <= _VOLUME.size:
        return "{...}"
    (fd,) = _VOLUME.unpack_from(data)
    return f"{{fd={view.fd(fd)}, name={_name(data, 8, 4088, view)}}}"


def _subvolume(data: bytes, view: View) -> str:
    if len(data) <= _SUBVOLUME.size:
        return "{...}"
    fd, _, flags, size, inherit = _SUBVOLUME.unpack_from(data)
    shown = [f"fd={view.fd(fd)}, flags={XLATS['btrfs_subvolume_flags'].flags(flags, view.options)}"]
    if flags & _INHERIT:
        shown.append(f"size={size}, qgroup_inherit={address(inherit)}")
    return f"{{{', '.join(shown)}, name={_name(data, _SUBVOLUME.size, 4040, view)}}}"


def _balance(data: bytes, view: View) -> str:
    # What is recorded by default ends after the first kind of block groups.
    if len(data) < 16:
        return "{...}"
    shown = [f"flags={XLATS['btrfs_balance_flags'].flags(int.from_bytes(data[:8], 'little'), view.options)}"]
    for number, name in enumerate(("data", "meta", "sys")):
        kind = data[16 + number * _BALANCE.size : 16 + (number + 1) * _BALANCE.size]
        if len(kind) < _BALANCE.size:
            shown.append("...")
            break
        shown.append(f"{name}={_BALANCE.text(kind, view)}")
    return f"{{{', '.join(shown)}}}"


def _lookup(data: bytes, view: View) -> str:
    before = view.data(ARGUMENT) or data
    if len(before) < _LOOKUP.size or len(data) <= _LOOKUP.size:
        return "{...}"
    tree, number = _LOOKUP.unpack_from(before)
    given = f"{{treeid={_object(tree, view)}, objectid={_object(number, view)}}}"
    if not view.returned or view.failed:
        return given
    found = f"treeid={_object(_LOOKUP.unpack_from(data)[0], view)}, " if not tree else ""
    return f"{given} => {{{found}name={_name(data, _LOOKUP.size, 4080, view)}}}"


def _space(data: bytes, view: View) -> str:
    if len(data) < _LOOKUP.size:
        return "{...}"
    slots, spaces = _LOOKUP.unpack_from(data)
    given = f"{{space_slots={slots}}}"
    if not view.returned or view.failed:
        return given
    return f"{given} => {{total_spaces={spaces}{', ...' if slots or not spaces else ''}}}"


def _info(data: bytes, view: View) -> str:
    if len(data) < 80:
        return "{...}"
    flags = int.from_bytes(data[48:56], "little")
    shown = [_INFO["info"].listed(data, view)]
    shown += [_INFO["sums"].listed(data[44:], view)] if flags & _SUMS else []
    shown.append(_INFO["flags"].listed(data[48:], view))
    shown += [_INFO["generation"].listed(data[56:], view)] if flags & _GENERATION else []
    shown += [_INFO["metadata"].listed(data[64:], view)] if flags & _METADATA else []
    return f"{{{', '.join(shown)}}}"


VALUES: Final[dict[str, Printer]] = {
    "btrfs_balance_command64": lambda view, index: XLATS["btrfs_balance_commands"].one(
        view.registers[index], view.options
    ),
}
STRUCTS: Final[dict[str, StructPrinter]] = {
    **{name: printer(fields, ARGUMENT) for name, fields in _STRUCTS.items()},
    "btrfs_device": changed(_CHANGES["btrfs_device"], _CHANGES["btrfs_device_out"], ARGUMENT),
    **{
        name: changed(_SEARCHES[name], _SEARCHES[f"{name}_out"], ARGUMENT)
        for name in ("btrfs_search", "btrfs_search_v2")
    },
    "btrfs_volume": _volume,
    "btrfs_subvolume": _subvolume,
    "btrfs_subvolume_flags": lambda data, view: XLATS["btrfs_subvolume_flags"].flags(
        int.from_bytes(data[:8], "little"), view.options
    ),
    "btrfs_balance": _balance,
    "btrfs_lookup": _lookup,
    "btrfs_info": _info,
    "btrfs_space": _space,
}
