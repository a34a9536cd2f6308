# SPDX-License-Identifier: Apache-2.0
"""Arguments whose memory could be read in part, as strace 6.1 prints them; lines of its own tests, with other addresses."""

from __future__ import annotations

import pytest
from madeevents import NUMBERS, call, item, string

from traceloop_decode import layout
from traceloop_decode.arguments.capture import calls_table
from traceloop_decode.model import Arg, Call
from traceloop_decode.printers import core
from traceloop_decode.syscalls import table
from traceloop_decode.values.options import Options

AT = 0x7F0000000000
PATH_MAX = 4096


def made(name: str, *values: int | tuple[object, ...], result: int = -14) -> Call:
    """A call of registers, or of registers with items."""
    params = table(compat=False)[NUMBERS[name]].params
    arguments = []
    for (param, ctype), value in zip(params, values, strict=True):
        raw, *items = value if isinstance(value, tuple) else (value,)
        arguments.append(Arg(param, ctype, raw & (1 << 64) - 1, tuple(items)))
    return call(name, arguments, result)


def printed(name: str, *values: int | tuple[object, ...], result: int = -14, **options: object) -> str:
    of = made(name, *values, result=result)
    return ", ".join(core.printer_of(of).args(core.view_of(of, Options(**options))))


def words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def test_an_array_ends_with_the_address_of_what_could_not_be_read():
    groups = item(words(1, 2), size=12, fault=True)
    assert printed("setgroups", 3, (AT, groups)) == f"3, [1, 2, ... /* {AT + 8:#x} */]"
    assert printed("setgroups", 3, (AT, item(b"", size=12, fault=True))) == f"3, {AT:#x}"
    assert printed("setgroups", 2, (AT, item(words(1, 0xFFFFFFFF)))) == "2, [1, -1]"


@pytest.mark.parametrize(
    ("readable", "end"),
    [
        (2, f", ... /* {AT + 8:#x} */"),  # the third is looked at, although it would not be shown
        (3, ", ..."),
    ],
)
def test_an_array_is_cut_where_more_could_be_read(readable, end):
    groups = item(words(1, 2, 3)[: 4 * readable], size=16, fault=True)
    assert printed("setgroups", 4, (AT, groups), string_max=2) == f"4, [1, 2{end}]"


def test_two_times_are_both_there_or_neither():
    times = item(bytes(16), size=32, fault=True)
    assert printed("utimensat", -100, (AT, string(b"f")), (AT, times), 0) == f'AT_FDCWD, "f", {AT:#x}, 0'


def test_a_struct_that_could_be_read_in_part_is_an_address():
    part = item(bytes(8), size=16, fault=True)
    assert printed("clock_settime", 0, (AT, part)) == f"CLOCK_REALTIME, {AT:#x}"
    whole = item((-1).to_bytes(8, "little", signed=True) + bytes(8))
    assert printed("clock_settime", 0, (AT, whole)) == "CLOCK_REALTIME, {tv_sec=-1, tv_nsec=0}"


def test_what_cannot_be_read_after_an_extensible_struct():
    def opened(how: object, size: int) -> str:
        return printed("openat2", -1, (AT, string(b"f")), (AT, how), size)

    assert opened(item(bytes(24), size=32, fault=True), 32) == '-1, "f", {flags=O_RDONLY, resolve=0, ???}, 32'
    assert opened(item(bytes(32)), 32) == '-1, "f", {flags=O_RDONLY, resolve=0}, 32'
    longer = item(bytes(24) + b"\1" + bytes(7))
    shown = r'"\x01\x00\x00\x00\x00\x00\x00\x00"'
    assert opened(longer, 32) == f'-1, "f", {{flags=O_RDONLY, resolve=0, /* bytes 24..31 */ {shown}}}, 32'
    assert opened(item(bytes(16), size=24, fault=True), 24) == f'-1, "f", {AT:#x}, 24'


@pytest.mark.parametrize(
    ("readable", "shown"),
    [(32, f"{AT:#x}"), (33, '"' + 32 * "n" + '"...')],
)
def test_a_string_that_ends_with_its_memory_needs_a_byte_more_than_is_shown(readable, shown):
    assert printed("delete_module", (AT, string(readable * b"n", fault=True)), 0) == f"{shown}, 0"


@pytest.mark.parametrize(
    ("readable", "shown"),
    [(PATH_MAX - 1, f"{AT:#x}"), (PATH_MAX, '"' + (PATH_MAX - 1) * "n" + '"...')],
)
def test_a_path_that_ends_with_its_memory(readable, shown):
    assert printed("chdir", (AT, string(readable * b"n", fault=True))) == shown


