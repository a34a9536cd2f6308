# SPDX-License-Identifier: Apache-2.0
"""ioctl arguments of devices and file systems: structs that are printed field by field."""

from __future__ import annotations

from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers.fields import Types, changed, parsed, printer
from traceloop_decode.printers.files import device
from traceloop_decode.printers.kit import MASK32, boxed, hexadecimal
from traceloop_decode.printers.memory import text
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS

ARGUMENT: Final = 2
"""Index of ioctl's argument."""


def _device(data: bytes, view: View) -> str:
    return device(int.from_bytes(data, "little"), view.options)


def _failure(data: bytes, _view: View) -> str:
    number = int.from_bytes(data, "little", signed=True)
    return f"-{ERRNO[-number][0]}" if -number in ERRNO else str(number)


def _open_flags(data: bytes, view: View) -> str:
    return XLATS["open_flags"].flags(int.from_bytes(data, "little"), view.options)


_TYPES: Final[Types] = {
    "device16": (2, _device),
    "device64": (8, _device),
    "failure32": (4, _failure),
    "open32": (4, _open_flags),
}

_STRUCTS: Final = parsed(
    """
hd_geometry heads:u8 sectors:u8 cylinders:u16 _:u32 start:u64
fstrim_range start:x64 len:u64 minlen:u64
fsxattr fsx_xflags:u32|fs_xflags fsx_extsize:u32 fsx_nextents:u32 fsx_projid:x32 fsx_cowextsize:u32 _:u64
fsxattr_set fsx_xflags:u32|fs_xflags fsx_extsize:u32 _:u32 fsx_projid:x32 fsx_cowextsize:u32 _:u64
clone_range src_fd:fd64 src_offset:u64 src_length:u64 dest_offset:u64
partition start:i64 length:i64 pno:i32 devname:c64 volname:c64 _:u32
erase_info start:x32 length:x32
erase_info64 start:x64 length:x64
mtd_oob start:x32 length:x32 ptr:p64
mtd_oob64 start:x64 _:u32 length:x32 usr_ptr:p64
mtd_write start:x64 len:x64 ooblen:x64 usr_data:p64 usr_oob:p64 mode:u8=mtd_modes _:u8*7
mtd_info type:u8=mtd_types _:u8*3 flags:u32|mtd_flags size:x32 erasesize:x32 writesize:x32 oobsize:x32 padding:x64
mtd_ecc corrected:x32 failed:x32 badblocks:x32 bbtblocks:x32
otp_info start:x32 length:x32 locked:u32
rtc_time tm_sec:i32 tm_min:i32 tm_hour:i32 tm_mday:i32 tm_mon:i32 tm_year:i32 ... tm_wday:i32 tm_yday:i32 tm_isdst:i32
rtc_alarm enabled:u8 pending:u8 _:u16 time:@rtc_time
rtc_pll pll_ctrl:i32 pll_value:i32 pll_max:i32 pll_min:i32 pll_posmult:i32 pll_negmult:i32 pll_clock:i64
input_id bustype:u16 vendor:u16 product:u16 version:u16
keymap_entry flags:u8 len:u8 ... index:u16 keycode:u32=input_keys scancode:x8*32
seccomp_answer id:x64 val:i64 error:failure32 flags:u32|seccomp_answers
seccomp_addfd id:x64 flags:u32|seccomp_added srcfd:fd32 newfd:i32 newfd_flags:open32
uffd_api api:x64 features:u64|uffd_features @8 =features:u64|uffd_features >ioctls:u64|uffd_commands
uffd_range start:x64 len:x64
uffd_copy dst:x64 src:x64 len:x64 mode:u64|uffd_copies >copy:x64
uffd_register range:@uffd_range mode:u64|uffd_registers >ioctls:u64|uffd_range_commands
uffd_zeropage range:@uffd_range mode:u64|uffd_zeros >zeropage:x64
mtd_region @12 regionindex:x32 @0 >offset:x32 >erasesize:x32 >numblocks:x32
blk_trace @32 act_mask:u16 _:u16 buf_size:u32 buf_nr:u32 _:u32 start_lba:u64 end_lba:u64 pid:u32 _:u32 @0 >name:c32
perf_query ids_len:u32 >prog_cnt:u32 ...
loop_info lo_number:i32 @8 lo_device:device64 lo_inode:u64 lo_rdevice:device64 lo_offset:x32
 lo_encrypt_type:u32=loop_ciphers lo_encrypt_key_size:u32
 lo_flags:u32|loop_flags lo_name:c64 ...
loop_info_brief lo_number:i32 @32 lo_offset:x32 ?lo_encrypt_type:u32=loop_ciphers _:u32 lo_flags:u32|loop_flags
 lo_name:c64 ...
loop_info64 lo_device:device64 lo_inode:u64 lo_rdevice:device64 lo_offset:x64 lo_sizelimit:u64 lo_number:u32
 lo_encrypt_type:u32=loop_ciphers lo_encrypt_key_size:u32 lo_flags:u32|loop_flags lo_file_name:c64 lo_crypt_name:c64 ...
loop_info64_brief @24 lo_offset:x64 _:u64 lo_number:u32 ?lo_encrypt_type:u32=loop_ciphers _:u32 lo_flags:u32|loop_flags
 lo_file_name:c64 ...
loop_config fd:fd32 block_size:u32 info:@loop_info64 ...
loop_config_brief fd:fd32 block_size:u32 info:@loop_info64_brief ...
""",
    _TYPES,
)


