# SPDX-License-Identifier: Apache-2.0
"""Every fact of a trace travels by its name alone: into a live trace's file, an archive head, a message, what is shown."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from archives import INFO, encoded_snapshot
from ringwriter import RingWriter

from traceloop_cli.display.traces import trace_object
from traceloop_cli.sources.archive_files import described
from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.archive.trace_info import info_of, trace_of
from traceloop_daemon.recording.live_traces import LiveTrace, LiveTraces
from traceloop_daemon.recording.trace import State, TraceView
from traceloop_daemon.service.messages import trace_message
from traceloop_daemon.system.host import realtime_ns
from traceloop_decode.archive_file import TraceInfo, pack
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.totals import Total, Totals
from traceloop_decode.trace_facts import NAMES, TraceFacts
from traceloop_proto import traceloop_pb2 as pb

FACTS = TraceFacts("node1_web", status=0, capture="all")
OF_KIND = {"str": "other", "int": 7, "int | None": 7, "Mapping[str, str]": {"tier": "front"}}
ODD = {"capture": "paths", "status": 9, "out_of_memory": 1}
COUNTED = ("overwritten", "dropped", "io_uring_setups")  # what a snapshot says itself
DOCUMENT = Path(__file__).parents[2] / "docs/archive-format.md"


def changed(name: str) -> TraceFacts:
    (one,) = (one for one in fields(TraceFacts) if one.name == name)
    values: dict[str, Any] = {name: ODD.get(name, OF_KIND[str(one.type)])}
    made = replace(FACTS, **values)
    assert made != FACTS
    return made


def shown(facts: TraceFacts) -> dict[str, Any]:
    return trace_object(trace_message(TraceView(facts, State.ARCHIVED, 9), "this node"))


@pytest.mark.parametrize("name", NAMES)
def test_a_fact_comes_back_from_a_live_traces_file(tmp_path: Path, name: str) -> None:
    live = LiveTraces(tmp_path / "live")
    live.put(LiveTrace(changed(name), 0, 1, 2, 3, 4))
    assert [one.facts for one in live.read()] == [changed(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_fact_comes_back_from_the_head_of_an_archive_file(name: str) -> None:
    facts = changed(name)
    info = TraceInfo.decode(info_of(facts, Snapshot.decode(encoded_snapshot())).encode())
    found = trace_of(Kept(facts.trace_id, FileState.WHOLE, 9, 1, info)).facts
    for other in NAMES:
        if other not in COUNTED:
            assert getattr(found, other) == getattr(facts, other), other
    assert found.lost == facts.lost


def test_an_archived_trace_has_the_totals_of_its_snapshot() -> None:
    totals = Totals({0: Total(7, 1)}, {3: Total(2, 2)}, 100, 20)
    snapshot = replace(Snapshot.decode(encoded_snapshot()), totals=totals)
    found = info_of(replace(FACTS, calls=8, errors=2, read_bytes=90, written_bytes=20), snapshot)
    assert (found.calls, found.errors, found.read_bytes, found.written_bytes) == (9, 3, 100, 20)


def test_an_archived_trace_has_the_capabilities_of_its_snapshot() -> None:
    ring = RingWriter()
    ring.ask(0, 7, 166, 21, granted=False)
    ring.ask(1, 7, 92, 0, granted=True)
    found = info_of(replace(FACTS, capabilities_granted=2, capabilities_refused=2), ring.snapshot())
    assert (found.capabilities_granted, found.capabilities_refused) == (1 << 0, 1 << 21)


@pytest.mark.parametrize("name", NAMES)
def test_a_fact_is_in_the_message_and_is_shown(name: str) -> None:
    assert shown(changed(name)) != shown(FACTS)


@pytest.mark.parametrize("name", [one.name for one in fields(TraceInfo)])
def test_the_document_names_every_field_of_the_information(name: str) -> None:
    assert f"`{name}`" in DOCUMENT.read_text()


def test_a_file_is_shown_as_the_daemon_shows_its_trace() -> None:
    info, of_file = described(pack(INFO, encoded_snapshot()), "a file")
    assert info == INFO
    of_daemon = trace_message(TraceView(TraceFacts.of(INFO), State.ARCHIVED, of_file.size_bytes), "this node")
    assert of_file == of_daemon


@pytest.mark.parametrize(
    ("status", "exit_code", "signal"),
    [(None, None, None), (0, 0, None), (42 << 8, 42, None), (9, None, 9), (0x80 | 11, None, 11)],
)
def test_a_status_is_an_exit_code_or_a_signal(status: int | None, exit_code: int | None, signal: int | None) -> None:
    facts = replace(FACTS, status=status)
    assert (facts.exit_code, facts.signal) == (exit_code, signal)
    of_trace = shown(facts)
    assert (of_trace["exit_code"], of_trace["signal"]) == (exit_code, signal)


def test_a_cgroup_whose_name_is_no_text_is_spelled_out() -> None:
    message = trace_message(TraceView(replace(FACTS, cgroup="/a\udcffb"), State.RECORDING, 0), "n")
    assert message.cgroup == "/a\\xffb"
    assert pb.Trace.FromString(message.SerializeToString()) == message


def test_a_clock_that_was_set_back_to_less_than_the_uptime_gives_a_time_that_a_file_can_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file with a time before 1970 is refused when it is read."""
    snapshot = Snapshot.decode(encoded_snapshot())
    monkeypatch.setattr(time, "time_ns", lambda: 5 * 10**9)
    facts = replace(FACTS, started_ns=realtime_ns(3600 * 10**9), ended_ns=realtime_ns(60 * 10**9))
    info = TraceInfo.decode(info_of(facts, snapshot).encode())
    assert (info.started_ns, info.ended_ns) == (1, 1)
    assert realtime_ns(4 * 10**9) == 10**9
    with pytest.raises(DecodeError):
        TraceInfo.decode(info_of(replace(facts, started_ns=-1), snapshot).encode())
