# SPDX-License-Identifier: Apache-2.0
"""Writes bbolt files, as far as tests need them: nested dicts are buckets. Shares no code with the daemon's reader."""

from __future__ import annotations

import struct
from pathlib import Path

PAGE = 4096
Tree = dict[bytes, "bytes | Tree"]


def write_bolt(path: Path, tree: Tree, *, transaction: int = 7, fan_out: int = 3) -> None:
    """Writes the file. fan_out: number of elements per page; a small one makes a tree of several levels."""
    file = _File(fan_out)
    root = file.bucket(tree)
    older, newer = (
        file.meta(number, root if number == transaction else 0) for number in (transaction - 1, transaction)
    )
    pages = bytearray(file.data)
    pages[: 2 * PAGE] = (newer + older) if transaction % 2 == 0 else (older + newer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pages)


class _File:
    def __init__(self, fan_out: int) -> None:
        self.fan_out = fan_out
        self.data = bytearray(4 * PAGE)  # two meta pages, a free list, and an unreferenced page

    def meta(self, transaction: int, root: int) -> bytes:
        body = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, len(self.data) // PAGE, transaction)
        total = 0xCBF29CE484222325
        for byte in body:
            total = (total ^ byte) * 0x100000001B3 % 2**64
        return (struct.pack("<QHHI", transaction % 2, 4, 0, 0) + body + struct.pack("<Q", total)).ljust(PAGE, b"\0")

    def bucket(self, tree: Tree) -> int:
        """Appends a bucket's pages; returns the number of its root page."""
        elements = [(key, *self.value(tree[key])) for key in sorted(tree)]
        level = [
            (part[0][0] if part else b"", self.put(_leaf(part)))
            for part in [elements[at : at + self.fan_out] for at in range(0, len(elements), self.fan_out)] or [[]]
        ]
        while len(level) > 1:
            parts = [level[at : at + self.fan_out] for at in range(0, len(level), self.fan_out)]
            level = [(part[0][0], self.put(_branch(part))) for part in parts]
        return level[0][1]

    def value(self, value: bytes | Tree) -> tuple[int, bytes]:
        if isinstance(value, bytes):
            return 0, value
        if len(value) == 1 and all(isinstance(one, bytes) and len(one) < 100 for one in value.values()):
            inline = _leaf([(key, 0, one) for key, one in value.items() if isinstance(one, bytes)])
            return 1, struct.pack("<QQ", 0, 0) + struct.pack("<QHHI", 0, *inline[:2], 0) + inline[2]
        return 1, struct.pack("<QQ", self.bucket(value), 0)

    def put(self, page: tuple[int, int, bytes]) -> int:
        kind, count, body = page
        number = len(self.data) // PAGE
        size = -(-(16 + len(body)) // PAGE)
        self.data += (struct.pack("<QHHI", number, kind, count, size - 1) + body).ljust(size * PAGE, b"\0")
        return number


def _leaf(elements: list[tuple[bytes, int, bytes]]) -> tuple[int, int, bytes]:
    heads, tail = b"", b""
    for number, (key, kind, value) in enumerate(elements):
        at = 16 * (len(elements) - number) + len(tail)
        heads += struct.pack("<IIII", kind, at, len(key), len(value))
        tail += key + value
    return 2, len(elements), heads + tail


def _branch(elements: list[tuple[bytes, int]]) -> tuple[int, int, bytes]:
    heads, tail = b"", b""
    for number, (key, page) in enumerate(elements):
        heads += struct.pack("<IIQ", 16 * (len(elements) - number) + len(tail), len(key), page)
        tail += key
    return 1, len(elements), heads + tail
