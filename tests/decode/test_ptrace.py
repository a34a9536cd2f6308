# SPDX-License-Identifier: Apache-2.0
"""Structs that ptrace takes and fills, as strace 6.1 prints them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from madeevents import POINTER, args, call, item

from traceloop_decode import layout
from traceloop_decode.arguments.secrecy import class_of
from traceloop_decode.model import Returned
from traceloop_decode.printers.core import printer_of, view_of
from traceloop_decode.syscalls import table
from traceloop_decode.values.options import Options

PARAMS = {call.name: [(param.name, param.ctype) for param in call.params] for call in table(compat=False).values()}
PLAIN = Options()
GETREGSET, SETREGSET, SYSCALL_INFO, METADATA, SETSIGINFO, PEEKSIGINFO = 0x4204, 0x4205, 0x420E, 0x420D, 0x4203, 0x4209


def text(request: int, addr: Any, data: Any, result: int = 0, options: Options = PLAIN) -> str:
    made = call("ptrace", args(PARAMS["ptrace"], request, 7, addr, data), result)
    made = made.call if isinstance(made, Returned) else made
    return ", ".join(printer_of(made).args(view_of(made, options)))


HEAD = struct.pack("<B3xIQQ", 1, 0xC000003E, 0x7F00, 0)
ENTRY = HEAD + struct.pack("<Q6Q", 80, 1, 0, 3, 4, 5, 6)
EXIT = struct.pack("<B3xIQQqB", 2, 0xC000003E, 0x7F00, 8, -2, 1)


@pytest.mark.parametrize(
    ("size", "info", "result", "shown"),
    [
        (0, b"", 80, f"{POINTER:#x}"),
        (7, ENTRY, 80, "{op=PTRACE_SYSCALL_INFO_ENTRY}"),
        (8, ENTRY, 80, "{op=PTRACE_SYSCALL_INFO_ENTRY, arch=AUDIT_ARCH_X86_64}"),
        (
            39,
            ENTRY,
            80,
            (
                "{op=PTRACE_SYSCALL_INFO_ENTRY, arch=AUDIT_ARCH_X86_64, instruction_pointer=0x7f00, "
                "stack_pointer=NULL, entry={nr=__NR_chdir}}"
            ),
        ),
        (
            99,
            ENTRY,
            80,
            (
                "{op=PTRACE_SYSCALL_INFO_ENTRY, arch=AUDIT_ARCH_X86_64, instruction_pointer=0x7f00, "
                "stack_pointer=NULL, entry={nr=__NR_chdir, args=[0x1, 0, 0x3, 0x4, 0x5, 0x6]}}"
            ),
        ),
        (
            32,
            EXIT,
            33,
            (
                "{op=PTRACE_SYSCALL_INFO_EXIT, arch=AUDIT_ARCH_X86_64, instruction_pointer=0x7f00, "
                "stack_pointer=0x8, exit={rval=-2}}"
            ),
        ),
        (
            33,
            EXIT,
            33,
            (
                "{op=PTRACE_SYSCALL_INFO_EXIT, arch=AUDIT_ARCH_X86_64, instruction_pointer=0x7f00, "
                "stack_pointer=0x8, exit={rval=-ENOENT, is_error=1}}"
            ),
        ),
    ],
)
def test_a_stop_is_shown_as_far_as_the_caller_asked(size: int, info: bytes, result: int, shown: str) -> None:
    assert text(SYSCALL_INFO, size, (POINTER, item(info[:size], out=True)), result).endswith(f", {size}, {shown}")


def test_names_follow_the_numbers_in_a_verbose_style() -> None:
    shown = text(SYSCALL_INFO, 99, (POINTER, item(ENTRY, out=True)), 80, Options(constants="verbose"))
    assert "entry={nr=80 /* __NR_chdir */, " in shown


def vector(length: int, data: bytes, *, out: bool) -> tuple[Any, ...]:
    return POINTER, item(struct.pack("<QQ", 0x10, length)), item(data, sub=1, out=out)


@pytest.mark.parametrize(
    ("request_", "kind", "memory", "shown"),
    [
        (SETREGSET, 1, vector(16, struct.pack("<QQ", 5, 0), out=False), "{iov_base={r15=0x5, r14=0}, iov_len=16}"),
        (SETREGSET, 1, vector(15, bytes(15), out=False), "{iov_base=0x10, iov_len=15}"),
        (SETREGSET, 3, vector(8, bytes(8), out=False), "{iov_base=0x10, iov_len=8}"),
        (
            SETREGSET,
            1,
            vector(224, struct.pack("<Q", 5), out=False),
            "{iov_base={r15=0x5, ...}, iov_len=224}",
        ),
        (
            SETREGSET,
            2,
            vector(16, struct.pack("<4HQ", 0x37F, 0, 0, 0, 1), out=False),
            "{iov_base={cwd=0x37f, swd=0, ftw=0, fop=0, rip=0x1}, iov_len=16}",
        ),
    ],
)
def test_registers(request_: int, kind: int, memory: tuple[Any, ...], shown: str) -> None:
    assert text(request_, kind, memory, -3).endswith(shown)


def test_the_kernel_changes_the_length_of_a_set() -> None:
    memory = (*vector(24, struct.pack("<QQ", 5, 6), out=True), item(struct.pack("<QQ", 0x10, 16), out=True))
    memory = (memory[0], memory[1], memory[3], memory[2])
    assert text(GETREGSET, 1, memory).endswith("{iov_base={r15=0x5, r14=0x6}, iov_len=24 => 16}")
    assert text(GETREGSET, 1, memory, -22).endswith("{iov_base=0x10, iov_len=24}")


def test_registers_are_payload_that_a_policy_can_leave_out() -> None:
    assert {class_of(word) for word in ("register_bytes", "user_registers", "user_fp_registers")} == {
        layout.CLASS_PAYLOAD
    }


def test_what_else_ptrace_is_given() -> None:
    fault = struct.pack("<iii4xQH", 7, -2, 4, 0xFACE, 0xDEAD).ljust(128, b"\0")
    assert "si_errno=4294967294, si_addr=0xface, si_addr_lsb=0xdead}" in text(SETSIGINFO, 0, (POINTER, item(fault)), -3)
    assert text(METADATA, 16, (POINTER, item(struct.pack("<Q", 5))), -3).endswith(", 16, {filter_off=5}")
    assert text(METADATA, 7, (POINTER, item(struct.pack("<Q", 5))), -3).endswith(f", 7, {POINTER:#x}")
    peek = (POINTER, item(struct.pack("<QII", 9, 1, 4)))
    assert text(PEEKSIGINFO, peek, 0, -3).endswith("{off=9, flags=PTRACE_PEEKSIGINFO_SHARED, nr=4}, NULL")
    assert text(0xDEADBEEFFFFFFEED, 0, 0, -3) == "0xdeadbeeffffffeed /* PTRACE_??? */, 7, NULL, NULL"
