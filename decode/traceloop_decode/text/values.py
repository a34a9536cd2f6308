# SPDX-License-Identifier: Apache-2.0
"""Single values as text: quoted bytes, clocks, numbers by their C type."""

from __future__ import annotations

import re
from typing import Final

_OCTAL: Final = "\\%o"
_OCTAL_BEFORE_DIGIT: Final = "\\%03o"
_LETTERS: Final = {9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_NOT_PLAIN: Final = re.compile(r'([^ -~]|["\\])(?=([0-7]?))')
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


def quote(data: bytes, *, more: bool = False) -> str:
    """Bytes as a C string literal, with the shortest escapes, as strace has it; ``...`` behind it if there is more."""
    return f'"{_NOT_PLAIN.sub(_escaped, data.decode("latin-1"))}"{"..." if more else ""}'


def printable(text: str) -> str:
    """Text that someone else chose, such as a thread's name: what is not printable ASCII is escaped, the rest stays."""
    return _NOT_PRINTABLE.sub(_escaped, text.encode("utf-8", "surrogatepass").decode("latin-1"))


def _escaped(match: re.Match[str]) -> str:
    byte = ord(match[1])
    return _LETTERS.get(byte) or (_OCTAL_BEFORE_DIGIT if match[2] else _OCTAL) % byte


def clock(elapsed_ns: int) -> str:
    """``MM:SS.nnnnnnnnn``; the minutes go on after 59."""
    minutes, rest_ns = divmod(abs(elapsed_ns), 60_000_000_000)
    seconds, nanoseconds = divmod(rest_ns, 1_000_000_000)
    return f"{'-' if elapsed_ns < 0 else ''}{minutes:02}:{seconds:02}.{nanoseconds:09}"


def bare_type(ctype: str) -> str:
    """A C type without ``const``, its stars together: ``const char *const *`` -> ``char **``."""
    name, star, _ = _CONST.sub("", ctype).partition("*")
    return " ".join(name.split()) + (" " + "*" * ctype.count("*") if star else "")


def is_pointer(ctype: str) -> bool:
    """Does a register of this C type hold an address?"""
    return "*" in ctype or bare_type(ctype) in _POINTER_TYPEDEFS


def integer(raw: int, ctype: str, *, compat: bool) -> int:
    """The number that a register (unsigned, 64 bits) holds as a value of a C type."""
    bits, signed = _INTEGERS.get(bare_type(ctype), (64, False))
    if compat:
        bits = min(bits, 32)
    value = raw & ((1 << bits) - 1)
    return value - (1 << bits) if signed and value >> (bits - 1) else value
