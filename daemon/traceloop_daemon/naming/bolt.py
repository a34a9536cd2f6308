# SPDX-License-Identifier: Apache-2.0
"""Looks one value up in a bbolt file, without a lock and without writing.

Theory of operation (go.etcd.io/bbolt: page.go, db.go, bucket.go; all numbers are little endian on the supported
machines). A file consists of pages. Pages 0 and 1 are metas; the valid one is the one with the higher transaction
number among those whose checksum is right. It contains the number of the root page of a B+tree. A branch page's
elements are keys and pages, a leaf page's are keys and values. A value may be a bucket: the number of its root page,
or, if that number is 0, a small page that follows inline in the value.

A writer never overwrites pages that the last transaction uses: pages that the next transaction frees can be reused by
the one after that. So a value was read correctly if the last transaction is the same before and after reading.

The one Python package for such files, boltdb 0.0.2, opens them for writing, locks them and maps them writable.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Final

_MAGIC: Final = 0xED0CDAED
_VERSION: Final = 2
_BRANCH: Final = 0x01
_LEAF: Final = 0x02
_HEADER: Final = Struct("<QHHI")  # number, kind, count, number of overflow pages that follow
_META: Final = Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, free list, pages, transaction
_SUM: Final = Struct("<Q")
_BRANCH_ELEMENT: Final = Struct("<IIQ")  # the key's offset from the element; its size; the page
_LEAF_ELEMENT: Final = Struct("<IIII")  # kind; the key's offset from the element; its size; size of the value after it
_BUCKET: Final = Struct("<QQ")  # root, sequence
_FNV_PRIME: Final = 0x100000001B3
_FNV_OFFSET: Final = 0xCBF29CE484222325
_PAGE_SIZES: Final = (4096, 16384, 65536)  # bbolt uses the machine's
_PAGE_MAX_BYTES: Final = 4 << 20
_DEPTH_MAX: Final = 16
_TRIES: Final = 3


class BoltError(Exception):
    """The file is not a bbolt file, is damaged, or was written faster than it could be read."""


def get(fd: int, path: Sequence[bytes]) -> bytes | None:
    """Returns the value at a path (names of buckets, then a key), or None. Raises BoltError, OSError."""
    for _ in range(_TRIES):
        meta = _last_meta(fd)
        try:
            value = _Reader(fd, meta.page_size).find(meta.root, path)
        except error as damage:
            if _last_meta(fd) == meta:
                raise BoltError(f"damaged: {damage}") from damage
        except BoltError:
            if _last_meta(fd) == meta:
                raise
        else:
            if _last_meta(fd) == meta:
                return value
    raise BoltError(f"the file was written during each of {_TRIES} attempts to read it")


@dataclass(frozen=True, slots=True)
class _Meta:
    transaction: int
    root: int
    page_size: int


def _last_meta(fd: int) -> _Meta:
    found = [meta for at in (0, *_PAGE_SIZES) if (meta := _meta(fd, at)) is not None and at in (0, meta.page_size)]
    if not found:
        raise BoltError("not a bbolt file")
    return max(found, key=lambda meta: meta.transaction)


def _meta(fd: int, at: int) -> _Meta | None:
    data = os.pread(fd, _HEADER.size + _META.size + _SUM.size, at)[_HEADER.size :]
    if len(data) < _META.size + _SUM.size:
        return None
    magic, version, page_size, _, root, _, _, _, transaction = _META.unpack_from(data)
    right = (magic, version, _fnv(data[: _META.size])) == (_MAGIC, _VERSION, _SUM.unpack_from(data, _META.size)[0])
    return _Meta(transaction, root, page_size) if right and page_size in _PAGE_SIZES else None


def _fnv(data: bytes) -> int:
    total = _FNV_OFFSET
    for byte in data:
        total = (total ^ byte) * _FNV_PRIME & 0xFFFF_FFFF_FFFF_FFFF
    return total


class _Reader:
    def __init__(self, fd: int, page_size: int) -> None:
        self._fd, self._page_size = fd, page_size

    def find(self, root: int, path: Sequence[bytes]) -> bytes | None:
        page = self._page(root)
        for number, name in enumerate(path, 1):
            value = self._value(page, name)
            if value is None or number == len(path):
                return value
            root = _BUCKET.unpack_from(value)[0]
            page = self._page(root) if root else value[_BUCKET.size :]
        return None

    def _page(self, number: int) -> bytes:
        at = number * self._page_size
        if at >> 62:
            raise BoltError(f"damaged: page {number}")
        page = os.pread(self._fd, self._page_size, at)
        size = self._page_size * (1 + _HEADER.unpack_from(page)[3])
        if size > _PAGE_MAX_BYTES:
            raise BoltError(f"damaged: a page of {size} bytes")
        return page if size == len(page) else os.pread(self._fd, size, at)

    def _value(self, page: bytes, key: bytes) -> bytes | None:
        for _ in range(_DEPTH_MAX):
            _, kind, count, _ = _HEADER.unpack_from(page)
            if kind == _LEAF:
                at = _last_not_above(page, count, key)
                _, key_at, key_size, size = _LEAF_ELEMENT.unpack_from(page, at) if count else (0, 0, 0, 0)
                if not count or _part(page, at + key_at, key_size) != key:
                    return None
                return _part(page, at + key_at + key_size, size)
            if kind != _BRANCH or not count:
                raise BoltError(f"damaged: a page of kind {kind}")
            page = self._page(_BRANCH_ELEMENT.unpack_from(page, _last_not_above(page, count, key))[2])
        raise BoltError("damaged: no leaf")


def _last_not_above(page: bytes, count: int, key: bytes) -> int:
    # Returns the offset of the last element whose key is not above this one, or of the first element. Elements of both
    # kinds have the same size.
    branch = _HEADER.unpack_from(page)[1] == _BRANCH
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        at = _HEADER.size + middle * _LEAF_ELEMENT.size
        key_at, size = _BRANCH_ELEMENT.unpack_from(page, at)[:2] if branch else _LEAF_ELEMENT.unpack_from(page, at)[1:3]
        if _part(page, at + key_at, size) <= key:
            low = middle + 1
        else:
            high = middle
    return _HEADER.size + max(low - 1, 0) * _LEAF_ELEMENT.size


def _part(page: bytes, at: int, size: int) -> bytes:
    part = page[at : at + size]
    if len(part) < size:
        raise BoltError("damaged: an element ends beyond its page")
    return part
