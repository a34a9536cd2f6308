# SPDX-License-Identifier: Apache-2.0
"""Blots out secrets in snapshots and labels before they leave the daemon for the archive or a client.

Each string and buffer of each record is searched separately, with regular expressions over bytes. Matches are replaced
by as many asterisks, so that records keep their length and their stamps stay valid. All bytes outside of records, such
as the remains of overwritten ones, are replaced by zeros: no reader decodes them, but they could contain secrets.

Most rings contain no secret. So for the patterns that come with traceloop, the whole data is first searched for signs:
short patterns of which each match contains one. Only strings and buffers with a sign are then searched separately.

Traced programs choose the text. So patterns that could take unbounded time are refused (`compiled`), and once a
snapshot has taken `BUDGET_S` of processor time, its remaining strings and buffers are blotted out without a search.

Memory that is longer than an item may have its end in items of its own. These are searched together, and together with
the beginning where nothing between was left out. Otherwise a secret may begin in what was left out of a write: then the
first word of the end is blotted out, and the whole end where the beginning ends in a secret.
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
"""Translation of each byte to an asterisk, except NUL, which separates the strings of an argv."""
_WORD: Final = rb"(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
_HEADER: Final = rb"(?:authorization|cookie|x-[a-z-]{0,24}(?:key|token))"
# What programs write behind "password: " and the like instead of a password, where they say what is wrong: these words
# alone, ...
_SAYS: Final = (
    rb"(?:not|no|yes|none|null|nil|undefined|unset|empty|blank|missing|required|expected|unexpected|invalid|illegal|bad"
    rb"|malformed|incorrect|mismatch|unknown|unsupported|unauthori[sz]ed|unauthenticated|unavailable|unreadable"
    rb"|unreachable|forbidden|denied|refused|rejected|expired|revoked|failed|disabled|is|isn't|was|wasn't|are|were|be"
    rb"|been|has|hasn't|have|had|must|should|cannot|can't|could|couldn't|did|didn't|does|doesn't|may|might|will|won't"
    rb"|unable|too|eof|true|false|redacted)(?=[.,:;)\]}\"']*(?:[\s\0]|\Z))"
)
# ... these where a word follows, or what Go's and Rust's errors are chained by, ...
_SAYS_MORE: Final = (
    rb"(?:access|account|asn1|authentication|authorization|base64|broken|can|certificate|check|config|configuration"
    rb"|connect|connection|contains|context|could|credential|credentials|crypto|decode|decoding|decryption|dial|ensure"
    rb"|error|exceeded|exec|exit|expecting|failure|field|file|found|from|got|header|http|https|illegal|in|input"
    rb"|insufficient|internal|io|issue|json|jwt|length|line|lookup|max|maximum|min|minimum|must|name|named|need"
    rb"|network|neither|nothing|oauth2|only|open|operation|os|parse|parsing|path|pem|permission|please|provide|provided"
    rb"|quota|rate|read|remove|request|response|rpc|see|server|service|signature|some|specify|ssl|stat"
    rb"|status|string|syntax|system|there|timed|timeout|tls|type|unmarshal|unrecogni[sz]ed|use|user|username|value"
    rb"|variable|want|wanted|while|with|without|write|wrong|x509|yaml|you|your|this)(?=[ \t]+[\w\"'(\[{<`/]|:[ \t])"
)
# ... a sentence: within three more words stands one that passwords are rarely followed by, ...
_NEXT: Final = rb"[ \t]{1,4}[\w\"'./-]{1,32}"
_SAYS_SENTENCE: Final = (
    rb"[a-z']{2,15}(?=(?:%b(?:%b)?)?[ \t]{1,4}(?:of|in|are|the|than|must|not|be|to|before|does|has|least)(?:[ \t]|\Z))"
    % (_NEXT, _NEXT)
)
# ... what Kubernetes names, and the status and the method of HTTP.
_SAYS_NAMED: Final = rb"(?:secrets?|key)(?=[ \t]+[\"'])"
_SAYS_HTTP: Final = rb"(?:[45][0-9]{2}(?=[ \t]+[a-z])|(?:get|post|put|head|patch|delete)(?=[ \t]+[\"']?https?:))"
_PROSE: Final = rb"(?![ \t]{1,4}(?:" + rb"|".join((_SAYS, _SAYS_MORE, _SAYS_SENTENCE, _SAYS_NAMED, _SAYS_HTTP)) + rb"))"
_UNSET: Final = rb"(?![ \t]{0,4}(?:null|none|nil|undefined|true|false)(?:[\s,}\])\0]|\Z))"
_NO_HEADER: Final = rb"(?![ \t]{0,4}(?:" + _SAYS + rb"|(?:access|header|named|permission)[ \t]))"
_TERMINAL: Final = rb"(?<!expected )"  # of a grammar: "unexpected token: '}'"
# These patterns are applied to text in lower case: that is three times as fast as a search that ignores case.
LOWERED: Final = (
    # password=..., "api_key": "..., --token ... in one string
    re.compile(
        _TERMINAL
        + _WORD
        + rb"[\w-]{0,32}[\"']?[ \t]{0,4}(?:=%b|:%b%b)[ \t]{0,4}[\"']?([^\s\"'&;,\0]+)" % (_UNSET, _UNSET, _PROSE)
    ),
    re.compile(_HEADER + rb":%b[ \t]*([^\r\n\0]+)" % _NO_HEADER),
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
# Each match of the patterns above contains one of these signs. A sign begins with a fixed character, which is fast to
# search for, and matches that character alone, so that no match hides another. Its lookahead has a bounded length.
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
_CUT: Final = re.compile(rb"[^\0]*?-----END [A-Z ]{0,32}PRIVATE KEY-----|[^\s\"'&;,\0]+")
"""Bytes at the beginning of a captured end that may be the rest of a secret."""
_log = logging.getLogger(__name__)


def compiled(text: str) -> re.Pattern[bytes]:
    """Compiles a pattern of the settings. Raises ValueError, which says what is valid."""
    raw = text.encode("utf-8", "surrogateescape")
    try:
        pattern = re.compile(raw)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"a list of regular expressions: {text!a}: {error}") from error
    if pattern.search(b"") is not None:
        raise ValueError(f"a list of patterns that do not match the empty string: {text!a} does")
    if _can_explode(_parser.parse(raw), repeated=False):
        raise ValueError(f"a list of patterns that take bounded time: {text!a} repeats a choice or a repeat")
    return pattern


_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


def _can_explode(parsed: Any, *, repeated: bool) -> bool:
    # A repeat or a choice within a repeat can have exponentially many ways to match.
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
    """Blots out matches of the patterns that come with traceloop (`defaults`) and of additional patterns.

    If a pattern has groups, the text that they match is blotted out, otherwise the whole match.
    """

    def __init__(
        self, patterns: Sequence[re.Pattern[bytes]] = (), *, defaults: bool = True, budget_s: float = BUDGET_S
    ) -> None:
        self.defaults, self.patterns, self._budget_s = defaults, tuple(patterns), budget_s

    def redacted(self, snapshot: Snapshot, name: str) -> Snapshot:
        """Returns the snapshot without secrets, of the same length. name: the trace's name, for the log."""
        data, kept, found = snapshot.data, bytearray(len(snapshot.data)), places(snapshot)
        for begin, end in found.runs:
            kept[begin:end] = data[begin:end]
        for end in found.ends:
            if padding := -end % 8:  # contains bytes of an overwritten record
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
        for head, first, last, gap in found.tails:
            self._blot_end(data, kept, found, (head, first, last), gap=gap, unread=time.thread_time() > until_s)
        if unread:
            _log.warning(
                "%s: %d strings blotted out unread: the search for secrets took more than %g s; see [redact]",
                *(name, unread, self._budget_s),
            )
        files = snapshot.open_files
        return replace(snapshot, data=bytes(kept), open_files=files and self._files(files))

    def _blot_end(
        self, data: bytes, kept: bytearray, found: Places, which: tuple[int, int, int], *, gap: bool, unread: bool
    ) -> None:
        head, first, last = which
        spans = [(found.begins[index], found.ends[index]) for index in range(first if gap else head, last + 1)]
        whole = b"".join(data[begin:end] for begin, end in spans)
        at_gap = found.ends[head] - 1
        if unread or (gap and kept[at_gap] != data[at_gap]):
            changed = whole.translate(_BLOT)
        else:
            changed = self._blotted(whole, suspect=self.defaults)
            if gap and (cut := _CUT.match(whole)):
                changed = whole[: cut.end()].translate(_BLOT) + changed[cut.end() :]
        at = 0
        for begin, end in spans:
            old, new = whole[at : at + end - begin], changed[at : at + end - begin]
            if old != new:
                for index, (was, now) in enumerate(zip(old, new, strict=True), begin):
                    if was != now:
                        kept[index] = now
            at += end - begin

    def blotted(self, item: bytes) -> bytes:
        """Returns a string or buffer with matches replaced by asterisks; `item` itself if there are none."""
        return self._blotted(item, suspect=self.defaults)

    def labels(self, labels: Labels) -> Labels:
        """Returns labels with secrets in their values blotted out. Each is searched as ``name=value``."""
        pairs = tuple((name, self._value(name, value)) for name, value in labels.pairs)
        return replace(labels, pairs=pairs)

    def _value(self, name: str, value: str) -> str:
        before = f"{name}=".encode()
        return self.blotted(before + value.encode())[len(before) :].decode("utf-8", "backslashreplace")

    def _blotted(self, item: bytes, *, suspect: bool) -> bytes:
        # suspect: whether the default patterns can match
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
        processes = {pid: self._process(process) for pid, process in files.processes.items()}
        return replace(files, processes=processes, later=tuple(self._files(read) for read in files.later))

    def _process(self, process: Process) -> Process:
        cwd, root = (name and self.blotted(name) for name in (process.cwd, process.root))
        fds = {fd: (self.blotted(name), flag) for fd, (name, flag) in process.fds.items()}
        return replace(process, cwd=cwd, root=root, fds=fds)


def _suspects(data: bytes, found: Places) -> set[int]:
    # Returns the indices of items with a sign. After a sign the search continues at the next item, so there are no more
    # steps than items, whatever they contain.
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
