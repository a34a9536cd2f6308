# SPDX-License-Identifier: Apache-2.0
"""Arguments with values at the edge, as strace 6.1 prints them: its lines for the same registers and memory."""

from __future__ import annotations

from struct import pack

import pytest
from madeevents import call, item

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers import core
from traceloop_decode.syscalls import ARM, I386, X86_64
from traceloop_decode.values.options import Options

AT = 0x20000000


def printed(name: str, *values: int | tuple[int | Item, ...], result: int = 0, compat: bool = False, **more) -> str:
    """Prints a call of a 64-bit or 32-bit program: each argument is a register, or a register and its memory."""
    abi = I386 if compat else X86_64
    number = next(number for number, syscall in abi.table().items() if syscall.name == name)
    pairs = [value if isinstance(value, tuple) else (value,) for value in values]
    items = {n: tuple(its) for n, (_, *its) in enumerate(pairs) if its}
    registers = tuple(raw for raw, *_ in pairs)
    made = call(name, (), result)._replace(abi=abi, number=number, registers=registers, items=items)
    view = core.view_of(made, Options(**more))
    printer = core.printer_of(made)
    return f"{', '.join(printer.args(view))} = {printer.result(view)}"


def statx(mask: int) -> Item:
    head = pack("<IIQIIIH2xQQQQ", mask, 512, 0, 3, 2**32 - 1, 5, 0o100644, 7, 8, 9, 0)
    return item(head.ljust(256, b"\0"), out=True)


@pytest.mark.parametrize(
    ("mask", "verbose", "fields"),
    [
        (0x7FF, False, "stx_attributes=0, stx_mode=S_IFREG|0644, stx_size=8, ..."),
        (0x2, False, "stx_attributes=0, stx_mode=S_IFREG|0644, ..."),
        (0x200, False, "stx_attributes=0, stx_size=8, ..."),
        (0, False, "stx_attributes=0, ..."),
        (0x18, True, "stx_blksize=512, stx_attributes=0, stx_uid=-1, stx_gid=5, stx_attributes_mask=0, "),
        (0x105, True, "stx_blksize=512, stx_attributes=0, stx_nlink=3, stx_mode=S_IFREG|0644, stx_ino=7, stx_attr"),
        (0x400, True, "stx_blksize=512, stx_attributes=0, stx_blocks=9, stx_attributes_mask=0, "),
    ],
)
def test_statx_shows_only_what_the_kernel_filled_in(mask, verbose, fields):
    text = printed("statx", 3, 0, 0, 0, (AT, statx(mask)), verbose=verbose)
    assert f", {fields}" in text


def user_desc(base: int, limit: int) -> Item:
    return item(pack("<4I", 12, base, limit, 0x51))


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("mknod", (0, 0o1013, 0), "NULL, S_ISVTX|013 = 0"),
        ("mknodat", (3, 0, 0o4000, 0), "3, NULL, S_ISUID|000 = 0"),
        ("mknod", (0, 0o644, 0), "NULL, 0644 = 0"),
        (
            "mq_getsetattr",
            (3, (AT, item(pack("<4q", 1 << 32 | 0o4000, 1, 2, 3))), 0),
            "mq_flags=O_NONBLOCK|0x100000000",
        ),
        ("timer_create", (0, (AT, item(pack("<QiiQQ", 0, -1, 0, 0, 0).ljust(64, b"\0"))), 0), "sigev_signo=-1, "),
        ("modify_ldt", (1, (AT, user_desc(1, 0x10)), 16), "base_addr=0x000001, limit=0x000010, "),
        ("modify_ldt", (1, (AT, user_desc(0x12345678, 0)), 16), "base_addr=0x12345678, limit=00000000, "),
        ("membarrier", (8, 0x2, 12), "MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0x2 /* MEMBARRIER_CMD_FLAG_??? */ = 0"),
        ("membarrier", (8, 0x3, 12), "MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_FLAG_CPU|0x2, 12 = 0"),
        ("io_destroy", (0,), "NULL = 0"),
        ("io_getevents", (0, 1, 2, 0, 0), "NULL, 1, 2, NULL, NULL = 0"),
        ("epoll_ctl", (3, 1, 4, (AT, item(b"12345678", size=12, fault=True))), f"EPOLL_CTL_ADD, 4, {AT:#x} = 0"),
        ("mincore", (AT, 0, (AT, item(b"", out=True))), f"{AT:#x}, 0, [] = 0"),
        ("ptrace", (16 | 1 << 32, 7, 0x10, 0x20), "0x100000010 /* PTRACE_??? */, 7, 0x10, 0x20 = 0"),
    ],
)
def test_a_call(name, values, text):
    assert text in printed(name, *values)


