# SPDX-License-Identifier: Apache-2.0
"""ioctl's commands by name, and the structs that they point at; the lines are those that strace 6.1 prints."""

from __future__ import annotations

import struct

import pytest
from madeevents import POINTER, args, call, item

from traceloop_decode import constants
from traceloop_decode.arguments.table import SIZES
from traceloop_decode.arguments.words import lines
from traceloop_decode.model import Returned
from traceloop_decode.printers.core import printer_of, view_of
from traceloop_decode.printers.fields import parse
from traceloop_decode.values.options import Options

IOCTL = (("fd", "unsigned int"), ("cmd", "unsigned int"), ("arg", "unsigned long"))
NUMBERS = {name: number for number, label in constants.TABLES["ioctls"][1] for name in label.split(" or ")}
PLAIN = Options()
BEFORE_HEADERS = 0x10000
"""Commands below have no size in their number."""
OTHER_SIZES = {
    *(
        "mapper",
        "loop_config",
        "loop_info",
        "loop_info64",
        "perf_query",
        "ptp_offset",
    ),  # only the beginning is captured
    *(
        "inode_flags_word",
        "perf_attr",
        "key_code",
        "uint_pair",
        "task_name",
    ),  # the number says long, a pointer, an array
}


def text(command: int, argument: object, result: int = -9, options: Options = PLAIN) -> str:
    made = call("ioctl", args(IOCTL, 2**64 - 1, command, argument), result)
    made = made.call if isinstance(made, Returned) else made
    return ", ".join(printer_of(made).args(view_of(made, options)))


def given(name: str, data: bytes, result: int = -9, options: Options = PLAIN) -> str:
    _, command, shown = text(NUMBERS[name], (POINTER, item(data)), result, options).split(", ", 2)
    assert name in command.split(" or ")
    return shown


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (0x5401, "TCGETS"),
        (0x5402, "SNDCTL_TMR_START or TCSETS"),
        (0x5204, "FASTRPC_IOCTL_INIT_ATTACH or RNDZAPENTCNT"),
        (0x7004, "PHN_NOT_OH or RTC_UIE_OFF"),
        (0x80044801, "HIDIOCGRDESCSIZE or HIDIOCGVERSION"),
        (0x40049409, "BTRFS_IOC_CLONE or FICLONE"),
        (0x80046601, "FS_IOC32_GETFLAGS"),
        (0xC020660B, "FS_IOC_FIEMAP"),
        (0x80044D0D, "MIXER_READ(13) or OTPSELECT"),
        (0x80804507, "EVIOCGPHYS(128)"),
        (0x8018454E, "EVIOCGABS(0xe /* ABS_??? */)"),
        (0x401845F5, "EVIOCSABS(ABS_MT_POSITION_X)"),
        (0x80084521, "EVIOCGBIT(EV_KEY, 8)"),
        (0x80084520, "EVIOCGBIT(0, 8)"),
        (0x80084812, "HIDIOCGPHYS(8)"),
        (0x80082102, "SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR"),
        (0x12345678, "_IOC(_IOC_NONE, 0x56, 0x78, 0x1234)"),
    ],
)
def test_a_command_has_all_its_names(command: int, name: str) -> None:
    assert text(command, 1).split(", ", 1)[1].startswith(name)
    raw = text(command, 1, options=Options(constants="raw"))
    assert raw.split(", ")[1] == f"{command:#x}"


def test_a_number_within_a_comment_has_no_comment_of_its_own() -> None:
    assert text(0x8018454E, 0, options=Options(constants="verbose")) == "-1, 0x8018454e /* EVIOCGABS(0xe) */, NULL"


def test_every_struct_has_the_size_that_its_command_has() -> None:
    checked = 0
    for line in lines():
        word = line.words[2].what if line.name == "ioctl" and line.selector else ""
        if word not in SIZES or SIZES[word] == 1 or word in OTHER_SIZES or word.startswith(("ioctl_", "boxed_")):
            continue
        for number in (NUMBERS[name] for name in line.selector.split(",")):
            if number >= BEFORE_HEADERS and line.words[2].direction:
                assert number >> 16 & 0x3FFF == SIZES[word], line.selector
                checked += 1
    assert checked > 60


