# SPDX-License-Identifier: Apache-2.0
"""The bytes that were read through a pointer argument, sorted into one piece of memory, a list, or a message.

The argument's C type decides which; the recorder's items only say where their bytes were read from::

    char *, void *           one piece; text
    char **                  a list of strings
    struct iovec *           a list of pieces; text
    struct user_msghdr *     a message: its own bytes, msg_name, msg_control, and a list of pieces
    any other pointer        one piece: a struct, decoded by the printer that knows it
    a number                 one piece; text (prctl's name)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from traceloop_decode import layout
from traceloop_decode.c_types import bare_type

if TYPE_CHECKING:
    from traceloop_decode.model import Arg, Item

_TEXT: Final = frozenset(("char *", "unsigned char *", "void *"))
_STRINGS: Final = "char **"
_ENVIRONMENT: Final = "envp"
_IOVEC: Final = "struct iovec *"
_MESSAGE: Final = frozenset(("struct user_msghdr *", "struct msghdr *"))
_REMOTE_IOVEC: Final = "rvec"  # process_vm_readv(2): it points into another process, so only the iovec itself was read
_IOV_COUNT: Final = slice(24, 32)  # msg_iovlen of struct user_msghdr


@dataclass(frozen=True, slots=True)
class Contents:
    """An argument's items by their role.

    whole: the memory at the pointer. text: whole may be shown as a string. elements: a list's elements, in order, or
    None if the argument is no list. iovec: the list is an iovec rather than an argv. cut: the list has more elements
    than were read. name, control: a message's msg_name and msg_control.
    """

    whole: Item | None = None
    text: bool = False
    elements: tuple[Item, ...] | None = None
    iovec: bool = False
    cut: bool = False
    name: Item | None = None
    control: Item | None = None

    @property
    def readable(self) -> bool:
        """Tells whether there is anything to show as text."""
        return self.text or self.elements is not None


_NOTHING: Final = Contents()


def contents(args: tuple[Arg, ...], index: int) -> Contents:
    """Returns the bytes that were read through one argument of a call, sorted."""
    arg = args[index]
    if arg.name == _ENVIRONMENT:  # its number comes first, in older records its pointers
        return _strings(arg.items[1:]) if len(arg.items) > 1 else _NOTHING
    if not arg.items:
        return _NOTHING
    ctype = bare_type(arg.ctype)
    if ctype == _STRINGS:
        return _strings(arg.items)
    if ctype == _IOVEC and arg.name != _REMOTE_IOVEC:
        count = args[index + 1].raw if index + 1 < len(args) else 0
        elements, cut = _pieces(arg.items, count, out=arg.items[-1].out)
        return Contents(elements=elements, iovec=True, cut=cut)
    if ctype in _MESSAGE:
        return _message(arg.items)
    whole = arg.items[-1]  # the call's output comes after what was read at entry
    return Contents(whole=whole, text=ctype in _TEXT or whole.kind == layout.KIND_STRING)


def _strings(items: tuple[Item, ...]) -> Contents:
    # The end of the list is an item too; without it, the record had no room for further strings.
    end = items[-1]
    cut = end.kind != layout.KIND_ARGV or end.more or end.fault
    return Contents(elements=tuple(item for item in items if item.kind != layout.KIND_ARGV), cut=cut)


def _message(items: tuple[Item, ...]) -> Contents:
    whole = next((item for item in items if item.kind == layout.KIND_MSG), None)
    rest = {item.sub: item for item in items if item is not whole}
    name, control = rest.pop(layout.SUB_NAME, None), rest.pop(layout.SUB_CONTROL, None)
    count = int.from_bytes(whole.data[_IOV_COUNT], "little") if whole is not None else 0
    elements, cut = _pieces(tuple(rest.values()), count, out=items[-1].out)
    return Contents(whole, elements=elements, iovec=True, cut=cut, name=name, control=control)


def _pieces(items: tuple[Item, ...], count: int, *, out: bool) -> tuple[tuple[Item, ...], bool]:
    # A call that reads data fills elements in order: elements beyond its last byte were never read, so nothing is cut.
    elements = tuple(item for item in items if item.kind != layout.KIND_IOVEC)
    faulted = len(elements) < len(items)
    missing = len(elements) < count and (not out or len(elements) >= layout.SUB_MAX)
    return elements, faulted or missing
