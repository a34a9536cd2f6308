# SPDX-License-Identifier: Apache-2.0
"""Instructions of BPF programs: eBPF's, and the classic ones of seccomp and sockets, which strace shows only with -v.

Source of the codes: include/uapi/linux/bpf_common.h, bpf.h and filter.h.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode.model import Item
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.memory import bracketed
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_STEP: Final = Struct("<BBhi")  # struct bpf_insn
_FILTER_STEP: Final = Struct("<HBBI")  # struct sock_filter

_EXTENDED: Final = ("BPF_LD", "BPF_LDX", "BPF_ST", "BPF_STX", "BPF_ALU", "BPF_JMP", "BPF_JMP32", "BPF_ALU64")
_CLASSIC: Final = ("BPF_LD", "BPF_LDX", "BPF_ST", "BPF_STX", "BPF_ALU", "BPF_JMP", "BPF_RET", "BPF_MISC")
_ARITHMETIC: Final = (
    *("BPF_ADD", "BPF_SUB", "BPF_MUL", "BPF_DIV", "BPF_OR", "BPF_AND", "BPF_LSH", "BPF_RSH", "BPF_NEG", "BPF_MOD"),
    *("BPF_XOR", "BPF_MOV", "BPF_ARSH", "BPF_END"),
)
_CLASSIC_ARITHMETIC: Final = _ARITHMETIC[:11]
_JUMPS: Final = (
    *("BPF_JA", "BPF_JEQ", "BPF_JGT", "BPF_JGE", "BPF_JSET", "BPF_JNE", "BPF_JSGT", "BPF_JSGE", "BPF_CALL"),
    *("BPF_EXIT", "BPF_JLT", "BPF_JLE", "BPF_JSLT", "BPF_JSLE"),
)
_CLASSIC_JUMPS: Final = _JUMPS[:5]
_SIZES: Final = ("BPF_W", "BPF_H", "BPF_B", "BPF_DW")
_EXTENDED_MODES: Final = ("BPF_IMM", "BPF_ABS", "BPF_IND", "BPF_MEM", None, None, "BPF_ATOMIC")
_CLASSIC_MODES: Final = ("BPF_IMM", "BPF_ABS", "BPF_IND", "BPF_MEM", "BPF_LEN", "BPF_MSH")
_RETURNS: Final = ("BPF_K", "BPF_X", "BPF_A")
_MISC: Final = {0x00: "BPF_TAX", 0x80: "BPF_TXA"}
_SECCOMP_ACTION: Final = 0xFFFF0000
_CODE_CLASS: Final = 7
_MODE: Final = 0xE0
_ABSOLUTE: Final = 0x20  # BPF_ABS
_OFFSETS: Final = ((0xFFFFF000, "SKF_AD_OFF"), (0xFFF00000, "SKF_NET_OFF"), (0xFFE00000, "SKF_LL_OFF"))
_MEMORY_CLASSES: Final = (0, 1, 2, 3)
_JUMP_CLASSES: Final = (5, 6)


def _place(names: tuple[str | None, ...], number: int, shift: int) -> str:
    name = names[number] if number < len(names) else None
    return name if name is not None else f"{number << shift:#x}"


def _loads(code: int, modes: tuple[str | None, ...]) -> list[str]:
    return [_place(_SIZES, code >> 3 & 3, 3), _place(modes, code >> 5, 5)]


def _computes(code: int, names: tuple[str, ...]) -> list[str]:
    return ["BPF_X" if code & 8 else "BPF_K", _place(names, code >> 4 & 15, 4)]


def _extended_code(code: int) -> str:
    kind = code & _CODE_CLASS
    if kind in _MEMORY_CLASSES:
        return "|".join([_EXTENDED[kind], *_loads(code, _EXTENDED_MODES)])
    return "|".join([_EXTENDED[kind], *_computes(code, _JUMPS if kind in _JUMP_CLASSES else _ARITHMETIC)])


def _classic_code(code: int) -> str:
    kind = _CLASSIC[code & _CODE_CLASS]
    above, code = code & ~0xFF, code & 0xFF
    rest: list[str] = []
    if kind in ("BPF_LD", "BPF_LDX"):
        rest = _loads(code, _CLASSIC_MODES)
    elif kind in ("BPF_ALU", "BPF_JMP"):
        rest = _computes(code, _CLASSIC_JUMPS if kind == "BPF_JMP" else _CLASSIC_ARITHMETIC)
    elif kind == "BPF_RET":
        rest = [_place(_RETURNS, code >> 3 & 3, 3)]
        above |= code & 0xE0
    elif kind == "BPF_MISC":
        rest = [_MISC.get(code & 0xF8, f"{code & 0xF8:#x}")]
    else:
        above |= code & 0xF8
    return "|".join([kind, *rest, *([f"{above:#x}"] if above else [])])


def _styled(text: str, code: int, view: View) -> str:
    return styled(text, hexadecimal(code), view.options.constants)


def _register(number: int, view: View) -> str:
    return _styled(f"BPF_REG_{number}", number, view) if number <= 10 else f"{number:#x} /* BPF_REG_??? */"


def _step(data: bytes, view: View) -> str:
    code, registers, offset, constant = _STEP.unpack(data)
    return (
        f"{{code={_styled(_extended_code(code), code, view)}, dst_reg={_register(registers & 15, view)}, "
        f"src_reg={_register(registers >> 4, view)}, off={offset}, imm={hexadecimal(constant & 0xFFFFFFFF)}}}"
    )


def _action(value: int, view: View) -> str:
    actions, rest = XLATS["seccomp_actions"], value & ~_SECCOMP_ACTION
    name = actions.one(value & _SECCOMP_ACTION, view.options)
    return f"{name}|{rest:#x}" if rest else name


def _offset(code: int, value: int, view: View) -> str | None:
    # Sockets' filters read from the headers of layers, and data that is not in the packet, at negative offsets.
    if _CLASSIC[code & _CODE_CLASS] != "BPF_LD" or code & _MODE != _ABSOLUTE:
        return None
    for start, name in _OFFSETS:
        if value >= start:
            shown = (
                str(value - start) if name != "SKF_AD_OFF" else XLATS["filter_data"].one(value - start, view.options)
            )
            return f"{_styled(name, start, view)}+{shown}"
    return None


def _filter_step(seccomp: bool) -> Callable[[bytes, View], str]:  # noqa: FBT001
    def print_step(data: bytes, view: View) -> str:
        code, true, false, constant = _FILTER_STEP.unpack(data)
        text = _styled(_classic_code(code), code, view)
        if true or false:
            jumps = f"{hexadecimal(true)}, {hexadecimal(false)}"
            return f"BPF_JUMP({text}, {hexadecimal(constant)}, {jumps})"
        shown = None
        if seccomp and _CLASSIC[code & _CODE_CLASS] == "BPF_RET":
            shown = _action(constant, view)
        elif not seccomp:
            shown = _offset(code, constant, view)
        return f"BPF_STMT({text}, {hexadecimal(constant) if shown is None else shown})"

    return print_step


def _steps(item: Item | None, at: int, count: int, view: View, show: Callable[[bytes, View], str]) -> str:
    if not view.options.verbose or item is None or len(item.data) < _STEP.size:
        return "[]" if at and not count and view.options.verbose else address(at)
    whole = len(item.data) // _STEP.size
    shown = [show(item.data[n * _STEP.size : (n + 1) * _STEP.size], view) for n in range(min(whole, count))]
    return bracketed(shown, item._replace(size=count * _STEP.size), _STEP.size, at, view)


def program(item: Item | None, at: int, count: int, view: View) -> str:
    """Prints the `count` struct bpf_insn at an address; `item`: those that were read."""
    return _steps(item, at, count, view, _step)


def classic_filter(item: Item | None, at: int, count: int, view: View, *, seccomp: bool) -> str:
    """Prints the `count` struct sock_filter at an address; seccomp: the filter returns seccomp actions."""
    return _steps(item, at, count, view, _filter_step(seccomp))
