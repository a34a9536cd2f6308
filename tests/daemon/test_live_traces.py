# SPDX-License-Identifier: Apache-2.0
"""The files that tell the next daemon of live traces: as they were written, or no use and gone."""

from __future__ import annotations

import json

import pytest

from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names
from traceloop_daemon.recording.live_traces import LiveTrace, LiveTraces
from traceloop_decode.open_files import OpenFiles, Process

TRACE = LiveTrace(
    id="node_default_web",
    names=Names("web", pod="web", namespace="default", restart_count=2, labels=Labels.of({"tier": "front"})),
    container_id="c" * 64,
    cgroup="/kubepods/web",
    init_pid=4711,
    started_ns=1_700_000_000_000_000_000,
    recording_ns=1_000,
    recorder=3,
    slot=17,
    cookie=0xC00C1E,
    withheld=1,
    open_files=OpenFiles(1, 2, {4711: Process(b"/", None, {0: (b"/dev/null", False), 3: (b"\xff", True)})}),
)


@pytest.mark.parametrize("trace", [TRACE, LiveTrace("t", Names("t"), "", "/t", 0, 1, 2, 3, 4, 5)])
def test_what_was_put_comes_back(tmp_path, trace):
    live = LiveTraces(tmp_path / "live")
    live.put(trace)
    assert list(LiveTraces(tmp_path / "live").read()) == [trace]
    live.delete(trace.recorder, trace.slot)
    assert list(live.read()) == []


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"open_files": null, "names": 7}', '{"open_files"'])
def test_what_is_no_live_trace_is_said_and_removed_and_hides_no_other(tmp_path, caplog, text):
    live = LiveTraces(tmp_path / "live")
    live.put(TRACE)
    broken, half = tmp_path / "live" / "1-1.json", tmp_path / "live" / "1-2.new"
    broken.write_text(text)
    half.write_text(json.dumps({}))
    assert list(live.read()) == [TRACE]
    assert f"{broken}, of a trace that was being recorded, is no use" in caplog.text
    assert not broken.exists()
    assert not half.exists()