@pytest.mark.parametrize(
    ("name", "data", "shown"),
    [
        ("FS_IOC_SETFSLABEL", b"btrfs-label".ljust(256, b"\0"), '"btrfs-label"'),
        ("FS_IOC_SETFSLABEL", b"f" * 256, f'"{"f" * 32}"...'),
        (
            "FITRIM",
            struct.pack("<QQQ", 0xDEADBEEF, 18072662651678146782, 5),
            "{start=0xdeadbeef, len=18072662651678146782, minlen=5}",
        ),
        (
            "FS_IOC_FIEMAP",
            struct.pack("<QQIIII", 1, 2, 7, 0, 9, 0),
            "{fm_start=1, fm_length=2, fm_flags=FIEMAP_FLAG_SYNC|FIEMAP_FLAG_XATTR|FIEMAP_FLAG_CACHE, fm_extent_count=9}",
        ),
        ("FS_IOC_SETFLAGS", struct.pack("<I", 0x1000), "[FS_INDEX_FL]"),
        ("FS_IOC32_SETFLAGS", struct.pack("<I", 0xD000000), "[0xd000000 /* FS_???_FL */]"),
        (
            "HDIO_DRIVE_CMD",
            bytes((0xCA, 255, 238, 1)),
            "{command=ATA_CMD_WRITE, sector_number=255, feature=238, sector_count=1}",
        ),
        ("HDIO_DRIVE_RESET", struct.pack("<3I", 0xDEADBEEF, 0xAA, 0), "[0xdeadbeef, 0xaa, 0]"),
        (
            "MEMWRITEOOB",
            struct.pack("<IIQ", 0x83828180, 0x87868584, 0),
            "{start=0x83828180, length=0x87868584, ptr=NULL}",
        ),
        ("MEMGETREGIONINFO", struct.pack("<4I", 1, 2, 3, 0x8F), "{regionindex=0x8f}"),
        ("OTPSELECT", struct.pack("<I", 0), "[MTD_OTP_OFF]"),
        (
            "RTC_SET_TIME",
            struct.pack("<9i", -1, 2, 3, 4, 5, 6, 7, 8, 9),
            "{tm_sec=-1, tm_min=2, tm_hour=3, tm_mday=4, tm_mon=5, tm_year=6, ...}",
        ),
        (
            "RTC_PARAM_SET",
            struct.pack("<QQII", 1, 2**64 - 1337, 66, 0),
            "{param=RTC_PARAM_CORRECTION, svalue=-1337, index=66}",
        ),
        (
            "RTC_PARAM_SET",
            struct.pack("<QQII", 0, 0xBEEF00, 0, 1),
            "{param=RTC_PARAM_FEATURES, uvalue=0xbeef00 /* 1<<RTC_FEATURE_??? */, index=0, __pad=0x1}",
        ),
        (
            "RTC_PARAM_GET",
            struct.pack("<QQII", 3, 0, 0, 0),
            f"{{param=0x3 /* RTC_PARAM_??? */, index=0}} => {POINTER:#x}",
        ),
        ("PTP_SYS_OFFSET", struct.pack("<4I", 13, 0xBADFACED, 0, 0), "{n_samples=13, rsv=[0xbadfaced, 0, 0]}"),
        (
            "PTP_PEROUT_REQUEST2",
            struct.pack("<qIIqIIIIIIII", 4886718345, 123456789, 0, 1, 0, 0x8B, 3, 0, 0, 0xAB, 0, 0),
            (
                "{start={sec=4886718345, nsec=123456789} /* 2124-11-08T05:45:45.123456789+0000 */, "
                "period={sec=1, nsec=0, reserved=0x8b}, index=3, flags=0, rsv=[0, 0xab, 0, 0]}"
            ),
        ),
        (
            "PTP_PEROUT_REQUEST",
            struct.pack("<qIIqIIIIqII", 1, 10**9, 0, 1, 0, 0, 3, 6, -1, 2, 0),
            (
                "{phase={sec=1, nsec=1000000000}, period={sec=1, nsec=0}, index=3, "
                "flags=PTP_PEROUT_DUTY_CYCLE|PTP_PEROUT_PHASE, on={sec=-1, nsec=2}}"
            ),
        ),
        ("EVIOCSKEYCODE", struct.pack("<II", 7, 1), "[7, KEY_ESC]"),
        ("EVIOCSKEYCODE_V2", bytes((128, 129)) + bytes(38), "{flags=128, len=129, ...}"),
        (
            "EVIOCSFF",
            struct.pack("<HhH", 0x52, -31870, 34180) + bytes(42),
            "{type=FF_CONSTANT, id=-31870, direction=34180, ...}",
        ),
        ("RNDADDENTROPY", struct.pack("<ii8s", 3, 8, b"12345678"), '{entropy_count=3, buf_size=8, buf="12345678"}'),
        ("SG_SCSI_RESET", struct.pack("<I", 0x100), "[SG_SCSI_RESET_NO_ESCALATE|SG_SCSI_RESET_NOTHING]"),
        ("PERF_EVENT_IOC_QUERY_BPF", struct.pack("<II", 5, 0), "{ids_len=5, ...}"),
        (
            "SECCOMP_IOCTL_NOTIF_SEND",
            struct.pack("<QqiI", 0xDEAD, -5, -63, 1),
            "{id=0xdead, val=-5, error=-ENOSR, flags=SECCOMP_USER_NOTIF_FLAG_CONTINUE}",
        ),
        (
            "UFFDIO_REGISTER",
            struct.pack("<QQQQ", 0, 0x1000, 1, 0),
            "{range={start=0, len=0x1000}, mode=UFFDIO_REGISTER_MODE_MISSING}",
        ),
    ],
)
def test_what_a_command_was_given(name: str, data: bytes, shown: str) -> None:
    assert given(name, data) == shown