def _brief(name: str) -> StructPrinter:
    # Without -v, other fields are shown, not just fewer.
    whole, brief = _STRUCTS[name], _STRUCTS[f"{name}_brief"]

    def print_struct(data: bytes, view: View) -> str:
        return (whole if view.options.verbose else brief).text(data, view)

    return print_struct


_CHANGES: Final = parsed("""
fiemap fm_start:u64 fm_length:u64 fm_flags:u32|fiemap_flags _:u32 fm_extent_count:u32 _:u32
fiemap_out _:u64 _:u64 fm_flags:u32|fiemap_flags fm_mapped_extents:u32 _:u64 ...
hd_drive_cmd command:u8=ata_commands sector_number:u8 feature:u8 sector_count:u8
hd_drive_cmd_out status:x8 error:u8 nsector:u8 _:u8
""")


def _partition(data: bytes, view: View) -> str:
    if len(data) < 24:
        return "{...}"
    operation = XLATS["partition_operations"].one(int.from_bytes(data[:4], "little"), view.options)
    flags, length = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (4, 8))
    item, whole = view.nested(ARGUMENT, 1), _STRUCTS["partition"]
    shown = address(int.from_bytes(data[16:24], "little"))
    if item is not None and len(item.data) >= whole.size:
        shown = whole.text(item.data, view)
    return f"{{op={operation}, flags={flags}, datalen={length}, data={shown}}}"


def _entropy(data: bytes, view: View) -> str:
    if len(data) < 8:
        return "{...}"
    count, size = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (0, 4))
    return f"{{entropy_count={count}, buf_size={size}, buf={text(data[8:], max(size, 0), view.options)}}}"


def _label(data: bytes, view: View) -> str:
    name, end, _ = data.partition(b"\0")
    return text(name, len(name) + (not end), view.options)


def _three(data: bytes, _view: View) -> str:
    return f"[{', '.join(hexadecimal(int.from_bytes(data[at : at + 4], 'little')) for at in range(0, 12, 4))}]"


def _pair(data: bytes, _view: View) -> str:
    return f"[{', '.join(str(int.from_bytes(data[at : at + 4], 'little')) for at in (0, 4))}]"


_NO_ESCALATION: Final = 0x100


def _reset(value: int, view: View) -> str:
    table = XLATS["scsi_resets"]
    level = table.one(value & ~_NO_ESCALATION, view.options)
    return f"{table.one(_NO_ESCALATION, view.options)}|{level}" if value & _NO_ESCALATION else level


def _wide(name: str) -> Printer:
    # Prints a set of flags in the whole register.
    table = XLATS[name]
    return lambda view, index: table.flags(view.registers[index], view.options)


VALUES: Final[dict[str, Printer]] = {
    "ide_nice64": _wide("ide_nice"),
    "busstate64": lambda view, index: XLATS["busstates"].one(view.registers[index], view.options),
    "mtd_file_mode64": lambda view, index: XLATS["mtd_file_modes"].one(view.registers[index], view.options),
    "nbd_flags64": _wide("nbd_flags"),
    "perf_flags32": lambda view, index: XLATS["perf_ioctl_flags"].flags(view.registers[index] & MASK32, view.options),
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    **{
        name: printer(fields, ARGUMENT)
        for name, fields in _STRUCTS.items()
        if name != "partition" and not name.startswith("loop_")
    },
    **{name: _brief(name) for name in ("loop_info", "loop_info64", "loop_config")},
    **{name: changed(_CHANGES[name], _CHANGES[f"{name}_out"], ARGUMENT) for name in ("fiemap", "hd_drive_cmd")},
    "blkpg": _partition,
    "boxed_busstate": boxed("Q", lambda value, view: XLATS["busstates"].one(value, view.options)),
    "boxed_ide_nice": boxed("Q", lambda value, view: XLATS["ide_nice"].flags(value, view.options)),
    "boxed_otp": boxed("I", lambda value, view: XLATS["mtd_otp"].one(value, view.options)),
    "boxed_rtc_voltage": boxed("I", lambda value, view: XLATS["rtc_voltage"].flags(value, view.options)),
    "boxed_sg_reset": boxed("I", _reset),
    "entropy": _entropy,
    "fs_label": _label,
    "ioctl_uint": boxed("I", lambda value, _view: str(value)),
    "ioctl_ushort": boxed("H", lambda value, _view: str(value)),
    "three_ints": _three,
    "uint_pair": _pair,
}
