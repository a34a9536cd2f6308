# SPDX-License-Identifier: Apache-2.0
"""Keeps the last words: what processes wrote to standard output and error, as lines, the newest ones."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.causes.report import Words
from traceloop_decode.causes.subject import evidence
from traceloop_decode.descriptors.streams import STDERR, STDOUT
from traceloop_decode.model import Call

_WRITES_MAX: Final = 128
_LINE_MAX: Final = 400
_LINES: Final = 6
# runc sends JSON, crun plain text after two numbers.
_MESSAGE: Final = re.compile(r'"message":"((?:[^"\\]|\\.)*)"')
_PLAIN: Final = re.compile(r"\A[\0-\x1f]{8}(.+?)\0?\Z", re.DOTALL)
_GAP: Final = " ... "
_FOUND_MAX: Final = 64
_PATH_MAX: Final = 256
_SEPARATOR: Final = re.compile(r"[\s'\"`:,()\[\]<>|=]")


class _Write(NamedTuple):
    call: Call
    text: str
    cut: bool


class LastWords:
    """The newest writes to each stream."""

    def __init__(self) -> None:
        self._said: Said | None = None
        self._writes = {stream: deque[_Write](maxlen=_WRITES_MAX) for stream in (STDOUT, STDERR)}

    def wrote(self, call: Call, stream: int) -> None:
        """Observes a write or writev to a stream."""
        text, cut = written(call)
        if text:
            self._said = None
            self._writes[stream].append(_Write(call, text, cut))

    def told(self, call: Call) -> None:
        """Observes a message of the runtime to its parent, about why it does not start the program."""
        text, cut = written(call)
        found = _MESSAGE.search(text) or _PLAIN.search(text)
        if found:
            self._said = None
            said = found[1].replace('\\"', '"')
            self._writes[STDERR].append(_Write(call, f"{said}\n", cut))

    def last(self) -> tuple[Words, ...]:
        """Returns the last lines of each stream that has any, stderr first."""
        return tuple(words for stream in (STDERR, STDOUT) if (words := self._last(stream)) is not None)

    def _last(self, stream: int) -> Words | None:
        writes = self._writes[stream]
        lines = [line for line in "".join(write.text for write in writes).splitlines() if line.strip()]
        if not lines:
            return None
        cut = any(write.cut for write in writes)
        return Words(stream, tuple(line[-_LINE_MAX:] for line in lines[-_LINES:]), cut, evidence(writes[-1].call))

    def complaints(self) -> Iterator[tuple[int, int]]:
        """Yields (time, process) of the writes to stderr."""
        return ((write.call.ts_ns, write.call.pid) for write in self._writes[STDERR])

    def said(self) -> Said:
        """Returns all that is kept of both streams, in the order of time."""
        if self._said is None:
            self._said = Said(
                sorted((write.call.ts_ns, write.text) for writes in self._writes.values() for write in writes)
            )
        return self._said


class Said:
    """The text of many writes, which is searched from a time on without a copy of it."""

    def __init__(self, writes: Sequence[tuple[int, str]]) -> None:
        self.text = "".join(text for _, text in writes)
        self._lower = self.text.lower()
        self._times = [ts_ns for ts_ns, _ in writes]
        self._starts = [0, *accumulate(len(text) for _, text in writes)]
        if len(self._lower) != len(self.text):  # a few letters become two
            self._lower = self.text

    def since(self, ts_ns: int) -> int:
        """Returns where the text of the writes from a time on begins."""
        return self._starts[bisect_left(self._times, ts_ns)]

    def has(self, needle: str, start: int = 0) -> bool:
        """Tells whether it contains a text."""
        return self.text.find(needle, start) >= 0

    def has_any_case(self, needle: str, start: int = 0) -> bool:
        """Tells whether it contains a text in any case."""
        return self._lower.find(needle.lower(), start) >= 0

    def words_with(self, name: str, start: int = 0) -> Iterator[str]:
        """Yields the words that end in a name, such as the paths of a file: the first `_FOUND_MAX` of them."""
        at = start
        for _ in range(_FOUND_MAX):
            at = self.text.find(name, at)
            if at < 0:
                return
            end = at + len(name)
            if not (self.text[end : end + 1].isalnum() or self.text[end : end + 1] == "_"):
                before = self.text[max(at - _PATH_MAX, start) : at]
                yield _SEPARATOR.split(before)[-1] + name
            at = end


def written(call: Call) -> tuple[str, bool]:
    """Returns the text that a call wrote, and whether some of it was not recorded."""
    pieces, cut = [], False
    left = call.result if call.result is not None and call.result >= 0 else None
    for item in call.items.get(1, ()):
        if item.kind in (layout.KIND_BUFFER, layout.KIND_STRING):
            size = item.size if left is None else min(item.size, left)
            data, tail = item.of_first(size)
            pieces.append(data + (_GAP.encode() + tail if tail else b""))
            cut = cut or len(data) + len(tail) < size
            left = None if left is None else left - size
    return b"".join(pieces).decode("utf-8", "backslashreplace"), cut
