# SPDX-License-Identifier: Apache-2.0
"""Finds out which calls print on standard output and error.

A container's streams are what its program's descriptors 1 and 2 stood for when it began, as the kernel side tells of
pipes and sockets, and /proc of the others; a command that an engine executes in it has its own. A process that
redirects one of them, such as ``bc >file``, no longer prints there; one that duplicates it to another number, such as
``echo >&2``, still does. Where it is not known what a descriptor stands for, its number decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from traceloop_decode.descriptors.names import of_link
from traceloop_decode.model import Call
from traceloop_decode.open_files import OpenFiles

STDOUT, STDERR = 1, 2
_NUMBERS: Final = (STDOUT, STDERR)


class Streams:
    """The streams of a container. names: of their files, in angle brackets, with the numbers that they had."""

    __slots__ = ("_names",)

    def __init__(self, names: Mapping[str, Collection[int]] | None = None) -> None:
        self._names = names or {}

    @classmethod
    def at_start(cls, read: OpenFiles | None, pid: int, since_ns: int) -> Streams:
        """Returns those of a container's program, and of the processes that came from outside.

        read: what was read of the container's processes. pid: the program's; 0 if it is not known: then that of the
        first that was read. since_ns: when the program was executed; 0 if it is not known.
        """
        names: dict[str, set[int]] = {}
        seen: set[tuple[int, int]] = set()
        # What was read when the trace began may be the runtime's, which then sets up a terminal for the program.
        for each in (*sorted(read.later, key=_until), read) if read is not None else ():
            first = pid or min(read.processes if read is not None else (), default=0)
            for of, process in each.processes.items():
                if (of == first and each.until_ns < since_ns) or (of != first and each is read):
                    continue
                for number in _NUMBERS:
                    name, _ = process.fds.get(number, (b"", False))
                    known = of_link(name) if name else None
                    if known is not None and (of, number) not in seen:
                        seen.add((of, number))
                        names.setdefault(known.text, set()).add(number)
        return cls(names)

    def of(self, call: Call, fd: int) -> int | None:
        """Returns the stream, by its number, that a descriptor of a call stands for; None: none of them.

        The call has its files (`follow.known`).
        """
        known = call.files.before.get(fd) if call.files is not None else None
        if known is None:
            return fd if fd in _NUMBERS else None
        numbers = self._names.get(
            known.text, ()
        )  # text "": such as a pipe of which only the call that made it is known
        return fd if fd in numbers else min(numbers, default=None)


def _until(read: OpenFiles) -> int:
    return read.until_ns
