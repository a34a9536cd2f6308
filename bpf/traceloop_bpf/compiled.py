# SPDX-License-Identifier: Apache-2.0
"""The recorder's programs as the compiler made them for one kernel: maps, instructions, and where they are attached.

A program's instructions name a map by a descriptor of whoever loads it, and have a mark of `MARKS` where a number
belongs that is known only then. `CompiledProgram.code_for` puts both in. The form in a file is one JSON object, which
`Compiled.text` and `Compiled.read` know.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final

INSTRUCTION: Final = Struct("<BBhi")
"""struct bpf_insn of linux/bpf.h: code; registers, the source in the upper half; offset; immediate value."""
_IMMEDIATE_AT: Final = 4
_WORD: Final = Struct("<I")
_LOAD_64: Final = 0x18  # BPF_LD | BPF_IMM | BPF_DW: two instructions
_OF_MAP: Final = 1  # BPF_PSEUDO_MAP_FD, as source register
_CALL: Final = 0x85  # BPF_JMP | BPF_CALL

GENERATION: Final = "GENERATION"
PID_NAMESPACE: Final = "PID_NAMESPACE"
MARKS: Final = {GENERATION: 0x1E6E5EED_67656E31, PID_NAMESPACE: 0x1E6E5EED_70696431}
"""Name of a number that is put in when programs are loaded -> the mark in its place; both are 64 bits."""
_MARKED: Final = {mark: name for name, mark in MARKS.items()}

Shape = tuple[int, int, int, int, int]
"""A map's type, key size, value size, entries and flags."""


@dataclass(frozen=True, slots=True)
class CompiledMap:
    """A map to create. template: for a map of maps, the name of the map that its maps are like; else empty."""

    name: str
    shape: Shape
    template: str


@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """A program to load. tracepoint: the raw tracepoint that it is attached to.

    code: its instructions, with 0 for each map's descriptor and each number of MARKS. maps, numbers: by the number of
    an instruction, the name of the map or of the number that it loads.
    """

    function: str
    tracepoint: str
    code: bytes
    maps: dict[int, str]
    numbers: dict[int, str]

    @classmethod
    def read(cls, function: str, tracepoint: str, code: bytes, maps: Mapping[int, str]) -> CompiledProgram:
        """Takes descriptors and marks out of a compiler's instructions. maps: their names, by descriptor.

        Raises ValueError for what needs more than descriptors to be loaded: data or functions of the program's own.
        """
        found, numbers, plain, at = {}, {}, bytearray(code), 0
        while at < len(code):
            number, (kind, registers, _, value) = at // INSTRUCTION.size, INSTRUCTION.unpack_from(code, at)
            source = registers >> 4
            if kind == _LOAD_64 and source == _OF_MAP:
                found[number] = maps[value]
                _put(plain, number, 0)
            elif kind == _LOAD_64 and (marked := _MARKED.get(_number_at(code, at))) is not None:
                numbers[number] = marked
                _put(plain, number, 0)
            elif source and kind in {_LOAD_64, _CALL}:
                raise ValueError(f"instruction {number} of {function} refers to source {source}")
            at += INSTRUCTION.size * (2 if kind == _LOAD_64 else 1)
        return cls(function, tracepoint, bytes(plain), found, numbers)

    def code_for(self, maps: Mapping[str, int], numbers: Mapping[str, int]) -> bytes:
        """Returns the instructions with these maps' descriptors, and with these numbers, by name."""
        code = bytearray(self.code)
        for number, name in self.maps.items():
            _put(code, number, maps[name])
        for number, name in self.numbers.items():
            _put(code, number, numbers[name])
        return bytes(code)


@dataclass(frozen=True, slots=True)
class Compiled:
    """Maps and programs to be loaded. programs: in the order of attachment.

    opcodes: the elements of the map of that name.
    """

    maps: tuple[CompiledMap, ...]
    programs: tuple[CompiledProgram, ...]
    opcodes: dict[int, bytes]

    def text(self) -> str:
        """Returns the form in a file."""
        return json.dumps(
            {
                "maps": [[each.name, each.shape, each.template] for each in self.maps],
                "programs": [
                    [each.function, each.tracepoint, _text(each.code), [*each.maps.items()], [*each.numbers.items()]]
                    for each in self.programs
                ],
                "opcodes": [[number, _text(how)] for number, how in self.opcodes.items()],
            }
        )

    @classmethod
    def read(cls, text: str) -> Compiled:
        """Reads what `text` returned. Raises ValueError, TypeError or KeyError if it is something else."""
        fields = json.loads(text)
        return cls(
            tuple(CompiledMap(name, _shape(*shape), template) for name, shape, template in fields["maps"]),
            tuple(
                CompiledProgram(function, tracepoint, b64decode(code), dict(maps), dict(numbers))
                for function, tracepoint, code, maps, numbers in fields["programs"]
            ),
            {number: b64decode(how) for number, how in fields["opcodes"]},
        )


def _number_at(code: bytes, at: int) -> int:
    # The 64 bits that an instruction of _LOAD_64 loads: the lower half is its own, the upper one the next one's.
    (lower,), (upper,) = (_WORD.unpack_from(code, at + part * INSTRUCTION.size + _IMMEDIATE_AT) for part in (0, 1))
    return int(lower | upper << 32)


def _put(code: bytearray, number: int, value: int) -> None:
    for part, half in enumerate((value & 0xFFFFFFFF, value >> 32)):
        _WORD.pack_into(code, (number + part) * INSTRUCTION.size + _IMMEDIATE_AT, half)


def _shape(kind: int, key: int, value: int, entries: int, flags: int) -> Shape:
    return kind, key, value, entries, flags


def _text(data: bytes) -> str:
    return b64encode(data).decode()
