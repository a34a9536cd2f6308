# SPDX-License-Identifier: Apache-2.0
"""C types by name: which ones are pointers, the width of the others, and the value that a register holds."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

# C type -> (bits, signed); other types are unsigned and as wide as a register. A compat call's registers have 32 bits,
# so no type is wider there.
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


@cache
def bare_type(ctype: str) -> str:
    """Returns a C type without ``const``, its stars together: ``const char *const *`` -> ``char **``."""
    name, star, _ = _CONST.sub("", ctype).partition("*")
    return " ".join(name.split()) + (" " + "*" * ctype.count("*") if star else "")


def is_pointer(ctype: str) -> bool:
    """Tells whether a register of this C type holds an address."""
    return "*" in ctype or bare_type(ctype) in _POINTER_TYPEDEFS


@cache
def width(ctype: str, *, compat: bool) -> tuple[int, bool]:
    """Returns the number of bits of a C type's value in a register, and whether it is signed."""
    bits, signed = _INTEGERS.get(bare_type(ctype), (64, False))
    return min(bits, 32) if compat else bits, signed


def integer(raw: int, ctype: str, *, compat: bool) -> int:
    """Returns the number that a register (unsigned, 64 bits) holds as a value of a C type."""
    bits, signed = width(ctype, compat=compat)
    value = raw & ((1 << bits) - 1)
    return value - (1 << bits) if signed and value >> (bits - 1) else value
