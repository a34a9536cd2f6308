# SPDX-License-Identifier: Apache-2.0
"""socketcall(2) and ipc(2), by which 32-bit programs of x86 call others: what such a call is of itself.

Theory of operation. The first register says which call is meant. socketcall's arguments are 32-bit words in memory,
ipc's are its other registers, and sometimes such words. The table of arguments has a variant for each call: the
recorder reads the array of words, and what these point at as nested memory. Here words become registers, and nested
memory becomes that of its argument. A call that is so made has a number of its own (`multiplexed_calls`), by which
`syscalls.I386` knows it. Where the array could not be read, socketcall and ipc stay what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.multiplexed_calls import CALL_SHIFT, CALLS, IPC, SOCKETCALL, Multiplexed, kernel_number

_Items = Mapping[int, tuple[Item, ...]]
_WORD_BYTES: Final = 4
_ARRAY: Final = {SOCKETCALL: 1, IPC: 4}
"""The argument that points to words."""
_ADDRESS_AT: Final = 3  # where ipc(SHMAT) is told to put the address
_SHMAT: Final = IPC | 21 << CALL_SHIFT


class Split(NamedTuple):
    """The call within another."""

    number: int
    name: str
    registers: tuple[int, ...]
    items: _Items


def split(number: int, registers: tuple[int, ...], items: _Items) -> Split | None:
    """Returns the call within socketcall or ipc; None where it has none, or the array of words was not read."""
    if not registers:
        return None
    made = number | (registers[0] & 0xFFFFFFFF) << CALL_SHIFT
    call = CALLS.get(made)
    if call is None:
        return None
    array = next((item.data for item in items.get(_ARRAY[number], ()) if not item.sub and not item.out), b"")
    words = [int.from_bytes(array[at : at + _WORD_BYTES], "little") for at in range(0, len(array), _WORD_BYTES)]
    if len(array) < _WORD_BYTES * -min(0, *call.sources) or any(source >= len(registers) for source in call.sources):
        return None
    own = tuple(registers[source] if source >= 0 else words[-1 - source] for source in call.sources)
    return Split(made, call.name, own, placed(made, items))


def placed(number: int, items: _Items) -> _Items:
    """Returns the memory of the call within, by its own arguments."""
    call, array = CALLS[number], _ARRAY[kernel_number(number)]
    found: dict[int, tuple[Item, ...]] = {}
    for index, its in items.items():
        if index in call.sources:
            found[call.sources.index(index)] = its
        elif index == array:
            for target, item in _nested(call, its):
                found[target] = (*found.get(target, ()), item)
    return found


def _nested(call: Multiplexed, items: tuple[Item, ...]) -> list[tuple[int, Item]]:
    # What follows a message's header is the message's.
    made: list[tuple[int, Item]] = []
    message: int | None = None
    for item in items:
        if message is not None:
            made.append((message, item))
        elif 0 < item.sub <= len(call.nested):
            target = call.nested[item.sub - 1]
            made.append((target, item._replace(sub=0)))
            message = target if item.kind == layout.KIND_MSG else None
    return made


def result_of(number: int, items: _Items, result: int) -> int:
    """Returns the result of the call within. items: the other's. ipc stores the address that shmat returns."""
    if number != _SHMAT or result != 0:
        return result
    stored = next((item.data for item in items.get(_ADDRESS_AT, ()) if item.out), b"")
    return int.from_bytes(stored[:_WORD_BYTES], "little") if len(stored) >= _WORD_BYTES else result
