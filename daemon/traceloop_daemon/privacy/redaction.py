# SPDX-License-Identifier: Apache-2.0
"""Blots out secrets in a snapshot, and in labels, before they leave the daemon for the archive or for who asks.

Each string and buffer of each record is searched by itself, for regular expressions over bytes; what they find becomes
as many asterisks, so that records stay as long as they were and their stamps stay true. All that is no record, as the
rests of those that are overwritten, becomes zero: no one could read it, but it could hold what was to be blotted out.

Most rings hold no secret. So for the patterns that come with traceloop the data is searched as a whole first, for what
none of their matches can be without: the signs. Only strings and buffers with a sign are searched by themselves.

Traced programs choose what is searched. So patterns that could take for ever are refused (`compiled`), and when a
snapshot has taken `BUDGET_S` of the processor's time, what is left to be searched of its strings and buffers is blotted
out unread.
"""

from __future__ import annotations

import logging
import re
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from traceloop_daemon.naming.labels import Labels
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.places import Places, places
from traceloop_decode.snapshot import Snapshot

BUDGET_S: Final = 5.0
_BLOT: Final = bytes(0 if byte == 0 else ord("*") for byte in range(256))
"""NULs stay: between them are the strings of an argv."""
_WORD: Final = rb"(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
_HEADER: Final = rb"(?:authorization|cookie|x-[a-z-]{0,24}(?:key|token))"
# Those of the first group see lower case alone: so are they searched for three times as fast as by ignoring case.
LOWERED: Final = (
    # password=..., "api_key": "..., --token ... in one string
    re.compile(_WORD + rb"[\w-]{0,32}[\"']?[ \t]{0,4}[=:][ \t]{0,4}[\"']?([^\s\"'&;,\0]+)"),
    re.compile(_HEADER + rb":[ \t]*([^\r\n\0]+)"),
)
EXACT: Final = (
    re.compile(rb"://[^/\s:@\0]{0,64}:([^/\s@\0]+)@"),  # the password in a URL
    re.compile(rb"A(?:KIA|SIA)[0-9A-Z]{16}"),  # AWS access key id
    re.compile(rb"g(?:h[pousr]_[0-9A-Za-z]+|ithub_pat_\w+|lpat-[\w-]+)"),
    re.compile(rb"xox[a-z]-[\w-]+"),
    re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]*"),  # JSON web token
    re.compile(rb"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----([^-]+)"),
    re.compile(rb"\$(?:1|2[abxy]|5|6|7|y|gy|argon2id?)\$([./0-9A-Za-z$=,+]+)"),  # crypt(5)
)
# Each match of the patterns above has one of these within it. Each begins with a letter, which is quickly searched for,
# and takes no more than that letter, so that none hides another. What follows has a bounded length.
LOWERED_SIGNS: Final = tuple(
    re.compile(rb"%c(?=%b[\w-]{0,32}[\"']?[ \t]{0,4}[=:])" % (word[0], word[1:]))
    for word in (b"pass(?:word|wd|phrase)", b"secret", b"token", b"key", b"credential", b"authorization", b"cookie")
)
EXACT_SIGNS: Final = tuple(
    re.compile(sign)
    for sign in (
        *(rb":(?=//[^/\s:@\0]{0,64}:)", rb"A(?=KIA|SIA)", rb"g(?=h[pousr]_|ithub_pat_|lpat-)", rb"x(?=ox[a-z]-)"),
        *(rb"e(?=yJ)", rb"K(?=EY-----)", rb"\$(?=(?:1|2[abxy]|5|6|7|y|gy|argon2id?)\$)"),
    )
)
_log = logging.getLogger(__name__)


def compiled(text: str) -> re.Pattern[bytes]:
    """A pattern of the configuration. Raises ValueError with what it should have been."""
    raw = text.encode("utf-8", "surrogateescape")
    try:
        pattern = re.compile(raw)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"a list of regular expressions: {text!a}: {error}") from error
    if pattern.search(b"") is not None:
        raise ValueError(f"a list of patterns that never fit nothing: {text!a} does")
    if _can_explode(_parser.parse(raw), repeated=False):
        raise ValueError(f"a list of patterns that take a bounded time: {text!a} repeats a choice or a repeat")
    return pattern


_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


