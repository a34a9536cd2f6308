# SPDX-License-Identifier: Apache-2.0
"""iovec arrays and what their elements point at: ``[{iov_base="one", iov_len=3}, {iov_base=NULL, iov_len=0}]``.

Data that a call writes was recorded at entry, element by element after the array itself. Data that a call reads was
recorded at exit and is shown only up to its result. Without the array itself, an element is known only by its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.files import register
from traceloop_decode.printers.memory import bracketed, counted, pieces, text
from traceloop_decode.printers.network_dns import shown as shown_dns
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, View

_IOVEC: Final = {False: Struct("<QQ"), True: Struct("<II")}
"""Layouts of struct iovec; the key: whether the program is a 32-bit one."""
_READS: Final = frozenset(("readv", "preadv", "preadv2", "process_vm_readv"))

Show = Callable[[Item | None, int, int], str]
"""Prints an element's contents, from the recorded bytes, if any, the element's address and its size."""


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
    """Prints an array of `count` elements at `pointer`, from its items in their order.

    received: the number of bytes that a call put into its elements; only these are known. None: all bytes are.
    known: whether the contents are shown at all.
    """
    if pointer and not count:
        return "[]"
    found = list(items)
    array = next((item for item in found if item.kind == layout.KIND_IOVEC), None)
    contents = {item.sub: item for item in found if item.kind == layout.KIND_BUFFER}
    if array is None and contents:  # a recording by an older version
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
    return bracketed(shown, array, layout_of.size, pointer, view)


def _contents(item: Item | None, base: int, meant: int, view: View, show: Show | None, *, known: bool) -> str:
    if not known or not base or (item is not None and item.fault and not item.data):
        return address(base)
    if item is None and meant:  # after those that the recorder takes
        return address(base)
    if show is not None:
        return show(item, base, meant)
    data = item.data if item is not None else b""
    dns = shown_dns(view, data[:meant])
    if dns:
        return dns
    return counted(item, base, meant, view.options) if item is not None else text(data, meant, view.options)


def _print_iovec(view: View, index: int) -> str:
    reads = view.call.name in _READS
    items = [item for item in view.call.items.get(index, ()) if item.out is reads]
    received = (view.call.result or 0) if reads else None
    return vector(items, view.registers[index], register(view, index + 1), view, received=received)


VALUES: Final[dict[str, Printer]] = {"iovec": _print_iovec}
