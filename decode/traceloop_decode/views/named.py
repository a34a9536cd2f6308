# SPDX-License-Identifier: Apache-2.0
"""Paths that calls name, made absolute as far as the trace tells where they begin, and what a call did to them."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from traceloop_decode.model import Call
from traceloop_decode.selection.fields import file_text, item_text
from traceloop_decode.selection.paths import paths_at
from traceloop_decode.syscalls import EXECS

_INT: Final = 0xFFFFFFFF
_AT_FDCWD: Final = -100 & _INT
_DIRECTORIES: Final = frozenset(("dfd", "olddfd", "newdfd", "dirfd", "fd"))
_O_CREAT: Final = 0o100
_OPENS: Final = {"open": 1, "openat": 2, "open_by_handle_at": 2}  # call -> the argument that is flags
_OPENAT2: Final = "openat2"
_HOW_AT: Final = 2
_MAKES: Final = frozenset(("creat", "mkdir", "mkdirat", "mknod", "mknodat"))
_SYMLINKS: Final = frozenset(("symlink", "symlinkat"))
_LINKS: Final = frozenset(("link", "linkat"))
_RENAMES: Final = frozenset(("rename", "renameat", "renameat2"))
_TWO_NAMES: Final = _LINKS | _RENAMES
_FLAGS_AT, _RENAME_EXCHANGE = 4, 2  # of renameat2
_REMOVES: Final = frozenset(("unlink", "unlinkat", "rmdir"))


class Effect(Enum):
    """An effect of a call on a path, if it succeeds."""

    OPENED = "opened"
    CREATED = "created"
    REMOVED = "removed"
    LOOKED_AT = "looked at"


class Named(NamedTuple):
    """A path in a call. path: absolute, or relative if its beginning is not known."""

    path: str
    effect: Effect


def named(call: Call, *, failed: bool) -> Iterator[Named]:
    """Yields the paths that a call names, and what it does to each.

    The target of a symbolic link is only text. failed: leave out a second name, as one has the error.
    """
    for number, (index, item) in enumerate(paths_at(call)):
        text = item_text(item)
        is_target = index == 0 and call.name in _SYMLINKS
        is_second = number == 1 and call.name in _TWO_NAMES
        if text and not is_target and not (failed and is_second):
            yield Named(_absolute(call, index, text), _effect(call, number))


def _effect(call: Call, number: int) -> Effect:
    name = call.name
    if name in _OPENS or name == _OPENAT2:
        return Effect.CREATED if _open_flags(call) & _O_CREAT else Effect.OPENED
    if name == "renameat2" and len(call.registers) > _FLAGS_AT and call.registers[_FLAGS_AT] & _RENAME_EXCHANGE:
        return Effect.LOOKED_AT
    if name in _MAKES or name in _SYMLINKS or (name in _TWO_NAMES and number == 1):
        return Effect.CREATED
    if name in _REMOVES or (name in _RENAMES and number == 0):
        return Effect.REMOVED
    return Effect.OPENED if name in EXECS else Effect.LOOKED_AT


def _open_flags(call: Call) -> int:
    if call.name == _OPENAT2:
        how = next((item.data for item in call.items.get(_HOW_AT, ())), b"")
        return int.from_bytes(how[:8], "little")
    at = _OPENS[call.name]
    return call.registers[at] if at < len(call.registers) else 0


def _absolute(call: Call, index: int, text: str) -> str:
    if text.startswith("/"):
        return text
    directory = _directory(call, index)
    text = text.removeprefix("./")
    return f"{directory.rstrip('/')}/{text}" if directory.startswith("/") else text


def _directory(call: Call, index: int) -> str:
    # Where a relative path begins: a descriptor before it, or the working directory.
    if call.files is None:
        return ""
    args = call.args
    before = args[index - 1] if 0 < index <= len(args) else None
    if before is not None and before.name in _DIRECTORIES and before.raw & _INT != _AT_FDCWD:
        known = call.files.before.get(before.raw & _INT)
    else:
        known = call.files.cwd
    return file_text(known) if known is not None else ""