def sigevent_32(attributes: int) -> Item:
    return item(pack("<Iii2I", 7, 0, 2, 0x8000, attributes).ljust(64, b"\0"))


def flock_32(kind: int, start: int, length: int) -> Item:
    """A struct flock64 of i386, whose numbers follow each other without a gap."""
    return item(pack("<hhqqi", kind, 0, start, length, 0))


QUEUED = pack("<iii", 10, 0, -1) + pack("<iIi", 5, 6, -1)


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("setuid32", (65535,), "65535 = 0"),
        ("setuid", (0xFFFF,), "-1 = 0"),
        ("setgid", (0x10001,), "1 = 0"),
        ("setreuid", (0xFFFF, 1000), "-1, 1000 = 0"),
        ("setresgid", (0xFFFFFFFF, 1, 0x8000FFFE), "-1, 1, 65534 = 0"),
        ("setfsuid", (0xFFFF,), "-1 = 0"),
        ("chown", (0, 0xFFFF, 0x10005), "NULL, -1, 5 = 0"),
        ("lchown", (0, 0, 0xFFFF), "NULL, 0, -1 = 0"),
        ("fchown", (3, 0xFFFF, 1), "3, -1, 1 = 0"),
        ("fchownat", (3, 0, 0xFFFF, 1, 0), "3, NULL, 65535, 1, 0 = 0"),
        (
            "fcntl64",
            (3, 37, (AT, flock_32(1, 1 << 32, 1 << 33))),
            "F_WRLCK, l_whence=SEEK_SET, l_start=4294967296, l_len=8589934592}",
        ),
        (
            "fcntl64",
            (3, 13, (AT, flock_32(1, 1 << 32, 1 << 33))),
            "F_SETLK64, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=4294967296, l_len=8589934592}",
        ),
        (
            "fcntl64",
            (3, 6, (AT, item(pack("<hhiii", 1, 0, 5, 6, 7)))),
            "F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=5, l_len=6}",
        ),
        ("fcntl", (3, 13, (AT, flock_32(1, 2, 3))), f"3, F_SETLK64, {AT:#x} = 0"),
        (
            "fcntl",
            (3, 37, (AT, flock_32(1, 2, 3))),
            "F_OFD_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=2, l_len=3}",
        ),
        ("fanotify_mark", (3, 1, 2, 1 << 31, 5, 0), "3, FAN_MARK_ADD, FAN_MODIFY|0x8000000000000000, 5, NULL = 0"),
        ("mq_notify", (3, (AT, sigevent_32(0x100))), "sigev_notify_function=0x8000, sigev_notify_attributes=0x100}"),
        ("rt_sigqueueinfo", (5, 10, (AT, item(QUEUED.ljust(128, b"\0")))), "si_int=-1, si_ptr=0xffffffff}"),
    ],
)
def test_a_call_of_a_32_bit_program(name, values, text):
    assert text in printed(name, *values, compat=True)


def ifreq(kind: int) -> Item:
    return item(b"eth0".ljust(16, b"\0") + pack("<H", kind) + bytes(range(1, 23)))


def statfs(magic: int, flags: int) -> Item:
    return item(pack("<7QII3Q", magic, 1, 2, 3, 4, 5, 6, 7, 8, 255, 1, flags).ljust(120, b"\0"), out=True)


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("ioctl", (3, 0x8924, (AT, ifreq(1))), "ifr_hwaddr={sa_family=ARPHRD_ETHER, sa_data=01:02:03:04:05:06}}"),
        ("ioctl", (3, 0x8924, (AT, ifreq(768))), "ifr_hwaddr={sa_family=ARPHRD_TUNNEL, sa_data=01:02:03:04}}"),
        ("ioctl", (3, 0x8924, (AT, ifreq(32))), "sa_data=01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e}}"),
        ("statfs", (0, (AT, statfs(0x2FC12FC1, 0x21))), "{f_type=0x2fc12fc1, f_bsize=1, "),
        ("statfs", (0, (AT, statfs(0xEF53, 0x21))), "{f_type=EXT2_SUPER_MAGIC, f_bsize=1, "),
        ("statfs", (0, (AT, statfs(0xEF53, 0x21))), ", f_frsize=1, f_flags=ST_VALID|ST_RDONLY}"),
        ("statfs", (0, (AT, statfs(0xEF53, 0x1))), ", f_frsize=1}"),
        ("sendto", (3, (AT, item(b"qqqq", size=29, fault=True)), 29, 0, 0, 0), f"3, {AT:#x}, 29, 0, NULL, 0 = 0"),
        ("getsockopt", (3, 0x10, 2**32 - 4095, 0, 0), "3, 0x10 /* SOL_?? */, 4294963201, NULL, NULL = 0"),
        ("timer_create", (0, (AT, item(pack("<Qii", 0, -1, 1).ljust(64, b"\0"))), 0), "sigev_signo=4294967295, "),
    ],
)
def test_what_a_struct_says_of_itself(name, values, text):
    assert text in printed(name, *values)