def _can_explode(parsed: Any, *, repeated: bool) -> bool:
    # Repeats within repeats, and choices within them, may be tried in exponentially many ways.
    for op, argument in parsed:
        if op in _REPEATS:
            least, most, inner = argument
            if repeated and most != least:
                return True
            if _can_explode(inner, repeated=repeated or most > 1):
                return True
        elif op is sre.BRANCH:
            if repeated or any(_can_explode(inner, repeated=repeated) for inner in argument[1]):
                return True
        else:
            for inner in argument if isinstance(argument, tuple) else (argument,):
                if isinstance(inner, _parser.SubPattern) and _can_explode(inner, repeated=repeated):
                    return True
    return False


class Redactor:
    """Looks for the patterns that come with traceloop (`defaults`), and for more of them.

    Where a pattern has groups, the groups are blotted out, else the whole match.
    """

    def __init__(
        self, patterns: Sequence[re.Pattern[bytes]] = (), *, defaults: bool = True, budget_s: float = BUDGET_S
    ) -> None:
        self.defaults, self.patterns, self._budget_s = defaults, tuple(patterns), budget_s

    def redacted(self, snapshot: Snapshot, name: str) -> Snapshot:
        """The snapshot without what the patterns find, as long as before. name: of the trace, for the log."""
        data, kept, found = snapshot.data, bytearray(len(snapshot.data)), places(snapshot)
        for begin, end in found.runs:
            kept[begin:end] = data[begin:end]
        for end in found.ends:
            if padding := -end % 8:  # it is what was there before
                kept[end : end + padding] = bytes(padding)
        until_s, unread = time.thread_time() + self._budget_s, 0
        suspects = _suspects(data, found) if self.defaults else set()
        for index in range(len(found.begins)) if self.patterns else suspects:
            begin, end = found.begins[index], found.ends[index]
            if time.thread_time() > until_s:
                kept[begin:end] = data[begin:end].translate(_BLOT)
                unread += 1
            else:
                kept[begin:end] = self._blotted(data[begin:end], suspect=index in suspects)
        if unread:
            _log.warning("%s: %d strings blotted out unread: [redact] took %g s already", name, unread, self._budget_s)
        files = snapshot.open_files
        return replace(snapshot, data=bytes(kept), open_files=files and self._files(files))

    def blotted(self, item: bytes) -> bytes:
        """A string or buffer with asterisks for what the patterns find; `item` itself where they find nothing."""
        return self._blotted(item, suspect=self.defaults)

    def labels(self, labels: Labels) -> Labels:
        """Labels with asterisks in their values, each searched behind its name: ``name=value``."""
        pairs = tuple((name, self._value(name, value)) for name, value in labels.pairs)
        return replace(labels, pairs=pairs)

    def _value(self, name: str, value: str) -> str:
        before = f"{name}=".encode()
        return self.blotted(before + value.encode())[len(before) :].decode("utf-8", "backslashreplace")

    def _blotted(self, item: bytes, *, suspect: bool) -> bytes:
        # suspect: may the default patterns find something?
        found = [match for pattern in self.patterns for match in pattern.finditer(item)]
        if suspect:
            lowered = item.lower()
            found += [match for pattern in LOWERED for match in pattern.finditer(lowered)]
            found += [match for pattern in EXACT for match in pattern.finditer(item)]
        if not found:
            return item
        changed = bytearray(item)
        for match in found:
            for group in range(1, match.re.groups + 1) if match.re.groups else (0,):
                begin, end = match.span(group)
                if begin >= 0:
                    changed[begin:end] = item[begin:end].translate(_BLOT)
        return bytes(changed)

    def _files(self, files: OpenFiles) -> OpenFiles:
        return replace(files, processes={pid: self._process(process) for pid, process in files.processes.items()})

    def _process(self, process: Process) -> Process:
        cwd, root = (name and self.blotted(name) for name in (process.cwd, process.root))
        fds = {fd: (self.blotted(name), flag) for fd, (name, flag) in process.fds.items()}
        return replace(process, cwd=cwd, root=root, fds=fds)


def _suspects(data: bytes, found: Places) -> set[int]:
    # The indices of items with a sign. Behind one the search goes on with the next item: there are no more steps than
    # items, whatever they hold.
    begins, ends = found.begins, found.ends
    suspects: set[int] = set()
    for signs, text in ((LOWERED_SIGNS, data.lower()), (EXACT_SIGNS, data)):
        for sign in signs:
            match = sign.search(text)
            while match is not None:
                after = bisect_right(begins, match.start())
                if after and match.start() < ends[after - 1]:
                    suspects.add(after - 1)
                match = sign.search(text, begins[after]) if after < len(begins) else None
    return suspects
