# SPDX-License-Identifier: Apache-2.0
"""The events of a snapshot that the options of ``show`` select, in the steps in which they are selected.

::

    decode -> files of descriptors -> without the runtime -> by call, outcome and condition -> by time

Every event passes the first steps, because each may change what descriptors stand for, or be the trace's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from traceloop_cli.options.instants import Instant
from traceloop_decode.descriptors.follow import known, protocols, unnamed
from traceloop_decode.model import Event
from traceloop_decode.program_start import ProgramStart
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.selection.program import from_program
from traceloop_decode.selection.select import Selection, selected
from traceloop_decode.selection.window import End, around, before_end, within
from traceloop_decode.snapshot import Snapshot

AROUND: Final = 40
"""Number of events that --around shows, unless -n says otherwise."""


@dataclass(frozen=True, slots=True)
class Picking:
    """The choice of events.

    selection: None: all events, as they are. by_return: calls that are one event come when they return. names: how much
    is known of descriptors' files: 1 with paths, 2 with sockets' ends; 0: what selecting needs is removed again. dns:
    messages of name servers will be decoded. since_ns, until_ns: CLOCK_REALTIME. count: for `around`.
    """

    selection: Selection | None
    by_return: bool
    names: int
    needs_files: bool
    dns: bool
    since_ns: int | None
    until_ns: int | None
    since_end_ns: int | None
    around: Instant | None
    count: int = AROUND

    def of(self, found: Iterator[Event], snapshot: Snapshot, start: ProgramStart | None) -> Iterator[Event]:
        """Yields the selected ones of a snapshot's events. start: where they begin; None: at the first."""
        if self.names or self.needs_files:
            requests = not unrecorded(snapshot).io_urings
            found = known(found, snapshot.open_files, sockets=self.names > 1, requests=requests)
        else:
            found = protocols(found, dns=self.dns)
        end = End()
        if self.since_end_ns is not None:
            found = end.noted(found)
        if start is not None:
            found = from_program(found, start)
        if self.selection is not None:
            found = selected(found, self.selection, by_return=self.by_return)
        found = self._in_time(found, snapshot, end)
        return unnamed(found) if self.needs_files and not self.names else found

    def _in_time(self, found: Iterator[Event], snapshot: Snapshot, end: End) -> Iterator[Event]:
        whole = self.selection is not None and self.selection.whole
        if self.since_ns is not None or self.until_ns is not None:
            since_ns, until_ns = (_boottime(at_ns, snapshot) for at_ns in (self.since_ns, self.until_ns))
            found = within(found, since_ns, until_ns, whole=whole)
        if self.since_end_ns is not None:
            found = before_end(found, self.since_end_ns, end, whole=whole)
        if self.around is not None:
            found = around(found, self.around.boottime(snapshot), self.count)
        return found

    def ends_before(self, at_ns: int, snapshot: Snapshot) -> bool:
        """Tells whether only events before a time (CLOCK_BOOTTIME) are asked for."""
        until_ns = _boottime(self.until_ns, snapshot)
        asked_ns = [] if self.around is None else [self.around.boottime(snapshot)]
        return any(one < at_ns for one in (*asked_ns, *(() if until_ns is None else (until_ns,))))


def _boottime(realtime_ns: int | None, snapshot: Snapshot) -> int | None:
    return None if realtime_ns is None else realtime_ns - snapshot.boot_offset_ns
