# SPDX-License-Identifier: Apache-2.0
"""Registers of x86-64 that ptrace reads and writes: struct user_regs_struct and user_fpregs_struct of sys/user.h."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View

_WORD: Final = 8
REGISTERS: Final = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"),
    *("orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
)
"""Names in the order of struct user_regs_struct, eight bytes each."""
_GENERAL: Final = tuple((name, _WORD * n, _WORD, 1) for n, name in enumerate(REGISTERS))
# Name, offset, bytes of an element, elements.
_FLOATING: Final = (
    ("cwd", 0, 2, 1),
    ("swd", 2, 2, 1),
    ("ftw", 4, 2, 1),
    ("fop", 6, 2, 1),
    ("rip", 8, 8, 1),
    ("rdp", 16, 8, 1),
    ("mxcsr", 24, 4, 1),
    ("mxcr_mask", 28, 4, 1),
    ("st_space", 32, 4, 32),
    ("xmm_space", 160, 4, 64),
    ("padding", 416, 4, 24),
)
_Layout = tuple[tuple[str, int, int, int], ...]


def _text(layout: _Layout, data: bytes, size: int, view: View) -> str:
    # size: what the caller asks for, of which `data` may hold only the beginning.
    texts = []
    for name, at, width, count in layout:
        if at >= min(size, len(data)):
            break
        values = [data[n : n + width] for n in range(at, min(at + width * count, len(data)), width)]
        numbers = [hexadecimal(int.from_bytes(value, "little")) for value in values]
        if count == 1:
            texts.append(f"{name}={numbers[0]}")
            continue
        most = len(numbers) if view.options.verbose else min(len(numbers), view.options.string_max)
        cut = most < len(numbers) or len(data) < min(size, at + width * count)
        texts.append(f"{name}=[{', '.join((*numbers[:most], '...') if cut else numbers[:most])}]")
    _, at, width, count = layout[-1]
    return f"{{{', '.join((*texts, '...') if size > min(len(data), at + width * count) else texts)}}}"


_VECTOR: Final = Struct("<QQ")
_SETS: Final[dict[int, _Layout]] = {1: _GENERAL, 2: _FLOATING}  # NT_PRSTATUS, NT_FPREGSET of linux/elf.h


def _set(view: View, index: int, *, stored: bool) -> str:
    # struct iovec, whose length the kernel changes to that of the set; stored: the call fills the set.
    before, after = view.data(index), view.data(index, out=True)
    if len(before) < _VECTOR.size:
        return address(view.registers[index])
    at, length = _VECTOR.unpack_from(before)
    known = view.returned and not view.failed and len(after) >= _VECTOR.size
    now = _VECTOR.unpack_from(after)[1] if known else length
    size = now if stored else length
    item = view.nested(index, 1, out=stored) if known or not stored else None
    layout = _SETS.get(view.registers[index - 1] & 0xFFFFFFFF) if view.call.abi.arch == "x86_64" else None
    shown = address(at)
    if layout is not None and item is not None and size and not size % _WORD and (not item.fault or item.more):
        shown = _text(layout, item.data[:size], size, view)
    change = f" => {now}" if now != length else ""
    return f"{{iov_base={shown}, iov_len={length}{change}}}"


def _whole(layout: _Layout, size: int) -> StructPrinter:
    return lambda data, view: _text(layout, data, size, view)


VALUES: Final[dict[str, Printer]] = {
    "register_set": lambda view, index: _set(view, index, stored=True),
    "new_register_set": lambda view, index: _set(view, index, stored=False),
}
STRUCTS: Final[dict[str, StructPrinter]] = {
    "user_registers": _whole(_GENERAL, 216),
    "user_fp_registers": _whole(_FLOATING, 512),
}
