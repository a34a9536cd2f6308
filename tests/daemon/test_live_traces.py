# SPDX-License-Identifier: Apache-2.0
"""The files that describe live traces to the next daemon read as they were written, or are rejected and removed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.recording.live_traces import LiveTrace, LiveTraces
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.trace_facts import TraceFacts

FACTS = TraceFacts(
    "node_default_web",
    node="node",
    namespace="default",
    pod="web",
    container="web",
    container_id="c" * 64,
    cgroup="/kubepods/\udcff",
    started_ns=1_700_000_000_000_000_000,
    restart_count=2,
    labels={"tier": "front"},
    capture="no-payload",
    ring_size_bytes=1 << 20,
)
TRACE = LiveTrace(
    FACTS,
    init_pid=4711,
    recording_ns=1_000,
    recorder=3,
    slot=17,
    cookie=0xC00C1E,
    withheld=CapturePolicy.NO_PAYLOAD.withheld,
    open_files=OpenFiles(1, 2, {4711: Process(b"/", None, {0: (b"/dev/null", False), 3: (b"\xff", True)})}),
)


@pytest.mark.parametrize("trace", [TRACE, LiveTrace(TraceFacts("t"), 0, 2, 3, 4, 5)])
def test_what_was_put_comes_back(tmp_path, trace):
    live = LiveTraces(tmp_path / "live")
    live.put(trace)
    assert list(LiveTraces(tmp_path / "live").read()) == [trace]
    live.delete(trace.recorder, trace.slot)
    assert list(live.read()) == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", '{"open_files": null, "names": 7}', '{"open_files": null, "facts": 7}', '{"open_files"'],
)
def test_what_is_no_live_trace_is_said_and_removed_and_hides_no_other(tmp_path, caplog, text):
    live = LiveTraces(tmp_path / "live")
    live.put(TRACE)
    broken, half = tmp_path / "live" / "1-1.json", tmp_path / "live" / "1-2.new"
    broken.write_text(text)
    half.write_text(json.dumps({}))
    assert list(live.read()) == [TRACE]
    assert f"removed the live trace's file {broken}, and its recording is not resumed: " in caplog.text
    assert not broken.exists()
    assert not half.exists()


FORMER = {
    "id": "node_default_web",
    "names": {
        "container": "web",
        "pod": "web",
        "namespace": "default",
        "pod_uid": "",
        "image": "",
        "sandbox": False,
        "restart_count": 2,
        "labels": {"pairs": [["tier", "front"]], "left_out": 1},
    },
    "container_id": "c" * 64,
    "cgroup": "/kubepods/\udcff",
    "init_pid": 4711,
    "started_ns": 1_700_000_000_000_000_000,
    "recording_ns": 1_000,
    "recorder": 3,
    "slot": 17,
    "cookie": 0xC00C1E,
    "withheld": CapturePolicy.NO_PAYLOAD.withheld,
    "open_files": TRACE.open_files.fields(),
}


def test_a_file_of_a_daemon_before_there_were_facts_is_read(tmp_path):
    live = LiveTraces(tmp_path / "live")
    (tmp_path / "live" / "3-17.json").write_text(json.dumps(FORMER))
    facts = replace(FACTS, node="", labels_left_out=1, ring_size_bytes=0)
    assert list(live.read()) == [replace(TRACE, facts=facts)]


def test_facts_of_a_newer_daemon_are_left_out(tmp_path):
    live = LiveTraces(tmp_path / "live")
    live.put(TRACE)
    (path,) = (tmp_path / "live").iterdir()
    file = json.loads(path.read_bytes())
    path.write_text(json.dumps(file | {"facts": file["facts"] | {"colour": "blue"}}))
    assert list(live.read()) == [TRACE]
