# SPDX-License-Identifier: Apache-2.0
"""ioctl's structs of the device mapper and btrfs: as strace prints them, at entry and once the call has answered."""

from __future__ import annotations

from struct import pack

import pytest
from madeevents import POINTER, args, call, item

from traceloop_decode import constants
from traceloop_decode.model import Call
from traceloop_decode.printers.core import printer_of, view_of
from traceloop_decode.values.options import Options

IOCTL = (("fd", "unsigned int"), ("cmd", "unsigned int"), ("arg", "unsigned long"))
NUMBERS = {name: number for number, label in constants.TABLES["ioctls"][1] for name in label.split(" or ")}
UUID = bytes(range(16))


def text(name: str, before: bytes, after: bytes | None = None) -> str:
    memory = [*([item(before)] if before else []), *([item(after, out=True)] if after is not None else [])]
    made = call("ioctl", args(IOCTL, 3, NUMBERS[name], (POINTER, *memory)), -9 if after is None else 0)
    assert isinstance(made, Call)
    return printer_of(made).args(view_of(made, Options()))[2]


def mapper(
    *, start: int = 312, targets: int = 0, opened: int = 0, flags: int = 0, event: int = 0, dev: int = 0
) -> bytes:
    head = pack("<3I3IiIIIQ", 4, 1, 2, 16384, start, targets, opened, flags, event, 0, dev)
    return head + b"root".ljust(128, b"\0") + b"CRYPT-1".ljust(129, b"\0")


HEAD = "version=[4, 1, 2], data_size=16384"
NAMED = 'name="root", uuid="CRYPT-1"'


@pytest.mark.parametrize(
    ("name", "before", "after", "shown"),
    [
        ("DM_VERSION", mapper(), None, f"[{{{HEAD}, {NAMED}, flags=0}}]"),
        ("DM_DEV_REMOVE", mapper(event=7), None, f"[{{{HEAD}, {NAMED}, event_nr=7, flags=0}}]"),
        ("DM_TABLE_LOAD", mapper(targets=2), None, f"[{{{HEAD}, data_start=312, {NAMED}, target_count=2, flags=0}}, ...]"),
        ("DM_LIST_DEVICES", mapper(), mapper(), f"[{{{HEAD}, data_start=312, flags=0}}] => [{{{HEAD}, data_start=312, flags=0}}, ...]"),
        (
            "DM_DEV_STATUS",
            mapper(),
            mapper(targets=1, opened=2, event=3, flags=0x5, dev=0xFE03),
            (f"[{{{HEAD}, {NAMED}, flags=0}}] => [{{{HEAD}, dev=makedev(0xfe, 0x3), {NAMED}, target_count=1, open_count=2, "
            "event_nr=3, flags=DM_READONLY_FLAG|DM_EXISTS_FLAG}]"),
        ),
        ("DM_DEV_STATUS", mapper()[:200], None, f'[{{{HEAD}, name="root", uuid="CRYPT-1", flags=0}}]'),
        ("DM_DEV_STATUS", mapper()[:179], None, f'[{{{HEAD}, name="root", uuid="CRY"..., flags=0}}]'),
        ("DM_VERSION", b"\x05" + mapper()[1:], None, "[{version=[5, 1, 2] /* unsupported device mapper ABI version */}]"),
    ],
)  # fmt: skip
def test_the_device_mapper(name: str, before: bytes, after: bytes | None, shown: str) -> None:
    assert text(name, before, after) == shown


@pytest.mark.parametrize(
    ("name", "before", "after", "shown"),
    [
        ("BTRFS_IOC_SUBVOL_CREATE", pack("<q", 0) + b"home".ljust(4088, b"\0"), None, '{fd=0, name="home"}'),
        ("BTRFS_IOC_SNAP_CREATE", pack("<q", 4) + b"f" * 248, None, f'{{fd=4, name="{"f" * 248}"...}}'),
        (
            "BTRFS_IOC_SNAP_CREATE_V2",
            pack("<qQQQQ16x", 4, 0, 2, 0, 0) + b"home".ljust(4040, b"\0"),
            None,
            '{fd=4, flags=BTRFS_SUBVOL_RDONLY, name="home"}',
        ),
        ("BTRFS_IOC_DEFAULT_SUBVOL", pack("<Q", 256), None, "[256]"),
        ("BTRFS_IOC_SUBVOL_GETFLAGS", b"", pack("<Q", 2), "BTRFS_SUBVOL_RDONLY"),
        (
            "BTRFS_IOC_INO_LOOKUP",
            pack("<QQ", 0, 257) + bytes(240),
            pack("<QQ", 5, 257) + b"a/b/".ljust(240, b"\0"),
            '{treeid=0, objectid=257} => {treeid=BTRFS_FS_TREE_OBJECTID, name="a/b/"}',
        ),
        ("BTRFS_IOC_SPACE_INFO", pack("<QQ", 0, 0), pack("<QQ", 0, 4), "{space_slots=0} => {total_spaces=4}"),
        ("BTRFS_IOC_SPACE_INFO", pack("<QQ", 4, 0), pack("<QQ", 4, 4), "{space_slots=4} => {total_spaces=4, ...}"),
        (
            "BTRFS_IOC_DEV_INFO",
            pack("<Q", 1) + bytes(248),
            pack("<Q16sQQ", 1, UUID, 10, 20) + bytes(216),
            "{devid=makedev(0, 0x1)} => {uuid=00010203-0405-0607-0809-0a0b0c0d0e0f, bytes_used=10, total_bytes=20, ...}",
        ),
        (
            "BTRFS_IOC_FS_INFO",
            b"",
            pack("<QQ16sIIIHHQQ16s", 1, 1, UUID, 16384, 4096, 4096, 0, 4, 3, 9, UUID) + bytes(176),
            (
                "{max_id=1, num_devices=1, fsid=00010203-0405-0607-0809-0a0b0c0d0e0f, nodesize=16384, sectorsize=4096, "
                "clone_alignment=4096, csum_type=BTRFS_CSUM_TYPE_CRC32, csum_size=4, "
                "flags=BTRFS_FS_INFO_FLAG_CSUM_INFO|BTRFS_FS_INFO_FLAG_GENERATION, generation=9}"
            ),
        ),
        (
            "BTRFS_IOC_BALANCE_V2",
            pack("<QQ", 9, 0) + pack("<9Q64x", 1, 50, 0, 0, 2**64 - 1, 0, 0, 0, 2) + bytes(104),
            None,
            (
                "{flags=BTRFS_BALANCE_DATA|BTRFS_BALANCE_FORCE, data={profiles=BTRFS_BLOCK_GROUP_DATA, usage=50, "
                "devid=makedev(0, 0), pstart=0, pend=UINT64_MAX, vstart=0, vend=0, target=0, "
                "flags=BTRFS_BALANCE_ARGS_USAGE}, ...}"
            ),
        ),
    ],
)
def test_btrfs(name: str, before: bytes, after: bytes | None, shown: str) -> None:
    assert text(name, before, after) == shown
