# SPDX-License-Identifier: Apache-2.0
"""Immutable mapping from numbers to values; a changed copy shares everything with the original but the changed path.

Each node is a tuple of 32 children, by five bits of the number, or None if empty; at the lowest level the children are
the values. So a copy costs nothing, a change some hundred bytes whatever the size, and comparing two mappings of one
origin looks only at what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

_Value = TypeVar("_Value")
_Node = tuple[Any, ...] | None
_BITS: Final = 5
_WIDTH: Final = 1 << _BITS
_MASK: Final = _WIDTH - 1
_EMPTY: Final = (None,) * _WIDTH


class Numbered(Generic[_Value]):
    """Numbers from 0 on; no value is None. shift: the number of bits below those that `root` distinguishes."""

    __slots__ = ("root", "shift")

    def __init__(self, root: _Node = None, shift: int = 0) -> None:
        self.root, self.shift = root, shift

    def get(self, number: int) -> _Value | None:
        """Returns the value of a number, or None if it has none."""
        node, shift = self.root, self.shift
        if number >> shift + _BITS:  # true for negative numbers too
            return None
        while node is not None:
            node = node[number >> shift & _MASK]
            if not shift:
                break
            shift -= _BITS
        return node  # a value at this level

    def items(self) -> Iterator[tuple[int, _Value]]:
        """Yields all numbers with their values, ascending."""
        return _items(self.root, self.shift, 0)

    def put(self, number: int, value: _Value) -> Numbered[_Value]:
        """Returns a copy in which the number has this value."""
        root, shift = _raised(self.root, self.shift, number)
        return Numbered(_put(root, shift, number, value), shift)

    def drop(self, number: int) -> Numbered[_Value]:
        """Returns a copy without a number."""
        if self.get(number) is None:
            return self
        return Numbered(_drop(self.root, self.shift, number), self.shift)

    def cut(self, first: int, last: int) -> tuple[Numbered[_Value], Numbered[_Value]]:
        """Splits the mapping: the numbers from `first` to `last`, both included, and the rest."""
        inside, outside = _cut(self.root, self.shift, 0, (first, last))
        return Numbered(inside, self.shift), Numbered(outside, self.shift)

    def merge(self, other: Numbered[_Value]) -> Numbered[_Value]:
        """Returns a copy with the values of another added; the other's value wins."""
        mine, others, shift = _level(self, other)
        return Numbered(_merge(mine, others, shift), shift)

    def common(self, other: Numbered[_Value], is_same: Callable[[_Value, _Value], bool]) -> Numbered[_Value]:
        """Returns the entries that both have alike."""
        mine, others, shift = _level(self, other)
        return Numbered(_common(mine, others, shift, is_same), shift)


def _level(one: Numbered[Any], other: Numbered[Any]) -> tuple[_Node, _Node, int]:
    # Both roots, raised to one height.
    shift = max(one.shift, other.shift)
    top = 1 << shift
    return _raised(one.root, one.shift, top)[0], _raised(other.root, other.shift, top)[0], shift


def _raised(node: _Node, shift: int, number: int) -> tuple[_Node, int]:
    # A root that is high enough for a number.
    while number >> shift + _BITS:
        node = (node, *_EMPTY[1:]) if node is not None else None
        shift += _BITS
    return node, shift


def _items(node: _Node, shift: int, low: int) -> Iterator[tuple[int, Any]]:
    for at, below in enumerate(node or ()):
        if below is not None:
            number = low + (at << shift)
            if shift:
                yield from _items(below, shift - _BITS, number)
            else:
                yield number, below


def _put(node: _Node, shift: int, number: int, value: object) -> _Node:
    node, at = node or _EMPTY, number >> shift & _MASK
    below = _put(node[at], shift - _BITS, number, value) if shift else value
    return (*node[:at], below, *node[at + 1 :])


def _drop(node: _Node, shift: int, number: int) -> _Node:
    assert node is not None
    at = number >> shift & _MASK
    below = _drop(node[at], shift - _BITS, number) if shift else None
    return _or_none((*node[:at], below, *node[at + 1 :]))


def _cut(node: _Node, shift: int, low: int, span: tuple[int, int]) -> tuple[_Node, _Node]:
    first, last = span
    high = low + (_WIDTH << shift) - 1
    if node is None or high < first or last < low:
        return None, node
    if first <= low and high <= last:
        return node, None
    if shift:
        parts = [_cut(below, shift - _BITS, low + (at << shift), span) for at, below in enumerate(node)]
    else:
        parts = [(below, None) if first <= low + at <= last else (None, below) for at, below in enumerate(node)]
    return _or_none(tuple(inside for inside, _ in parts)), _or_none(tuple(outside for _, outside in parts))


def _merge(mine: _Node, others: _Node, shift: int) -> _Node:
    if mine is None or mine is others:
        return others
    if others is None:
        return mine
    if not shift:
        return tuple(value if other is None else other for value, other in zip(mine, others, strict=True))
    return tuple(_merge(one, other, shift - _BITS) for one, other in zip(mine, others, strict=True))


def _common(mine: _Node, others: _Node, shift: int, is_same: Callable[[Any, Any], bool]) -> _Node:
    if mine is None or others is None or mine is others:
        return mine and others
    pairs = zip(mine, others, strict=True)
    if shift:
        return _or_none(tuple(_common(one, other, shift - _BITS, is_same) for one, other in pairs))
    return _or_none(
        tuple(one if one is not None and other is not None and is_same(one, other) else None for one, other in pairs)
    )


def _or_none(node: tuple[Any, ...]) -> _Node:
    return None if node.count(None) == _WIDTH else node
