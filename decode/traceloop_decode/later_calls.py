# SPDX-License-Identifier: Apache-2.0
"""Calls that the tables lack and the recording kernel named itself: as found in tracefs, and as kept in a snapshot.

In a snapshot's JSON: a field by number, with the call's name, and a name and a C type for each argument::

    {"472": ["new_call", [["fd", "int"], ["buf", "const char *"]]]}

tracefs has a directory for each call, events/syscalls/sys_enter_NAME, with a file ``format``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from traceloop_decode.model import DecodeError
from traceloop_decode.syscalls import Abi, Later, Param, Syscall

RENAMED: Final = {
    "newstat": "stat",
    "newlstat": "lstat",
    "newfstat": "fstat",
    "newuname": "uname",
    "sendfile64": "sendfile",
    "umount": "umount2",
}
"""Functions of the kernel whose name differs from their system call's (arch/x86/entry/syscalls/syscall_64.tbl)."""

_FIELD: Final = re.compile(r"^\tfield:(.*?)(\w+);\toffset:", re.MULTILINE)
_COUNT_MAX: Final = 256
_ARGUMENTS_MAX: Final = 6
_NAME: Final = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_CTYPE: Final = re.compile(r"[A-Za-z_][\w *]{0,127}", re.ASCII)


def params(form: str) -> tuple[Param, ...]:
    """Returns the arguments of a call. form: the contents of its file ``format``."""
    found = [(name, ctype.strip()) for ctype, name in _FIELD.findall(form)]
    behind = next((n for n, (name, _) in enumerate(found, 1) if name == "__syscall_nr"), len(found))
    return tuple(Param(name, ctype.replace("* *", "**")) for name, ctype in found[behind:])


def lacking(names: Iterable[str], abis: tuple[Abi, ...]) -> list[str]:
    """Returns the functions of a kernel that no table has, sorted."""
    known = {call.name for abi in abis for call in abi.table().values()}
    return sorted(name for name in names if RENAMED.get(name, name) not in known)


def fields(later: Later) -> dict[str, Any]:
    """Returns the calls as JSON values."""
    return {str(number): [call.name, [list(param) for param in call.params]] for number, call in later.items()}


def of_fields(found: object) -> Later:
    """Parses what `fields` returned. Raises DecodeError for anything else."""
    try:
        return _of_fields(found)
    except (AttributeError, TypeError, ValueError) as error:
        raise DecodeError(f"damaged snapshot: syscalls: {error!r}") from error


def _of_fields(found: Any) -> Later:
    if len(found) > _COUNT_MAX:
        raise ValueError(f"{len(found)} calls, more than {_COUNT_MAX}")
    return {int(number): _call(*call) for number, call in found.items()}


def _call(name: Any, params: Any) -> Syscall:
    if len(params) > _ARGUMENTS_MAX:
        raise ValueError(f"{len(params)} arguments")
    return Syscall(
        _checked(_NAME, name), tuple(Param(_checked(_NAME, of), _checked(_CTYPE, ctype)) for of, ctype in params)
    )


def _checked(form: re.Pattern[str], text: Any) -> str:
    if not form.fullmatch(text):
        raise ValueError(f"{text!r} is not a C identifier")
    return str(text)
