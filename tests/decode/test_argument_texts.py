# SPDX-License-Identifier: Apache-2.0
"""short and jsonl pair each argument's name with the text of its own register, however strace lays the call out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from madeevents import SNAPSHOT, bare, call

from traceloop_decode.arguments.compat import name_of
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.variants import selectors
from traceloop_decode.c_types import is_pointer, width
from traceloop_decode.model import Call
from traceloop_decode.syscalls import ABIS, I386, X86_64, Abi, Syscall
from traceloop_decode.text import jsonl, short, strace

FORK = 0x01200000 | 17  # CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD
THREAD_FLAGS = "VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID"
NUMBER = re.compile(r"-?(?:0x[0-9a-f]+|[0-9]+)")
WIDTHS = (64, 32, 16)
_I386 = {made.name: number for number, made in I386.table().items()}


def _calls(abi: Abi) -> Iterator[tuple[Syscall, tuple[int, ...]]]:
    # Each call, and each variant, with registers of which no two are alike in any width.
    for number, syscall in abi.table().items():
        name = name_of(syscall.name) if abi.compat else syscall.name
        for value in (None, *selectors(name, abi)):
            registers = [0x1F1F_2000_3000_4000 + 0x0101_0101_0101_0101 * n for n in range(1, 7)]
            if value is not None:
                registers[SELECTORS[name][0]] = value
            count = len(syscall.params) if syscall.known else 0
            narrow = [raw & 0xFFFF_FFFF if abi.compat else raw for raw in registers[:count]]
            yield syscall, (number, *narrow)


def _own(text: str, raw: int) -> bool:
    value = int(text, 8 if re.fullmatch("0[0-7]+", text) else 0)
    return any(value % (1 << bits) == raw % (1 << bits) for bits in WIDTHS)


@pytest.mark.parametrize("result", [None, 0, -22])
@pytest.mark.parametrize("abi", ABIS, ids=lambda abi: f"{abi.arch}-{64 >> abi.compat}")
def test_each_text_is_that_of_its_own_register(abi: Abi, result: int | None) -> None:
    wrong = []
    for syscall, (number, *registers) in _calls(abi):
        made = Call(5, 0, 7, 7, "sh", abi, number, syscall.name, tuple(registers), {}, result)
        (line,) = jsonl.lines(iter([made]), SNAPSHOT)
        shown = json.loads(line)["args"]
        assert [arg["name"] for arg in shown] == [param.name for param in syscall.params]
        assert [arg["raw"] for arg in shown] == registers
        wrong += [
            (syscall.name, registers, arg)
            for arg in shown
            if arg["text"] is not None
            and (
                re.match(r"\w+=", arg["text"]) or (NUMBER.fullmatch(arg["text"]) and not _own(arg["text"], arg["raw"]))
            )
        ]
    assert wrong == []


def _registers(name: str, *values: int, compat: bool = False, result: int | None = 7) -> Call:
    made = call(name, (), result)
    if compat:
        made = made._replace(abi=I386, number=_I386[name])
    return made._replace(registers=values)


def test_a_fork_in_short_names_its_own_flags() -> None:
    made = _registers("clone", FORK, 0, 0, 0x9000, 0)
    flags = "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"
    assert bare(short, made) == [f"clone(clone_flags={flags}, newsp=NULL, child_tidptr=0x9000) = 7"]
    (line,) = strace.lines(iter([made]), SNAPSHOT)
    assert line.endswith(f"clone(child_stack=NULL, flags={flags}, child_tidptr=0x9000) = 7")
    narrow = _registers("clone", FORK, 0, 0, 0, 0x9000, compat=True)
    assert bare(short, narrow) == [f"clone(clone_flags={flags}, newsp=NULL, child_tidptr=0x9000) = 7"]


def test_a_thread_in_jsonl_has_each_text_beside_its_own_register() -> None:
    flags = 0x3D0F00  # what glibc makes threads with
    (line,) = jsonl.lines(iter([_registers("clone", flags, 0x7F00, 0x8000, 0x9000, 0xA000)]), SNAPSHOT)
    shown = {arg["name"]: (arg["raw"], arg["text"]) for arg in json.loads(line)["args"]}
    assert shown == {
        "clone_flags": (
            flags,
            "|".join(f"CLONE_{flag}" for flag in THREAD_FLAGS.split()),
        ),
        "newsp": (0x7F00, "0x7f00"),
        "parent_tidptr": (0x8000, "0x8000"),
        "child_tidptr": (0x9000, "0x9000"),
        "tls": (0xA000, "0xa000"),
    }


def test_a_number_in_two_registers_is_one_in_strace_and_two_in_short() -> None:
    made = _registers("ftruncate64", 3, 5, 1, compat=True, result=0)
    (line,) = strace.lines(iter([made]), SNAPSHOT)
    assert "ftruncate64(3, 4294967301)" in line
    low, high = (param.name for param in I386.table()[_I386["ftruncate64"]].params[1:])
    assert bare(short, made) == [f"ftruncate64(fd=3, {low}=5, {high}=1) = 0"]


def test_an_offset_in_pages_is_in_bytes_in_strace_alone() -> None:
    made = _registers("mmap2", 0, 4096, 1, 2, 3, 5, compat=True, result=0x7000)
    (line,) = strace.lines(iter([made]), SNAPSHOT)
    assert "3, 0x5000)" in line
    assert "pgoff=5)" in bare(short, made)[0]


WHOLE = {("readlink", "bufsiz"), ("readlinkat", "bufsiz"), ("sysfs", "option")}
"""Arguments of type int of which strace prints the whole register."""
LOW = (0, 1, 2, 3, 0x10, 0x800, 0x80000, 0x7FFFFFFF, 0xFFFFFFFF)


def test_an_int_is_printed_without_its_registers_upper_half() -> None:
    """The kernel does not look at it, and programs may leave anything there."""
    wrong = set()
    for syscall, (number, *registers) in _calls(X86_64):
        for index, param in enumerate(syscall.params):
            if is_pointer(param.ctype) or width(param.ctype, compat=False)[0] != 32:
                continue
            for low in (registers[index] & 0xFFFFFFFF, *LOW):
                narrow, wide = list(registers), list(registers)
                narrow[index], wide[index] = low, low | 0xDEAD_BEEF_0000_0000
                first, second = (
                    Call(5, 0, 7, 7, "sh", X86_64, number, syscall.name, tuple(given), {}, 0)
                    for given in (narrow, wide)
                )
                (one,), (other,) = (list(strace.lines(iter([made]), SNAPSHOT)) for made in (first, second))
                if one != other:
                    wrong.add((syscall.name, param.name))
    assert wrong == WHOLE
