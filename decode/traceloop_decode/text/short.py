# SPDX-License-Identifier: Apache-2.0
r"""The default line: the original's layout, with strace's text behind the arguments' names.

::

    00:00.071188694 cpu#1 pid 14465 [bc] write(fd=1, buf="42\n", count=3) = 3
    ... open(filename="/tmp/file-3240", flags=O_RDONLY) = -1 ENOENT (No such file or directory)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from traceloop_decode.printers.core import marking_printer_of, never_returns, printer_of, view_of
from traceloop_decode.text import line
from traceloop_decode.values.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.model import Call, Event
    from traceloop_decode.snapshot import Snapshot

_DEFAULTS: Final = Options(string_max=256)


def lines(events: Iterable[Event], snapshot: Snapshot, options: Options = _DEFAULTS) -> Iterator[str]:
    """One line an event."""

    def text(call: Call, shown: frozenset[int] | None) -> str:
        printer = marking_printer_of(call) if call.read_at_exit else printer_of(call)
        view = view_of(call, options)
        parts = [
            f"{name}={text}"
            for name, index, print_one in printer.named
            if (shown is None or index in shown) and (text := print_one(view, index)) is not None
        ]
        if call.result is not None:
            return f"{call.name}({', '.join(parts)}) = {printer.result(view)}"
        return f"{call.name}({', '.join(parts)}){' = ?' if never_returns(call) else line.NO_RETURN}"

    return line.lines(events, snapshot, text, options.constants)
