# SPDX-License-Identifier: Apache-2.0
"""Converts trace ids to file names and back, and names the objects of a store.

Characters outside ``[A-Za-z0-9_.:@+-]`` are written as %XX, byte by byte, and so is a leading dot. A name that would be
too long for a file is cut and followed by ``~`` and the id's SHA-256; only the file's content has the whole id then.
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
    """Returns the name of a trace's file, different for each id."""
    if _PLAIN.fullmatch(trace_id):  # the usual case, fast because `list` needs all names
        return trace_id + SUFFIX
    stem = quoted(trace_id)
    if len(stem) + len(SUFFIX) > _NAME_MAX:
        digest = sha256(trace_id.encode("utf-8", "surrogatepass")).hexdigest()
        stem = stem[: _NAME_MAX - len(SUFFIX) - len(_CUT) - len(digest)] + _CUT + digest
    return stem + SUFFIX


def trace_id_of(name: str) -> str:
    """Returns the id that a file name stands for; for a cut name, the name without its suffix."""
    stem = name.removesuffix(SUFFIX)
    return stem if _CUT in stem else unquote(stem, errors="backslashreplace")


def quoted(trace_id: str) -> str:
    """Returns an id quoted so that it fits into a line and a file name."""
    text = quote(trace_id, safe=_UNQUOTED, errors="surrogatepass").replace(_CUT, "%7E")
    return "%2E" + text[1:] if text.startswith(".") else text


def object_tail(node: str, boot_id: str, trace_id: str) -> str:
    """Returns the end of an object's key in a store, NODE/BOOT/FILE: no two traces of a cluster have the same."""
    return "/".join((part(node), part(boot_id), file_name(trace_id)))


def part(name: str) -> str:
    """Returns a name as one part of a key; ``_`` for an empty one."""
    return quoted(name) or "_"
