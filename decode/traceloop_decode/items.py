# SPDX-License-Identifier: Apache-2.0
"""Items of a record: memory that a call's arguments point to, as read at its entry and again at its exit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item

_NONE: Final[frozenset[int]] = frozenset()
_OUT: Final = Item._fields.index("out")
_SUB_SHIFT, _ARG_MASK, _TAIL = layout.ITEM_SUB_SHIFT, layout.ITEM_ARG_MASK, layout.ITEM_TAIL  # locals of the module
_FLAGS: Final = tuple(
    (flags & layout.KIND_MASK, *(flags & bit != 0 for bit in (layout.ITEM_MORE, layout.ITEM_FAULT, layout.ITEM_OUT)))
    for flags in range(256)
)
"""An item's kind byte as recorded -> its kind, more, fault, out."""
Items = Mapping[int, tuple[Item, ...]]
"""Items by the argument's index."""
NO_ITEMS: Final[Items] = {}


def items_in(body: bytes, at: int) -> dict[int, tuple[Item, ...]]:
    """Returns the items in a record's body from `at` on, by the argument's index."""
    items: dict[int, tuple[Item, ...]] = {}
    lists: dict[int, list[Item]] | None = None  # arguments with several items
    unpack, item_size, unit, size = layout.ITEM.unpack_from, layout.ITEM.size, layout.POSITION_UNIT, len(body)
    while at + item_size <= size:
        arg, flags, copied, length = unpack(body, at)
        at += item_size
        kind, more, fault, out = _FLAGS[flags]
        item = tuple.__new__(Item, (arg >> _SUB_SHIFT, kind, body[at : at + copied], length, more, fault, out, b""))
        index = arg & _ARG_MASK
        if flags & _TAIL and index in items:
            if lists is not None and index in lists:
                lists[index][-1] = _with_end(lists[index][-1], item)
            else:
                items[index] = (_with_end(items[index][0], item),)
        elif index not in items:
            items[index] = (item,)
        else:
            lists = lists or {}
            lists.setdefault(index, list(items[index])).append(item)
        at += copied + -copied % unit
    if lists is not None:
        items |= {index: tuple(found) for index, found in lists.items()}
    return items


def with_ended(begun: Items, ended: Items) -> tuple[Items, frozenset[int]]:
    """Merges what was read at a call's entry and at its exit; also returns the arguments that were only read at exit.

    Items read again at exit replace only items that faulted at entry, because the memory may have changed since. Output
    follows input.
    """
    merged, replaced = dict(begun), _NONE
    for index, items in ended.items():
        before = merged.get(index, ())
        if not before and len(items) == 1 and items[0][_OUT]:  # nearly always
            merged[index] = items
            continue
        again, output = (tuple(item for item in items if item.out is out) for out in (False, True))
        readable = before and not any(item.fault for item in before)
        if again and not readable:
            before = again
            replaced |= {index} if has_input(again) else _NONE
        merged[index] = before + output
    return merged, replaced


def has_input(items: tuple[Item, ...]) -> bool:
    """Returns whether some of these items, read at an exit, are input."""
    return any(not item.out and (item.data or not item.fault) for item in items)


def _with_end(begun: Item, end: Item) -> Item:
    # What follows `begun` in the memory that both are of; all of an end, or nothing of it, is known.
    if end.fault or begun.fault:
        return begun._replace(fault=True, tail=b"")
    tail = begun.tail + end.data
    if len(begun.data) + len(tail) == end.size:
        return begun._replace(data=begun.data + tail, size=end.size, more=False, tail=b"")
    return begun._replace(size=end.size, tail=tail)
