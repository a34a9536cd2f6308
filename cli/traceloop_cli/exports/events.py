# SPDX-License-Identifier: Apache-2.0
"""Reads the events of a trace for an export: with the files and addresses of descriptors, as `show -yy` has them."""

from __future__ import annotations

from collections.abc import Iterator

from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import Event
from traceloop_decode.program_start import since_program
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.timeline.timeline import Timeline, timeline
from traceloop_decode.whole_calls import Whole, whole


def named(snapshot: Snapshot) -> Iterator[Event]:
    """Yields the events of a snapshot."""
    requests = not unrecorded(snapshot).io_urings
    return known(events(snapshot), snapshot.open_files, sockets=True, requests=requests)


def program(snapshot: Snapshot) -> Iterator[Whole]:
    """Yields the events of the container's program, each call whole, without what the runtime did before."""
    return since_program(whole(named(snapshot)))


def drawn(snapshot: Snapshot) -> Timeline:
    """Returns what a picture draws of a snapshot."""
    return timeline(program(snapshot), snapshot)
