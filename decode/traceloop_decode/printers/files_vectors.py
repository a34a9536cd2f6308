# SPDX-License-Identifier: Apache-2.0
"""iovec arrays, and what their elements point at: ``[{iov_base="one", iov_len=3}, {iov_base=NULL, iov_len=0}]``.

What a call writes was read at its entry, element by element, behind the array itself; what it read, at its end, and is
shown no further than its result goes. Where the array itself was not recorded, an element is known by its bytes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.files import register
from traceloop_decode.printers.memory import pieces, text
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, View

_IOVEC: Final = {False: Struct("<QQ"), True: Struct("<II")}
"""struct iovec, by whether a 32-bit program's is meant."""
_READS: Final = frozenset(("readv", "preadv", "preadv2", "process_vm_readv"))

Show = Callable[[Item | None, int], str]
"""An element's contents: what was recorded of them, if anything, and how many bytes are meant."""


def vector(
    items: Iterable[Item],
    pointer: int,
    count: int,
    view: View,
    *,
    received: int | None = None,
    known: bool = True,
    show: Show | None = None,
) -> str:
    """An array of `count` elements at `pointer`, from its items in their order.

    received: how many bytes a call put into its elements, which only then are known; None: it took all of them.
    known: are the contents to be shown at all?
    """
    if pointer and not count:
        return "[]"
    found = list(items)
    array = next((item for item in found if item.kind == layout.KIND_IOVEC), None)
    contents = {item.sub: item for item in found if item.kind == layout.KIND_BUFFER}
    if array is None and contents:  # an older recording
        return pieces(list(contents.values()), count, view)
    layout_of = _IOVEC[view.call.compat]
    if array is None or len(array.data) < layout_of.size:
        return address(pointer)
    most = count if view.options.verbose else min(count, view.options.string_max)
    left, shown = received or 0, []
    known = known and (received is None or (view.returned and not view.failed))
    for number in range(min(most, len(array.data) // layout_of.size)):
        base, length = layout_of.unpack_from(array.data, number * layout_of.size)
        meant = length if received is None else min(length, left)
        left -= meant
        shown.append(
            f"{{iov_base={_contents(contents.get(number), base, meant, view, show, known=known)}, iov_len={length}}}"
        )
    if len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"


def _contents(item: Item | None, base: int, meant: int, view: View, show: Show | None, *, known: bool) -> str:
    if not known or not base or (item is not None and item.fault and not item.data):
        return address(base)
    if show is not None:
        return show(item, meant)
    return text(item.data if item is not None else b"", meant, view.options)


def _print_iovec(view: View, index: int) -> str:
    reads = view.call.name in _READS
    items = [item for item in view.call.items.get(index, ()) if item.out is reads]
    received = (view.call.result or 0) if reads else None
    return vector(items, view.registers[index], register(view, index + 1), view, received=received)


VALUES: Final[dict[str, Printer]] = {"iovec": _print_iovec}
