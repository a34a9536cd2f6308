# SPDX-License-Identifier: Apache-2.0
"""A snapshot of an arm64 machine is read with arm64's numbers, flags and layouts on every machine."""

from __future__ import annotations

from dataclasses import replace
from struct import pack

import pytest
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import AARCH64
from traceloop_decode.text import jsonl, short, strace

AT_FDCWD = -100 & (1 << 64) - 1
NUMBERS = {call.name: number for number, call in AARCH64.table().items()}


def line(nr, *registers, result=0, items=b"", out=b"", arch="aarch64", compat=False):
    """Returns the line of `strace` for one call, without the padding."""
    ring = RingWriter()
    short_nr = nr | len(registers) << layout.NR_ARGS_SHIFT | (layout.NR_COMPAT if compat else 0)
    ring.record(
        0, 7, layout.TYPE_ENTER, short_nr, bytes(layout.ROOM.size) + pack(f"<{len(registers)}Q", *registers) + items
    )
    ring.record(0, 7, layout.TYPE_EXIT, nr | (layout.NR_COMPAT if compat else 0), pack("<q", result) + out)
    snapshot = Snapshot.decode(replace(ring.snapshot(), arch=arch).encode())
    (text,) = strace.lines(events(snapshot), snapshot)
    return " ".join(text.split()).removeprefix("7 ")


def string(index, text):
    return item(index, layout.KIND_STRING, text)


def output(index, data):
    return item(index, layout.KIND_BUFFER, data, flags=layout.ITEM_OUT)


def test_numbers_are_arm64s():
    path = string(1, b"/etc/hosts")
    assert line(56, AT_FDCWD, 1, 0, 0, result=3, items=path) == 'openat(AT_FDCWD, "/etc/hosts", O_RDONLY) = 3'
    assert line(172, result=7) == "getpid() = 7"
    assert line(56, 1, 2, 3, 4, 5, arch="x86_64").startswith("clone(")


def test_numbers_of_32_bit_programs_are_arms():
    path = string(0, b"/etc/hosts")
    assert line(5, 1, 0, 0, result=3, items=path, compat=True) == 'open("/etc/hosts", O_RDONLY) = 3'
    assert line(180, 3, 0x1000, 5, 0, 16, 0, compat=True) == "pread64(3, 0x1000, 5, 0, 16, 0) = 0"


def test_an_architecture_that_is_not_known_has_numbers_alone():
    assert line(56, 1, 0x20, arch="riscv64") == "syscall_0x38(0x1, 0x20) = 0"
    assert line(56, 1, 0x20, arch="riscv64", compat=True) == "syscall_0x38(0x1, 0x20) = 0"


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (0o40000, "O_RDONLY|O_DIRECTORY"),
        (0o100000, "O_RDONLY|O_NOFOLLOW"),
        (0o200001, "O_WRONLY|O_DIRECT"),
        (0o400002, "O_RDWR|O_LARGEFILE"),
        (0o2000000, "O_RDONLY|O_CLOEXEC"),
        (0o20040002, "O_RDWR|O_TMPFILE, 000"),
    ],
)
def test_open_flags(flags, text):
    assert line(NUMBERS["openat"], 3, 1, flags, 0, items=string(1, b"f")) == f'openat(3, "f", {text}) = 0'


def test_flags_of_other_calls_on_descriptors():
    assert line(NUMBERS["fcntl"], 3, 3, 0, result=0o400002) == "fcntl(3, F_GETFL) = 0x20002 (flags O_RDWR|O_LARGEFILE)"
    assert line(NUMBERS["pipe2"], 0, 0o200000, result=-14) == "pipe2(NULL, O_DIRECT) = -1 EFAULT (Bad address)"


def test_mmap_has_no_flag_for_the_first_2_gib():
    shown = line(NUMBERS["mmap"], 0, 4096, 0x13, 0x62, (1 << 64) - 1, 0, result=-22)
    assert shown == (
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE|PROT_BTI, MAP_PRIVATE|MAP_ANONYMOUS|0x40, -1, 0) "
        "= -1 EINVAL (Invalid argument)"
    )


