# SPDX-License-Identifier: Apache-2.0
r"""The default line: the original's layout with decoded values.

::

    00:00.071188694 cpu#1 pid 14465 [bc] write(fd=1, buf="42\n", count=3) = 3
    ... open(filename="/tmp/file-3240", flags=0, mode=000) = -1 ENOENT (No such file or directory)

Numbers have their C type's sign, pointers are hexadecimal unless what they point at is shown instead, modes octal,
errors have names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.text import line
from traceloop_decode.text.contents import Contents, contents
from traceloop_decode.text.values import bare_type, integer, is_pointer, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.model import Arg, Call, Event, Item
    from traceloop_decode.snapshot import Snapshot

_ERROR_MAX: Final = 4095  # results from -4095 on are errors (include/linux/err.h)
_RESTARTS: Final = "ERESTART"  # the kernel restarts the call, or makes it EINTR: programs never see these

_AT_FDCWD: Final = -100
_ADDRESS_RESULTS: Final = frozenset(("brk", "mmap", "mmap2", "mremap", "shmat"))
_ADDRESS_NAMES: Final = frozenset(("addr", "brk", "new_addr", "newsp", "start"))
_NEVER_RETURN: Final = frozenset(("exit", "exit_group"))


def lines(events: Iterable[Event], snapshot: Snapshot) -> Iterator[str]:
    """One line an event."""
    return line.lines(events, snapshot, _STYLE)


def _argument(call: Call, index: int) -> str:
    arg, found = call.args[index], contents(call, index)
    if found.elements is not None and (found.elements or not found.cut):
        return _message(found) if found.whole is not None else _list(found)
    if found.whole is not None and found.text and (found.whole.data or not found.whole.fault):
        return _quoted(found.whole)
    return _register(call, arg)


def _list(found: Contents) -> str:
    element = _piece if found.iovec else _quoted
    return f"[{', '.join([element(item) for item in found.elements or ()] + ['...'] * found.cut)}]"


def _message(found: Contents) -> str:
    name = f"msg_name={_quoted(found.name)}, " if found.name is not None and found.name.data else ""
    return f"{{{name}msg_iov={_list(found)}}}"


def _piece(item: Item) -> str:
    return f"{{iov_base={_quoted(item)}, iov_len={item.size}}}"


def _quoted(item: Item) -> str:
    return quote(item.data, more=item.more or item.fault)


def _register(call: Call, arg: Arg) -> str:
    ctype = bare_type(arg.ctype)
    if is_pointer(arg.ctype) or (ctype == "unsigned long" and arg.name in _ADDRESS_NAMES):
        return f"{arg.raw:#x}" if arg.raw else "NULL"
    if ctype == "umode_t":
        return f"0{integer(arg.raw, ctype, compat=call.compat):02o}"
    if arg.name.endswith("fd"):  # some are unsigned in the kernel's prototypes, and -1 all the same
        number = integer(arg.raw, "int", compat=call.compat)
        return "AT_FDCWD" if number == _AT_FDCWD and ctype == "int" else str(number)
    return str(integer(arg.raw, ctype, compat=call.compat))


def _result(call: Call, result: int) -> str:
    if -_ERROR_MAX <= result < 0:
        if -result not in ERRNO:
            return f"-1 (errno {-result})"
        name, message = ERRNO[-result]
        return f"{'?' if name.startswith(_RESTARTS) else '-1'} {name} ({message})"
    return f"{result:#x}" if call.name in _ADDRESS_RESULTS else str(result)


def _pending(call: Call) -> str:
    return " = ?" if call.name in _NEVER_RETURN else line.NO_RETURN


_STYLE: Final = line.Style(argument=_argument, result=_result, pending=_pending)
