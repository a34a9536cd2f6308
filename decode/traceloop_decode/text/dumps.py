# SPDX-License-Identifier: Apache-2.0
r"""Bytes that a call moved, in hexadecimal and as text, below its line (strace -e read=, -e write=).

::

     | 00000  68 65 6c 6c 6f 01 20 77  6f 72 6c 64 20 74 68 69  hello. world thi |
     * 2 bytes in buffer 1
     | 00000  68 69                                             hi               |
     | (20 bytes more were not recorded)
     = 1 buffers in vector 0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import TYPE_CHECKING, Final

from traceloop_decode import layout
from traceloop_decode.errnos import is_error

if TYPE_CHECKING:
    from traceloop_decode.model import Call, Item

FdSet = Callable[[int], bool]
"""A test whether a descriptor is among the selected ones."""

_WIDTH, _HALF = 16, 8
_FD_MASK: Final = 0x7FFFFFFF
_SIGN: Final = 0x80000000
_ANY_SIZE: Final = 1 << 64
_BUFFER_AT: Final = 1
_VECTORS: Final = frozenset(
    ["readv", "preadv", "preadv2", "recvmsg", "writev", "pwritev", "pwritev2", "sendmsg", "vmsplice"]
)
_READS: Final = frozenset(
    ["read", "pread64", "recv", "recvfrom", "mq_timedreceive", "readv", "preadv", "preadv2", "recvmsg", "recvmmsg"]
)
_WRITES: Final = frozenset(
    [
        *("write", "pwrite64", "send", "sendto", "mq_timedsend"),
        *("writev", "pwritev", "pwritev2", "sendmsg", "vmsplice", "sendmmsg"),
    ]
)
_SEVERAL: Final = frozenset(["recvmmsg", "sendmmsg"])
_MESSAGE: Final = {False: Struct("<24xQ24xI"), True: Struct("<12xI12xI")}
"""struct mmsghdr: msg_iovlen, and msg_len; by whether the program has 32 bits."""


def lines(call: Call, reads: FdSet | None, writes: FdSet | None) -> Iterator[str]:
    """Yields the lines below a call that returned, if its descriptor is asked for.

    Data to be written are shown even if the call failed; data that were read, up to the result.
    """
    is_read = call.name in _READS
    wanted = reads if is_read else writes if call.name in _WRITES else None
    if wanted is None or not call.registers or call.result is None or (is_read and is_error(call.result)):
        return
    if call.registers[0] & _SIGN or not wanted(call.registers[0] & _FD_MASK):
        return
    if call.name in _SEVERAL:
        yield from _of_messages(call)
        return
    left = call.result if is_read else _ANY_SIZE
    yield from _of_buffers(_buffers(call), left, numbered=call.name in _VECTORS)


def _of_buffers(buffers: list[Item], left: int, *, numbered: bool) -> Iterator[str]:
    for number, item in enumerate(buffers):
        size = min(item.size, left)
        if not size or item.fault:
            break
        left -= size
        if numbered:
            yield f" * {size} bytes in buffer {number}"
        yield from _dumped(item.data[:size], size)


def _of_messages(call: Call) -> Iterator[str]:
    # Of those that were moved, which the result counts; their items are read when the call has returned.
    layout_of_one = _MESSAGE[call.compat]
    messages: list[tuple[int, int, list[Item]]] = []
    for item in call.items.get(_BUFFER_AT, ()):
        if item.kind == layout.KIND_MSG and item.out and len(item.data) >= layout_of_one.size:
            messages.append((*layout_of_one.unpack_from(item.data), []))
        elif messages and item.kind == layout.KIND_BUFFER and item.sub < layout.SUB_NAME:
            messages[-1][2].append(item)
    moved = 0 if call.result is None or is_error(call.result) else call.result
    for number, (count, length, buffers) in enumerate(messages[:moved]):
        yield f" = {count} buffers in vector {number}"
        yield from _of_buffers(buffers, length, numbered=True)


def _buffers(call: Call) -> list[Item]:
    # Those of a vector only if the whole vector could be read.
    out = call.name in _READS
    items = [item for item in call.items.get(_BUFFER_AT, ()) if item.out is out]
    if any(item.kind == layout.KIND_IOVEC and item.fault for item in items):
        return []
    return [item for item in items if item.kind == layout.KIND_BUFFER and item.sub < layout.SUB_NAME]


def _dumped(data: bytes, size: int) -> Iterator[str]:
    for at in range(0, len(data), _WIDTH):
        row = data[at : at + _WIDTH]
        halves = (" ".join(f"{byte:02x}" for byte in half) for half in (row[:_HALF], row[_HALF:]))
        left, right = halves
        text = "".join(chr(byte) if 0x20 <= byte <= 0x7E else "." for byte in row)
        yield f" | {at:05x}  {left:<23}  {right:<23}  {text:<{_WIDTH}} |"
    if size > len(data):
        yield f" | ({size - len(data):,} bytes more were not recorded)"
