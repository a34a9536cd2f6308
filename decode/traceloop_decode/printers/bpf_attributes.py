# SPDX-License-Identifier: Apache-2.0
"""Attributes of bpf's commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.printers.bpf_programs import program
from traceloop_decode.printers.kit import MASK32, hexadecimal, register
from traceloop_decode.printers.memory import terminated, text
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS, Xlat

# Each command's attributes, in strace's order: name, offset, printer. A field at or after the size that the call gave
# is left out.

_Show = Callable[[bytes, View], str]


def _int(width: int, show: Callable[[int], str] = str, *, signed: bool = False) -> tuple[int, _Show]:
    return width, lambda data, _view: show(int.from_bytes(data, "little", signed=signed))


def _named(table: Xlat) -> tuple[int, _Show]:
    return 4, lambda data, view: table.one(int.from_bytes(data, "little"), view.options)


def _bits(table: Xlat, width: int = 4) -> tuple[int, _Show]:
    return width, lambda data, view: table.flags(int.from_bytes(data, "little"), view.options)


def _name(data: bytes, view: View) -> str:
    name = data.partition(b"\0")[0]
    return text(name, len(name), view.options)


def _behind(number: int, *, whole: bool = False) -> tuple[int, _Show]:
    # Prints the string that the line's number-th pointer points at; strace shows paths whole.
    def show(data: bytes, view: View) -> str:
        item = view.nested(1, number)
        if item is None:
            return address(int.from_bytes(data, "little"))
        return terminated(item, int.from_bytes(data, "little"), view.options, whole=whole)

    return 8, show


def _steps(data: bytes, view: View) -> str:
    item, at = view.nested(1, 2), int.from_bytes(data, "little")
    return program(item, at, item.size // _BPF_STEP, view) if item is not None else address(at)


def _kernel_version(data: bytes, view: View) -> str:
    value = int.from_bytes(data, "little")
    text = f"KERNEL_VERSION({value >> 16}, {value >> 8 & 0xFF}, {value & 0xFF})"
    return styled(text, hexadecimal(value), view.options.constants)


def _info_size(data: bytes, view: View) -> str:
    # The kernel stores how much of it was filled.
    before, after = (int.from_bytes(part, "little") for part in (view.data(1)[4:8], data))
    return f"{before} => {after}" if before != after else str(before)


_BPF_STEP: Final = 8  # sizeof(struct bpf_insn)
_U32: Final = _int(4)
_FD: Final = (4, lambda data, view: view.fd(int.from_bytes(data, "little", signed=True)))
_AT: Final = _int(8, address)
_HEX64: Final = _int(8, hexadecimal)
_NAME: Final = (16, _name)
_ELEM_FLAGS: Final = _bits(XLATS["bpf_elem_flags"], 8)
_ATTACH_TYPE: Final = _named(XLATS["bpf_attach_type"])

_Fields = tuple[tuple[str, int, tuple[int, _Show]], ...]

_MAP_CREATE: Final[_Fields] = (
    ("map_type", 0, _named(XLATS["bpf_map_type"])),
    ("key_size", 4, _U32),
    ("value_size", 8, _U32),
    ("max_entries", 12, _U32),
    ("map_flags", 16, _bits(XLATS["bpf_map_flags"])),
    ("inner_map_fd", 20, _FD),
    ("map_name", 28, _NAME),
    ("map_ifindex", 44, _U32),
    ("btf_fd", 48, _FD),
    ("btf_key_type_id", 52, _U32),
    ("btf_value_type_id", 56, _U32),
    ("btf_vmlinux_value_type_id", 60, _U32),
    ("map_extra", 64, _HEX64),
)
_ELEM: Final[_Fields] = (("map_fd", 0, _FD), ("key", 8, _AT), ("value", 16, _AT), ("flags", 24, _ELEM_FLAGS))
_PROG_LOAD: Final[_Fields] = (
    ("prog_type", 0, _named(XLATS["bpf_prog_type"])),
    ("insn_cnt", 4, _U32),
    ("insns", 8, (8, _steps)),
    ("license", 16, _behind(1)),
    ("log_level", 24, _U32),
    ("log_size", 28, _U32),
    ("log_buf", 32, _AT),
    ("kern_version", 40, (4, _kernel_version)),
    ("prog_flags", 44, _bits(XLATS["bpf_prog_flags"])),
    ("prog_name", 48, _NAME),
    ("prog_ifindex", 64, _U32),
    ("expected_attach_type", 68, _ATTACH_TYPE),
    ("prog_btf_fd", 72, _FD),
    ("func_info_rec_size", 76, _U32),
    ("func_info", 80, _AT),
    ("func_info_cnt", 88, _U32),
    ("line_info_rec_size", 92, _U32),
    ("line_info", 96, _AT),
    ("line_info_cnt", 104, _U32),
    ("attach_btf_id", 108, _U32),
    ("attach_prog_fd", 112, _FD),
    ("fd_array", 120, _AT),
)
_OBJECT: Final[_Fields] = (
    ("pathname", 0, _behind(1, whole=True)),
    ("bpf_fd", 8, _FD),
    ("file_flags", 12, _bits(XLATS["bpf_map_flags"])),
)


def _by_id(name: str) -> _Fields:
    return ((name, 0, _U32), ("next_id", 4, _U32), ("open_flags", 8, _bits(XLATS["bpf_map_flags"])))


_BPF: Final[dict[str, _Fields]] = {
    "BPF_MAP_CREATE": _MAP_CREATE,
    "BPF_MAP_LOOKUP_ELEM": _ELEM,
    "BPF_MAP_UPDATE_ELEM": _ELEM,
    "BPF_MAP_DELETE_ELEM": _ELEM[:2],
    "BPF_MAP_GET_NEXT_KEY": (*_ELEM[:2], ("next_key", 16, _AT)),
    "BPF_PROG_LOAD": _PROG_LOAD,
    "BPF_OBJ_PIN": _OBJECT,
    "BPF_OBJ_GET": _OBJECT,
    "BPF_PROG_GET_NEXT_ID": _by_id("start_id"),
    "BPF_MAP_GET_NEXT_ID": _by_id("start_id"),
    "BPF_BTF_GET_NEXT_ID": _by_id("start_id"),
    "BPF_LINK_GET_NEXT_ID": _by_id("start_id"),
    "BPF_PROG_GET_FD_BY_ID": _by_id("prog_id"),
    "BPF_MAP_GET_FD_BY_ID": _by_id("map_id"),
    "BPF_PROG_ATTACH": (
        ("target_fd", 0, _FD),
        ("attach_bpf_fd", 4, _FD),
        ("attach_type", 8, _ATTACH_TYPE),
        ("attach_flags", 12, _bits(XLATS["bpf_attach_flags"])),
        ("replace_bpf_fd", 16, _FD),
    ),
    "BPF_PROG_DETACH": (("target_fd", 0, _FD), ("attach_type", 8, _ATTACH_TYPE)),
}
# Commands whose attributes form one struct within the union.
_BPF_NESTED: Final[dict[str, tuple[str, _Fields]]] = {
    "BPF_OBJ_GET_INFO_BY_FD": ("info", (("bpf_fd", 0, _FD), ("info_len", 4, (4, _info_size)), ("info", 8, _AT))),
    "BPF_RAW_TRACEPOINT_OPEN": ("raw_tracepoint", (("name", 0, _behind(1)), ("prog_fd", 8, _FD))),
}
_COMMANDS: Final = XLATS["bpf_cmd"]


def _bpf_attr(data: bytes, view: View) -> str:
    command = _COMMANDS.names.get(register(view, 0) & MASK32, "")
    outer, fields = _BPF_NESTED.get(command, ("", _BPF.get(command, ())))
    size, item = register(view, 2) & MASK32, view.item(1)
    if item is not None and item.fault and len(item.data) < size:
        return address(register(view, 1))
    shown = [
        f"{name}={show(data[at : at + width], view)}"
        for name, at, (width, show) in fields
        if at < size and at + width <= len(data)
    ]
    if not shown:
        return address(register(view, 1))
    _, last, (width, _) = fields[-1]
    if len(data) < size or any(data[last + width :]):
        shown.append("...")
    inner = f"{{{', '.join(shown)}}}"
    return f"{{{outer}={inner}}}" if outer else inner


STRUCTS: Final[dict[str, StructPrinter]] = {"bpf_attr": _bpf_attr}
