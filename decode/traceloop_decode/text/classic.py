# SPDX-License-Identifier: Apache-2.0
r"""The original demo's line format, byte for byte: registers as unsigned numbers, each string after its pointer.

::

    00:00.071188694 cpu#1 pid 14465 [bc] write(fd=1, buf=7415808 "42\n", count=3) = 3
    ... open(filename=140723923041877 "/tmp/file-3240", flags=0, mode=0) = 18446744073709551614

Structs are left out: only their pointer is shown. ``...`` after a string means that the string was cut; a second string
is its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traceloop_decode.printers.core import READ_AT_EXIT
from traceloop_decode.safe_text import quote
from traceloop_decode.text import line
from traceloop_decode.text.contents import contents
from traceloop_decode.text.notes import seccomp_note
from traceloop_decode.text.times import NO_STAMPS, Stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.model import Arg, Call, Event, Item
    from traceloop_decode.snapshot import Snapshot

_REGISTER_MASK: Final = (1 << 64) - 1


def lines(events: Iterable[Event], snapshot: Snapshot, stamps: Stamps = NO_STAMPS) -> Iterator[str]:
    """Yields the lines of events, as `line` describes them."""
    return line.lines(events, snapshot, _call, stamps=stamps)


def _call(call: Call, shown: frozenset[int] | None) -> str:
    args = call.args
    indices = [n for n in range(len(args)) if shown is None or (n in shown and contents(args, n).readable)]
    again = call.read_at_exit
    text = ", ".join([f"{args[n].name}={_argument(args, n)}{READ_AT_EXIT if n in again else ''}" for n in indices])
    if call.result is not None:
        return f"{call.title}({text}) = {call.result & _REGISTER_MASK}{seccomp_note(call)}"
    return f"{call.title}({text}){' = ?' + seccomp_note(call) if call.by_seccomp else line.NO_RETURN}"


def _argument(args: tuple[Arg, ...], index: int) -> str:
    found, raw = contents(args, index), str(args[index].raw)
    if found.elements is not None:
        shown = [_quoted(item) for item in found.elements if not _nothing(item)]
        if shown:
            return f"{raw} [{', '.join(shown + ['...'] * found.cut)}]"
    elif found.whole is not None and found.text and not _nothing(found.whole):
        return f"{raw} {_quoted(found.whole)}"
    return raw


def _nothing(item: Item) -> bool:
    return item.fault and not item.data


def _quoted(item: Item) -> str:
    return quote(item.data, more=item.more or item.fault) + (quote(item.tail) if item.tail else "")
