# SPDX-License-Identifier: Apache-2.0
"""Untrusted text and bytes as printable ASCII: none of their bytes reaches a terminal unescaped."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_CACHE_MAX: Final = 2048
_OCTAL: Final = "\\%o"
_OCTAL_BEFORE_DIGIT: Final = "\\%03o"
_LETTERS: Final = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_NOT_PLAIN: Final = re.compile(r'([^ -~]|["\\])(?=([0-7]?))')
_AMBIGUOUS: Final = re.compile(r"[\0-\x08\x0e-\x1f][0-7]")  # a following digit would become part of the escape
_ESCAPES: Final = {byte: _OCTAL % byte for byte in (*range(32), *range(127, 256))} | _LETTERS
_HEX_ESCAPES: Final = {byte: f"\\x{byte:02x}" for byte in (*range(32), *range(127, 256))} | _LETTERS
_NOT_TEXT: Final = re.compile(r"[^ -~\t\n\v\f\r]")
_NOT_PRINTABLE: Final = re.compile(r"([^ -~])(?=([0-7]?))")


@lru_cache(maxsize=_CACHE_MAX)
def quote(data: bytes, more: bool = False, escape: int = 0) -> str:  # noqa: FBT001, FBT002 - keywords cost time here
    """Returns a C string literal with the shortest escapes, as strace prints it; ``...`` follows if there is more.

    escape: 1 writes the whole string in hexadecimal if a byte is not plain text (strace -x), 2 always (-xx), 3 only the
    bytes that are not printable.
    """
    text = data.decode("latin-1")
    if escape == 2 or (escape == 1 and _NOT_TEXT.search(text)):
        text = "".join([f"\\x{byte:02x}" for byte in data])
    elif escape == 3:
        text = text.translate(_HEX_ESCAPES)
    elif _AMBIGUOUS.search(text):
        text = _NOT_PLAIN.sub(_escaped, text)
    else:
        text = text.translate(_ESCAPES)
    return f'"{text}"...' if more else f'"{text}"'


@lru_cache(maxsize=_CACHE_MAX)
def printable(text: str) -> str:
    """Escapes what is not printable ASCII in untrusted text, such as a thread's name."""
    return _NOT_PRINTABLE.sub(_escaped, text.encode("utf-8", "surrogatepass").decode("latin-1"))


def utf8(text: str) -> bytes:
    """Returns the text as UTF-8. A lone surrogate, which JSON can spell, becomes six characters: ``\\ud800``."""
    return text.encode("utf-8", "backslashreplace")


def encodable(text: str) -> str:
    """Returns the text that `utf8` encodes, so that encoding it, as protobuf does, cannot fail."""
    return text if text.isascii() else utf8(text).decode()


def _escaped(match: re.Match[str]) -> str:
    byte = ord(match[1])
    return _LETTERS.get(byte) or (_OCTAL_BEFORE_DIGIT if match[2] else _OCTAL) % byte