def test_bytes_that_end_with_their_memory():
    assert printed("write", 1, (AT, item(b"abc", size=9, fault=True)), 9) == f"1, {AT:#x}, 9"
    assert printed("write", 1, (AT, item(33 * b"a", size=99, fault=True)), 99) == f'1, "{32 * "a"}"..., 99'


def test_flags_are_as_wide_as_their_type():
    assert printed("dup3", 3, 4, 0xFFFFFFFF00000000 | 0o4000) == "3, 4, O_NONBLOCK"
    assert printed("unshare", 0xBADC0DED0000000F) == "0xbadc0ded0000000f /* CLONE_??? */"
    assert printed("pkey_mprotect", 0, 0, 0xDEADFEED00CA7500, 0) == "NULL, 0, 0xdeadfeed00ca7500 /* PROT_??? */, 0"


def test_a_count_is_taken_from_the_lower_half_where_it_is_an_int():
    packed, _ = calls_table(256, 1024)

    def length(name: str) -> int:
        rules = packed[NUMBERS[name] * layout.CALL_SIZE + layout.CALL_HEAD.size :]
        return layout.RULE.unpack_from(rules)[2]

    assert length("setgroups") == 0 | layout.LENGTH_INT  # int gidsetsize
    assert length("poll") == 1 | layout.LENGTH_INT
    assert length("write") == 2  # size_t count


def test_the_kernel_takes_a_limited_part_of_some_strings():
    assert printed("reboot", 0, 0, 0xA1B2C3D4, (AT, string(255 * b"n")), string_max=300).endswith(f'"{255 * "n"}"...')
    assert printed("memfd_create", (AT, string(300 * b"n")), 0, string_max=256) == f'"{250 * "n"}"..., 0'


def test_times_and_sizes_keep_their_sign():
    seconds, fraction = (-1).to_bytes(8, "little", signed=True), (2**64 - 1).to_bytes(8, "little")
    usage = item(2 * (seconds + fraction) + 14 * fraction, out=True)
    shown = printed("getrusage", 0, (AT, usage), result=0, verbose=True)
    assert "ru_utime={tv_sec=-1, tv_usec=18446744073709551615}" in shown
    assert "ru_maxrss=18446744073709551615" in shown


def test_nodes_are_one_bit_less_than_the_call_says():
    nodes = item(bytes(16))
    assert printed("set_mempolicy", 0, (AT, nodes), 65) == "MPOL_DEFAULT, [0000000000000000], 65"
    assert printed("set_mempolicy", 0, (AT, nodes), 66).count("0000000000000000") == 2


def test_the_first_version_of_capabilities_is_half_as_long():
    header = item(words(0x19980330, 0))
    data = item(words(1 << 1, 1 << 2, 0), size=24, fault=True)
    shown = "{effective=1<<CAP_DAC_OVERRIDE, permitted=1<<CAP_DAC_READ_SEARCH, inheritable=0}"
    assert printed("capset", (AT, header), (AT, data)) == f"{{version=_LINUX_CAPABILITY_VERSION_1, pid=0}}, {shown}"
    third = item(words(0x20080522, 0))
    assert printed("capset", (AT, third), (AT, data)).endswith(f", {AT:#x}")


def test_bpf_says_how_much_of_its_information_was_filled_in():
    before, after = item(words(4, 152, 0, 1)), item(words(4, 104, 0, 1), out=True)
    shown = "{info={bpf_fd=4, info_len=152 => 104, info=0x100000000}}"
    assert printed("bpf", 15, (AT, before, after), 16, result=0) == f"BPF_OBJ_GET_INFO_BY_FD, {shown}, 16"
    assert printed("bpf", 0, (AT, item(bytes(20), size=36, fault=True)), 36) == f"BPF_MAP_CREATE, {AT:#x}, 36"


def test_a_shift_is_a_constant_too():
    raw = 21 << 26 | 0o125
    assert printed("shmget", 7, 1, raw) == "0x7, 1, 21<<SHM_HUGE_SHIFT|0125"
    assert printed("shmget", 7, 1, raw, constants="raw") == "0x7, 1, 21<<26|0125"
    assert printed("shmget", 7, 1, raw, constants="verbose") == "0x7, 1, 21<<26 /* SHM_HUGE_SHIFT */|0125"
