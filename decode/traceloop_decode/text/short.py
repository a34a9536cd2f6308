# SPDX-License-Identifier: Apache-2.0
r"""The default line format: the original layout, with strace's text after each argument's name.

::

    00:00.071188694 cpu#1 pid 14465 [bc] write(fd=1, buf="42\n", count=3) = 3
    ... open(filename="/tmp/file-3240", flags=O_RDONLY) = -1 ENOENT (No such file or directory)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traceloop_decode.capability_names import refusal_note
from traceloop_decode.printers.core import marking_printer_of, never_returns, printer_of, view_of
from traceloop_decode.text import line
from traceloop_decode.text.notes import seccomp_note
from traceloop_decode.text.times import NO_STAMPS, Stamps
from traceloop_decode.values.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.model import Call, Event
    from traceloop_decode.snapshot import Snapshot

_DEFAULTS: Final = Options(string_max=256, dns=True, ends=True)


def lines(
    events: Iterable[Event], snapshot: Snapshot, options: Options = _DEFAULTS, stamps: Stamps = NO_STAMPS
) -> Iterator[str]:
    """Yields the lines of events, as `line` describes them."""
    return line.lines(events, snapshot, call_text(options), options.constants, stamps)


def call_text(options: Options = _DEFAULTS) -> line.CallText:
    """Returns what formats a call, without the time and the thread before it."""

    def text(call: Call, shown: frozenset[int] | None) -> str:
        printer = marking_printer_of(call) if call.read_at_exit else printer_of(call)
        view = view_of(call, options)
        parts = [
            f"{name}={text}"
            for name, index, print_one in printer.named
            if (shown is None or index in shown) and (text := print_one(view, index)) is not None
        ]
        if call.result is not None or call.by_seccomp:
            notes = f"{seccomp_note(call)}{refusal_note(call)}"
            return f"{call.title}({', '.join(parts)}) = {printer.result(view)}{notes}"
        return f"{call.title}({', '.join(parts)}){_not_returned(call)}"

    return text


def _not_returned(call: Call) -> str:
    if call.request is not None and call.request.silent:
        return f"{line.NO_RETURN} /* no completion if it succeeds */"
    return " = ?" if never_returns(call) else line.NO_RETURN
