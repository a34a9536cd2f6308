# SPDX-License-Identifier: Apache-2.0
"""Single values as text: quoted bytes, clocks, numbers by their C type."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

_CACHE_MAX: Final = 2048
_OCTAL: Final = "\\%o"
_OCTAL_BEFORE_DIGIT: Final = "\\%03o"
_LETTERS: Final = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_NOT_PLAIN: Final = re.compile(r'([^ -~]|["\\])(?=([0-7]?))')
_AMBIGUOUS: Final = re.compile(r"[\0-\x08\x0e-\x1f][0-7]")  # an escape that a digit would lengthen
_ESCAPES: Final = {byte: _OCTAL % byte for byte in (*range(32), *range(127, 256))} | _LETTERS
_NOT_TEXT: Final = re.compile(r"[^ -~\t\n\v\f\r]")
_NOT_PRINTABLE: Final = re.compile(r"([^ -~])(?=([0-7]?))")

# C type -> (bits, signed); what is not here is unsigned and as wide as a register. In a compat call, whose registers
# have 32 bits, these are no wider.
_INTEGERS: Final = {
    "int": (32, True),
    "long": (64, True),
    "off_t": (64, True),
    "loff_t": (64, True),
    "pid_t": (32, True),
    "clockid_t": (32, True),
    "timer_t": (32, True),
    "mqd_t": (32, True),
    "key_t": (32, True),
    "key_serial_t": (32, True),
    "s32": (32, True),
    "__s32": (32, True),
    "unsigned": (32, False),
    "unsigned int": (32, False),
    "u32": (32, False),
    "__u32": (32, False),
    "uid_t": (32, False),
    "gid_t": (32, False),
    "qid_t": (32, False),
    "rwf_t": (32, False),
    "umode_t": (16, False),
}
_POINTER_TYPEDEFS: Final = frozenset(("cap_user_header_t", "cap_user_data_t", "__sighandler_t"))
_CONST: Final = re.compile(r"\bconst\b")


@lru_cache(maxsize=_CACHE_MAX)
def quote(data: bytes, more: bool = False, escape: int = 0) -> str:  # noqa: FBT001, FBT002 - keywords cost time here
    """Bytes as a C string literal, with the shortest escapes, as strace has it; ``...`` behind it if there is more.

    escape: 1 writes all of it in hexadecimal if a byte is not plain text (strace -x), 2 always (-xx).
    """
    text = data.decode("latin-1")
    if escape == 2 or (escape == 1 and _NOT_TEXT.search(text)):
        text = "".join([f"\\x{byte:02x}" for byte in data])
    elif _AMBIGUOUS.search(text):
        text = _NOT_PLAIN.sub(_escaped, text)
    else:
        text = text.translate(_ESCAPES)
    return f'"{text}"...' if more else f'"{text}"'


@lru_cache(maxsize=_CACHE_MAX)
def printable(text: str) -> str:
    """Text that someone else chose, such as a thread's name: what is not printable ASCII is escaped, the rest stays."""
    return _NOT_PRINTABLE.sub(_escaped, text.encode("utf-8", "surrogatepass").decode("latin-1"))


def _escaped(match: re.Match[str]) -> str:
    byte = ord(match[1])
    return _LETTERS.get(byte) or (_OCTAL_BEFORE_DIGIT if match[2] else _OCTAL) % byte


def clock(elapsed_ns: int) -> str:
    """``MM:SS.nnnnnnnnn``; the minutes go on after 59."""
    seconds, nanoseconds = divmod(abs(elapsed_ns), 1_000_000_000)
    text = f"{_minutes(seconds)}.{nanoseconds:09}"
    return text if elapsed_ns >= 0 else f"-{text}"


@lru_cache(maxsize=16)
def _minutes(seconds: int) -> str:
    return f"{seconds // 60:02}:{seconds % 60:02}"


@cache
def bare_type(ctype: str) -> str:
    """A C type without ``const``, its stars together: ``const char *const *`` -> ``char **``."""
    name, star, _ = _CONST.sub("", ctype).partition("*")
    return " ".join(name.split()) + (" " + "*" * ctype.count("*") if star else "")


def is_pointer(ctype: str) -> bool:
    """Does a register of this C type hold an address?"""
    return "*" in ctype or bare_type(ctype) in _POINTER_TYPEDEFS


@cache
def width(ctype: str, *, compat: bool) -> tuple[int, bool]:
    """The bits of a value of a C type in a register, and whether it is signed."""
    bits, signed = _INTEGERS.get(bare_type(ctype), (64, False))
    return min(bits, 32) if compat else bits, signed


def integer(raw: int, ctype: str, *, compat: bool) -> int:
    """The number that a register (unsigned, 64 bits) holds as a value of a C type."""
    bits, signed = width(ctype, compat=compat)
    value = raw & ((1 << bits) - 1)
    return value - (1 << bits) if signed and value >> (bits - 1) else value
