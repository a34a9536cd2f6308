# SPDX-License-Identifier: Apache-2.0
"""What was read through a pointer argument, sorted: one piece of memory, a list of them, or a message.

Which it is follows from the argument's C type; the kernel side's items say only where their bytes lay::

    char *, void *           one piece; text
    char **                  a list of strings
    struct iovec *           a list of pieces; text
    struct user_msghdr *     a message: its own bytes, msg_name, msg_control, and a list of pieces
    any other pointer        one piece: a struct, to be decoded by those who know it
    a number                 one piece; text (prctl's name)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from traceloop_decode import layout
from traceloop_decode.values.c_types import bare_type

if TYPE_CHECKING:
    from traceloop_decode.model import Arg, Item

_TEXT: Final = frozenset(("char *", "unsigned char *", "void *"))
_STRINGS: Final = "char **"
_IOVEC: Final = "struct iovec *"
_MESSAGE: Final = frozenset(("struct user_msghdr *", "struct msghdr *"))
_REMOTE_IOVEC: Final = "rvec"  # of process_vm_readv(2): another process's memory, so only the vector itself was read
_IOV_COUNT: Final = slice(24, 32)  # msg_iovlen of struct user_msghdr


@dataclass(frozen=True, slots=True)
class Contents:
    """An argument's items, each in its place.

    whole: the memory at the pointer. text: whole's bytes may be shown as a string. elements: of a list, in order;
    None: it is no list. iovec: those of an iovec, else of an argv. cut: the list has more elements than were read.
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
        """Is there something that may be shown as text?"""
        return self.text or self.elements is not None


_NOTHING: Final = Contents()


def contents(args: tuple[Arg, ...], index: int) -> Contents:
    """What was read through one of a call's arguments."""
    arg = args[index]
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
    whole = arg.items[-1]  # behind what was read at entry stands what the call put in its place
    return Contents(whole=whole, text=ctype in _TEXT or whole.kind == layout.KIND_STRING)


def _strings(items: tuple[Item, ...]) -> Contents:
    # The list's end is an item too; where it is missing, the record was full.
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
    # Of `count` elements. Where a call read into them, those behind its last byte were not looked at, and are not cut.
    elements = tuple(item for item in items if item.kind != layout.KIND_IOVEC)
    faulted = len(elements) < len(items)
    missing = len(elements) < count and (not out or len(elements) >= layout.SUB_MAX)
    return elements, faulted or missing
