# SPDX-License-Identifier: Apache-2.0
"""iovec arrays, and what their elements point at: ``[{iov_base="one", iov_len=3}, {iov_base=NULL, iov_len=0}]``.

What a call writes was read at its entry, element by element, behind the array itself; what it read, at its end, and is
shown no further than its result goes. Where the array itself was not recorded, an element is known by its bytes alone.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.files import register
from traceloop_decode.printers.memory import pieces, text
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, View

_IOVEC: Final = Struct("<QQ")
_READS: Final = frozenset(("readv", "preadv", "preadv2", "process_vm_readv"))


def _array(view: View, index: int, *, reads: bool) -> Item | None:
    # An array comes before its elements, of which the first has sub 0 as well.
    first = [item for item in view.call.items.get(index, ()) if not item.out and item.sub == 0]
    return first[0] if len(first) > (not reads) and first[0].kind == layout.KIND_BUFFER else None


def _print_iovec(view: View, index: int) -> str:
    pointer, count = view.registers[index], register(view, index + 1)
    if pointer and not count:
        return "[]"
    reads = view.call.name in _READS
    array = _array(view, index, reads=reads)
    items = view.call.items.get(index, ())
    contents = {item.sub: item for item in items if item.out is reads and item is not array}
    if array is None:
        known = [item for item in contents.values() if item.kind == layout.KIND_BUFFER]
        return pieces(known, count, view) if known else address(pointer)
    if len(array.data) < _IOVEC.size:
        return address(pointer)
    most = count if view.options.verbose else min(count, view.options.string_max)
    unknown = reads and (view.failed or not view.returned)
    shown, left = [], view.call.result or 0
    for number in range(min(most, len(array.data) // _IOVEC.size)):
        base, length = _IOVEC.unpack_from(array.data, number * _IOVEC.size)
        meant = min(length, left) if reads else length
        left -= meant
        contents_text = address(base) if unknown else _contents(contents.get(number), base, meant, view)
        shown.append(f"{{iov_base={contents_text}, iov_len={length}}}")
    if len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def _contents(item: Item | None, base: int, meant: int, view: View) -> str:
    if not base or (item is not None and item.fault and not item.data):
        return address(base)
    return text(item.data if item is not None else b"", meant, view.options)


VALUES: Final[dict[str, Printer]] = {"iovec": _print_iovec}