def test_clone_has_its_last_two_arguments_the_other_way_round():
    flags = 0x80000 | 0x200000 | 17
    shown = (
        "clone(child_stack=NULL, flags=CLONE_SETTLS|CLONE_CHILD_CLEARTID|SIGCHLD, tls=0x7000, child_tidptr=0x9000) = 8"
    )
    assert line(NUMBERS["clone"], flags, 0, 0, 0x7000, 0x9000, result=8) == shown
    assert line(56, flags, 0, 0, 0x9000, 0x7000, result=8, arch="x86_64") == shown


def test_stat():
    # asm-generic/stat.h
    data = pack("<QQIIIIQQqiiqqQqQqQ8x", 0x801, 5, 0o100644, 1, 10, 20, 0, 0, 59, 4096, 0, 8, 1, 0, 2, 0, 3, 0)
    assert len(data) == 128
    shown = line(NUMBERS["fstat"], 3, 0x1000, out=output(1, data))
    assert shown == "fstat(3, {st_mode=S_IFREG|0644, st_size=59, ...}) = 0"
    device = pack("<QQIIIIQQqiiqqQqQqQ8x", 6, 5, 0o20666, 1, 0, 0, 0x103, 0, 0, 4096, 0, 0, 1, 0, 2, 0, 3, 0)
    shown = line(NUMBERS["newfstatat"], 3, 1, 0x1000, 0, items=string(1, b"null"), out=output(2, device))
    assert shown == 'newfstatat(3, "null", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}, 0) = 0'


def test_epoll_events_are_not_packed():
    two = pack("<I4xQI4xQ", 1, 4660, 4, 5)
    shown = line(NUMBERS["epoll_pwait"], 3, 0x1000, 4, -1 & (1 << 64) - 1, 0, 8, result=2, out=output(1, two))
    assert shown == (
        "epoll_pwait(3, [{events=EPOLLIN, data={u32=4660, u64=4660}}, {events=EPOLLOUT, data={u32=5, u64=5}}], 4, -1, "
        "NULL, 8) = 2"
    )
    change = item(3, layout.KIND_BUFFER, pack("<I4xQ", 1, 7))
    shown = line(NUMBERS["epoll_ctl"], 3, 1, 4, 0x1000, items=change)
    assert shown == "epoll_ctl(3, EPOLL_CTL_ADD, 4, {events=EPOLLIN, data={u32=7, u64=7}}) = 0"


def test_semaphores():
    # asm-generic/ipcbuf.h, asm-generic/sembuf.h
    data = pack("<iIIIIIHxx4xQQqqQQQ", 7, 0, 0, 0, 0, 0o600, 0, 0, 0, 11, 22, 3, 0, 0)
    shown = line(NUMBERS["semctl"], 5, 0, 2, 0x1000, out=output(3, data))
    assert "sem_otime=11, sem_ctime=22, sem_nsems=3}" in shown


def test_ptrace_has_no_request_that_is_x86s():
    assert line(NUMBERS["ptrace"], 12, 5, 0, 0x1000) == "ptrace(0xc /* PTRACE_??? */, 5, NULL, 0x1000) = 0"
    assert line(NUMBERS["ptrace"], 3, 5, 8, 0).startswith("ptrace(PTRACE_PEEKUSER, 5, 0x8, ")


def test_a_call_that_seccomp_refused():
    # si_call_addr, si_syscall, si_arch of linux/audit.h
    for arch, name in ((0xC00000B7, "__NR_openat"), (0x40000028, "56"), (0xC000003E, "56")):
        data = pack("<iii4xQII", 31, 0, 1, 0x1000, 56, arch).ljust(48, b"\0")
        ring = RingWriter()
        ring.record(0, 7, layout.TYPE_SIGNAL, 31, layout.SIGNAL.pack(data, 0, 0))
        snapshot = replace(ring.snapshot(), arch="aarch64")
        for output in (strace, short):
            (text,) = output.lines(events(snapshot), snapshot)
            assert f"si_syscall={name}, si_arch=AUDIT_ARCH_" in text


def test_the_other_formats_have_the_same_names():
    ring = RingWriter()
    ring.enter(0, 7, 57, 3)
    ring.exit(0, 7, 57, 0)
    snapshot = replace(ring.snapshot(), arch="aarch64")
    assert [text.partition("] ")[2] for text in short.lines(events(snapshot), snapshot)] == ["close(fd=3) = 0"]
    (text,) = jsonl.lines(events(snapshot), snapshot)
    assert '"syscall":"close"' in text