def cut(data: bytes, size: int) -> Item:
    return item(data, size=size, fault=True)


TYPED = pack("<q", 5) + b"qqqqqqqq"


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("msgsnd", (1, (AT, cut(TYPED[:12], 24)), 16, 0), f"1, {AT:#x}, 16, 0 = 0"),
        ("msgsnd", (1, (AT, cut(TYPED, 24)), 16, 0), f"1, {{mtype=5, mtext={AT + 8:#x}}}, 16, 0 = 0"),
        ("msgsnd", (1, (AT, item(TYPED)), 8, 0), '1, {mtype=5, mtext="qqqqqqqq"}, 8, 0 = 0'),
        ("msgsnd", (1, (AT, item(TYPED[:9])), 1, 0), '1, {mtype=5, mtext="q"}, 1, 0 = 0'),
        ("open_by_handle_at", (3, (AT, cut(pack("<Ii", 9, 1) + b"ab", 136)), 0), "handle_type=1, f_handle=???}"),
        (
            "open_by_handle_at",
            (3, (AT, cut(pack("<Ii", 2, 1) + b"ab", 136)), 0),
            r'handle_type=1, f_handle="\x61\x62"}',
        ),
        ("recvmsg", (3, (AT, cut(bytes(24), 56)), 0), f"3, {AT:#x}, 0 = -1"),
        ("recvmsg", (3, (AT, item(bytes(56))), 0), "3, {msg_namelen=0}, 0 = -1"),
        ("setsockopt", (3, 0x10, 26, (AT, item(b"")), 0), '3, 0x10 /* SOL_?? */, 26, "", 0 = 0'),
        ("setsockopt", (3, 1, 2, (AT, item(b"")), 0), f"3, SOL_SOCKET, SO_REUSEADDR, {AT:#x}, 0 = 0"),
    ],
)
def test_memory_that_could_be_read_in_part(name, values, text):
    assert text in printed(name, *values, result=-14 if name == "recvmsg" else 0)


def test_set_thread_area_says_which_entry_it_took():
    given, taken = (item(pack("<4I", number, 1 << 20, 0xFFFFF, 0x51), out=number == 12) for number in (2**32 - 1, 12))
    text = printed("set_thread_area", (AT, given, taken), compat=True)
    assert text.startswith("{entry_number=-1, base_addr=0x100000, limit=0x0fffff, ")
    assert text.endswith("useable=1} = 0 (entry_number=12)")


def vector_32(*, out: bool = False) -> Item:
    return item(pack("<II", 0, 0), layout.KIND_IOVEC, out=out)


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("preadv", (3, (AT, vector_32(out=True)), 1, 4, 1), "3, [{iov_base=NULL, iov_len=0}], 1, 4294967300 = 0"),
        ("pwritev", (3, (AT, vector_32()), 1, 2**31, 0), ", 1, 2147483648 = 0"),
        ("preadv2", (3, (AT, vector_32()), 1, 2**32 - 1, 2**32 - 1, 8), ", 1, -1, RWF_NOWAIT = 0"),
        ("pwritev2", (3, (AT, vector_32()), 1, 6, 2**31, 0), ", 1, -9223372036854775802, 0 = 0"),
        (
            "epoll_pwait2",
            (3, 0, 1, (AT, item(pack("<qq", 5, 7))), 0, 8),
            "1, {tv_sec=5, tv_nsec=7}, NULL, 8 = 0",
        ),
        ("futex_waitv", (0, 1, 0, (AT, item(pack("<qq", 5, 7))), 0), "1, 0, {tv_sec=5, tv_nsec=7}, CLOCK_REALTIME = 0"),
    ],
)
def test_a_64_bit_number_of_a_32_bit_program(name, values, text):
    assert text in printed(name, *values, compat=True)