def test_a_null_pointer_is_named_and_a_null_number_is_not() -> None:
    assert text(NUMBERS["FITRIM"], 0).endswith(", FITRIM, NULL")
    assert text(NUMBERS["VIDIOC_QUERYCAP"], 0).endswith(", VIDIOC_QUERYCAP, NULL")
    assert text(NUMBERS["TEE_IOC_CANCEL"], 0).endswith(", TEE_IOC_CANCEL, NULL")
    assert text(NUMBERS["FS_IOC_GETFSLABEL"], 0).endswith(", FS_IOC_GETFSLABEL, NULL")
    assert text(NUMBERS["PTP_ENABLE_PPS"], 0).endswith(", PTP_ENABLE_PPS, 0")
    assert text(NUMBERS["VT_OPENQRY"], 0).endswith(", VT_OPENQRY, 0")


def test_flags_of_an_int_have_its_width() -> None:
    shown = text(NUMBERS["PERF_EVENT_IOC_RESET"], 0xDEADBEEFBADC0DED)
    assert shown.endswith(", PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP|0xbadc0dec")


def test_what_a_command_stored_is_shown_once_it_has_succeeded() -> None:
    before, after = struct.pack("<QQQ", 0xAA, 0, 0), struct.pack("<QQQ", 0xAA, 2, 1)
    both = (POINTER, item(before), item(after, out=True))
    assert text(NUMBERS["UFFDIO_API"], both, 0).endswith(
        "{api=0xaa, features=0 => features=UFFD_FEATURE_EVENT_FORK, ioctls=1<<_UFFDIO_REGISTER}"
    )
    assert text(NUMBERS["UFFDIO_API"], both, -22).endswith("{api=0xaa, features=0}")


def test_the_key_of_a_loop_device_is_neither_captured_nor_shown() -> None:
    captured = struct.pack("<5Q4I64s64s", 1, 2, 3, 4, 5, 6, 1, 32, 1, b"A" * 64, b"xor")
    assert len(captured) == SIZES["loop_info64"]  # lo_encrypt_key follows in linux/loop.h
    assert given("LOOP_SET_STATUS64", captured) == (
        f'{{lo_offset=0x4, lo_number=6, lo_encrypt_type=LO_CRYPT_XOR, lo_flags=LO_FLAGS_READ_ONLY, lo_file_name="{"A" * 63}"..., ...}}'
    )


@pytest.mark.parametrize("size", [0, 1, 4, 7])
def test_a_struct_that_was_cut_is_no_error(size: int) -> None:
    for line in lines():
        if line.name == "ioctl" and line.selector:
            for name in line.selector.split(","):
                for result in (-9, 0):
                    text(NUMBERS[name], (POINTER, item(bytes(size)), item(bytes(size), out=True)), result)


@pytest.mark.parametrize("line", ["a:u12z", "a=5", "a:q8", "name"])
def test_a_malformed_description_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="field"):
        parse(line)
