# SPDX-License-Identifier: Apache-2.0
"""Trace ids as names of files, and back.

A letter that is not of ``[A-Za-z0-9_.:@+-]`` is written as %XX, byte by byte, and so is a dot at the begin. What would
be longer than a file's name may be is cut, and ``~`` and the id's SHA-256 stand behind it: the whole id is in the file
alone.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote

SUFFIX: Final = ".trace"
_NAME_MAX: Final = 255  # limits.h, without the final 0
_PLAIN: Final = re.compile(r"[A-Za-z0-9_:@+-][A-Za-z0-9_.:@+-]{0,200}")
_UNQUOTED: Final = ":@+"  # beyond letters, digits and "_.-~", which quote() leaves alone
_CUT: Final = "~"


def file_name(trace_id: str) -> str:
    """The name of a trace's file; no two ids have the same."""
    if _PLAIN.fullmatch(trace_id):  # nearly all, and `list` asks for all
        return trace_id + SUFFIX
    stem = quoted(trace_id)
    if len(stem) + len(SUFFIX) > _NAME_MAX:
        digest = sha256(trace_id.encode("utf-8", "surrogatepass")).hexdigest()
        stem = stem[: _NAME_MAX - len(SUFFIX) - len(_CUT) - len(digest)] + _CUT + digest
    return stem + SUFFIX


def trace_id_of(name: str) -> str:
    """The id that a file's name tells; of one that was cut, the name without its suffix."""
    stem = name.removesuffix(SUFFIX)
    return stem if _CUT in stem else unquote(stem, errors="backslashreplace")


def quoted(trace_id: str) -> str:
    """An id in letters that fit into a line, and into a file's name."""
    text = quote(trace_id, safe=_UNQUOTED, errors="surrogatepass").replace(_CUT, "%7E")
    return "%2E" + text[1:] if text.startswith(".") else text