def test_an_offset_in_two_registers_of_a_32_bit_program_of_arm():
    number = next(number for number, syscall in ARM.table().items() if syscall.name == "preadv2")
    made = call("preadv2", (), 0)._replace(abi=ARM, number=number, registers=(3, 0, 1, 4, 1, 8))
    args = core.printer_of(made).args(core.view_of(made, Options()))
    assert args[2:] == ["1", "4294967300", "RWF_NOWAIT"]


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("ioctl", (3, 0x8921, AT), f"SIOCGIFMTU, {AT:#x} = 0"),
        ("ioctl", (3, 0x8921, 0), "SIOCGIFMTU, NULL = 0"),
        ("ptrace", (15, 7, 0, AT), f"PTRACE_SETFPREGS, 7, {AT:#x} = 0"),
    ],
)
def test_memory_of_a_32_bit_program_of_unknown_layout_is_an_address(name, values, text):
    assert text in printed(name, *values, compat=True)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (0, "FUTEX2_SIZE_U8"),
        (1, "FUTEX2_SIZE_U16"),
        (0x82, "FUTEX_32|FUTEX_PRIVATE_FLAG"),
        (3, "FUTEX2_SIZE_U64"),
    ],
)
def test_sizes_of_futexes_have_the_names_of_linux_futex_h(flags, text):
    waiter = item(pack("<QQII", 1, 2, flags, 0))
    assert f"uaddr=0x2, flags={text}}}" in printed("futex_waitv", (AT, waiter), 1, 0, 0, 0)


def test_an_address_of_a_packet_socket_is_as_long_as_the_call_says():
    head = pack("<HHiHBB", 17, 0x0608, 0, 32, 0, 20)
    for length, shown in ((32, [f"{n:#x}" for n in range(1, 21)]), (20, [f"{n:#x}" for n in range(1, 9)] + ["..."])):
        given = item((head + bytes(range(1, 21)))[:length])
        assert f"sll_halen=20, sll_addr=[{', '.join(shown)}]}}, {length} =" in printed(
            "connect", 3, (AT, given), length
        )


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (29, pack("<ii", 5, 6), "cmsg_type=SO_TIMESTAMP_OLD, cmsg_data={tv_sec=5, tv_usec=6}}"),
        (35, pack("<ii", -1, 7), "cmsg_type=SO_TIMESTAMPNS_OLD, cmsg_data={tv_sec=-1, tv_nsec=7}}"),
        (35, pack("<i", 1), "cmsg_type=SO_TIMESTAMPNS_OLD, cmsg_data=???}"),
        (
            37,
            pack("<6i", 1, 2, 0, 0, 5, 6),
            "cmsg_data=[{tv_sec=1, tv_nsec=2}, {tv_sec=0, tv_nsec=0}, {tv_sec=5, tv_nsec=6}]",
        ),
        (64, pack("<qq", 5, 6), "cmsg_type=SO_TIMESTAMPNS_NEW, cmsg_data={tv_sec=5, tv_nsec=6}}"),
    ],
)
def test_times_in_messages_of_32_bit_programs(kind, data, text):
    control = pack("<Iii", 12 + len(data), 1, kind) + data
    head = pack("<7I", 0, 0, 0, 0, AT, len(control), 0)
    items = item(head, layout.KIND_MSG), item(control, sub=layout.SUB_CONTROL)
    assert text in printed("sendmsg", 3, (AT, *items), 0, compat=True)


def test_a_socket_filter_of_a_32_bit_program_has_a_pointer_of_four_bytes():
    program, steps = item(pack("<H2xI", 1, 0x8000)), item(pack("<HBBI", 6, 0, 0, 0x40000), sub=1)
    text = printed("setsockopt", 3, 1, 26, (AT, program, steps), 8, compat=True, verbose=True)
    assert "SO_ATTACH_FILTER, {len=1, filter=[BPF_STMT(BPF_RET|BPF_K, 0x40000)]}, 8 = 0" in text
    text = printed("setsockopt", 3, 1, 26, (AT, program), 8, compat=True)
    assert "SO_ATTACH_FILTER, {len=1, filter=0x8000}, 8 = 0" in text
