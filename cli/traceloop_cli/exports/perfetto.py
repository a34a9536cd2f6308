# SPDX-License-Identifier: Apache-2.0
"""The export ``perfetto``: a trace in Perfetto's protobuf format, which ui.perfetto.dev and trace_processor read.

::

    process -> its track -> a track each thread -> a slice each call, with its line as an annotation
                                                   an instant each signal and each thread's end
                            a track each row of io_uring requests
    losses  -> a track each, with one slice

Times are CLOCK_BOOTTIME; a clock snapshot relates it to the wall clock. Names are interned: each is written once, in
the packet that uses it first. A file is a message Trace; messages of one packet each, one after the other, are one too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from traceloop_cli.exports.events import drawn
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.timeline.timeline import EVERYWHERE, EXIT, LOST, SIGNAL, Item, Lane
from traceloop_proto import perfetto_pb2 as pb

_SEQUENCE: Final = 1
_FORGET: Final = 1
_NEEDS: Final = 2
_REALTIME: Final = 1
_BOOTTIME: Final = 6
_INSTANTS: Final = (SIGNAL, EXIT)
_FAILED: Final = "failed"


def export(traces: Sequence[Recorded]) -> Iterator[bytes]:
    """Yields the packets of one trace."""
    (trace,) = traces
    timeline = drawn(trace.snapshot)
    yield _packed(_first(timeline.start_ns, trace.snapshot.boot_offset_ns))
    tracks = _Tracks()
    for lane in timeline.lanes:
        yield from map(_packed, tracks.of_lane(lane))
    lanes = [tracks.uuid(lane) for lane in timeline.lanes]
    names = _Names()
    for item in timeline.items:
        if item.lane == EVERYWHERE:
            descriptor = tracks.of_loss()
            yield _packed(descriptor)
            yield from _written(item, descriptor.track_descriptor.uuid, names)
        else:
            yield from _written(item, lanes[item.lane], names)


def _packed(packet: pb.TracePacket) -> bytes:
    packet.trusted_packet_sequence_id = _SEQUENCE
    return pb.Trace(packet=[packet]).SerializeToString()


def _first(start_ns: int, boot_offset_ns: int) -> pb.TracePacket:
    clocks = [
        pb.ClockSnapshot.Clock(clock_id=_BOOTTIME, timestamp=start_ns),
        pb.ClockSnapshot.Clock(clock_id=_REALTIME, timestamp=max(0, start_ns + boot_offset_ns)),
    ]
    return pb.TracePacket(
        timestamp=start_ns,
        sequence_flags=_FORGET,
        trace_packet_defaults=pb.TracePacketDefaults(timestamp_clock_id=_BOOTTIME),
        clock_snapshot=pb.ClockSnapshot(clocks=clocks),
    )


class _Tracks:
    """Numbers the tracks; a process's comes before those of its threads."""

    def __init__(self) -> None:
        self._uuids: dict[int | Lane, int] = {}  # a process by its pid
        self._threads: dict[tuple[int, int], int] = {}
        self._count = 0

    def uuid(self, lane: Lane) -> int:
        return self._uuids[lane]

    def of_lane(self, lane: Lane) -> Iterator[pb.TracePacket]:
        if lane.pid not in self._uuids:
            self._uuids[lane.pid] = self._new()
            process = pb.ProcessDescriptor(pid=lane.pid, process_name=lane.comm)
            yield _track(pb.TrackDescriptor(uuid=self._uuids[lane.pid], process=process))
        uuid = self._uuids[lane] = self._new()
        if lane.row:
            parent = self._threads.get((lane.pid, lane.tid), self._uuids[lane.pid])
            yield _track(pb.TrackDescriptor(uuid=uuid, parent_uuid=parent, name="io_uring"))
        else:
            self._threads[lane.pid, lane.tid] = uuid
            thread = pb.ThreadDescriptor(pid=lane.pid, tid=lane.tid, thread_name=lane.comm)
            yield _track(pb.TrackDescriptor(uuid=uuid, parent_uuid=self._uuids[lane.pid], thread=thread))

    def of_loss(self) -> pb.TracePacket:
        return _track(pb.TrackDescriptor(uuid=self._new(), name="calls not recorded"))

    def _new(self) -> int:
        self._count += 1
        return self._count


def _track(descriptor: pb.TrackDescriptor) -> pb.TracePacket:
    return pb.TracePacket(track_descriptor=descriptor)


class _Names:
    """Numbers names from 1, of each kind apart."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {}
        self.new = pb.InternedData()

    def iid(self, kind: str, name: str) -> int:
        """Returns a name's number; one that is new goes into `new`. kind: a field of InternedData."""
        known = self._known.setdefault(kind, {})
        if name not in known:
            known[name] = len(known) + 1
            getattr(self.new, kind).add(iid=known[name], name=name)
        return known[name]


def _written(item: Item, track: int, names: _Names) -> Iterator[bytes]:
    names.new = pb.InternedData()
    instant = item.what in _INSTANTS
    categories = [item.what, *([_FAILED] if item.error else [])]
    annotations = {"line": item.text, "error": item.error if item.what not in (EXIT, LOST) else ""}
    event = pb.TrackEvent(
        type=pb.TrackEvent.TYPE_INSTANT if instant else pb.TrackEvent.TYPE_SLICE_BEGIN,
        track_uuid=track,
        name_iid=names.iid("event_names", item.name),
        category_iids=[names.iid("event_categories", category) for category in categories],
        debug_annotations=[
            pb.DebugAnnotation(name_iid=names.iid("debug_annotation_names", name), string_value=value)
            for name, value in annotations.items()
            if value
        ],
    )
    yield _packed(
        pb.TracePacket(timestamp=item.at_ns, sequence_flags=_NEEDS, track_event=event, interned_data=names.new)
    )
    if not instant:
        end = pb.TrackEvent(type=pb.TrackEvent.TYPE_SLICE_END, track_uuid=track)
        yield _packed(pb.TracePacket(timestamp=item.at_ns + item.took_ns, sequence_flags=_NEEDS, track_event=end))
