# SPDX-License-Identifier: Apache-2.0
"""Leaves out what the container runtime did before it executed the container's program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from traceloop_decode.forgotten import RUNTIME
from traceloop_decode.model import Event, Lost, Returned
from traceloop_decode.program_start import ProgramStart


def from_program(events: Iterable[Event], start: ProgramStart) -> Iterator[Event]:
    """Yields the events from the program's execve on, which is one event, and all losses; all events if none began it.

    events: those in which `start` was found, as they were or with more known of them.
    """
    for number, event in enumerate(events):
        if number == start.before and start.call is not None:
            yield event.call if isinstance(event, Returned) else event
        elif number >= start.before or (isinstance(event, Lost) and event.reason != RUNTIME):
            yield event
