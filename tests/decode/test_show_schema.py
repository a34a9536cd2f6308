# SPDX-License-Identifier: Apache-2.0
"""docs/show.schema.json describes every object of `show -o jsonl`: of all golden rings, and of what these do not have."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from json_schema import faults
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import jsonl

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/show.schema.json").read_text())
GOLDEN = sorted((ROOT / "tests/golden").glob("*.snapshot"))


def _lines(path):
    return path.with_suffix(".jsonl").read_text().splitlines()


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_objects_fit(path):
    snapshot = Snapshot.decode(zlib.decompress(path.read_bytes()))
    found = [
        json.loads(line) for line in jsonl.lines(known(events(snapshot), snapshot.open_files, sockets=True), snapshot)
    ]
    assert len(found) > 100
    assert [fault for one in found for fault in faults(one, SCHEMA, SCHEMA)] == []
    assert (ROOT / f"tests/golden/{path.stem}.jsonl").exists()


def test_the_golden_objects_are_of_all_kinds_but_the_rarest():
    kinds = {json.loads(line)["event"] for path in GOLDEN for line in _lines(path)}
    assert kinds >= {"syscall", "signal", "exit"}


def test_losses_fit():
    ring = RingWriter(1 << 14, 1 << 12)
    ring.name(7, 7, "sh")
    for _ in range(2000):
        ring.enter(1, 7, 1, 1, 4096, 3, items=item(1, layout.KIND_BUFFER, b"a\xffb"))
        ring.exit(1, 7, 1, 3)
    snapshot = ring.snapshot()
    found = [json.loads(line) for line in jsonl.lines(events(snapshot), snapshot)]
    assert {"lost", "syscall"} <= {one["event"] for one in found}
    assert any("base64" in arg for one in found for arg in one["args"] or ())
    assert [fault for one in found for fault in faults(one, SCHEMA, SCHEMA)] == []


def test_capabilities_fit():
    ring = RingWriter()
    ring.enter(0, 7, 166, 0, 0)
    ring.ask(0, 7, 166, 21, granted=False)
    ring.exit(0, 7, 166, -1)
    snapshot = ring.snapshot()
    (found,) = (json.loads(line) for line in jsonl.lines(events(snapshot), snapshot))
    assert found["capabilities"] == {"granted": [], "refused": ["CAP_SYS_ADMIN"]}
    assert [*faults(found, SCHEMA, SCHEMA)] == []
    del found["capabilities"]["granted"]
    assert [*faults(found, SCHEMA, SCHEMA)]


def test_details_of_signals_fit():
    ring = RingWriter()
    ring.sender(0, 7, 15, sender=814, comm="shim", ignored=True)
    ring.fault(0, 7, 11, ip=0x401136, frames=[(0x401136, "ab" * 20, 0x1136), (0x99, "", 0x99)])
    ring.signal_sent(0, 8, 9, 0x80, sender=8, comm="x")
    ring.oom(0, 8, (30, 30), (40, 1 << 63))
    ring.task_exit(0, 8, 9, group_dead=1 | layout.OUT_OF_MEMORY)
    snapshot = ring.snapshot()
    ignored, fault, oom, end = (json.loads(line) for line in jsonl.lines(events(snapshot), snapshot))
    assert (ignored["event"], ignored["sender"]) == ("ignored", {"pid": 814, "comm": "shim"})
    assert fault["fault"]["ip"] == 0x401136
    assert fault["fault"]["stack"] == [
        {"address": 0x401136, "build_id": "ab" * 20, "offset": 0x1136},
        {"address": 0x99},
    ]
    assert oom["memory"] == [{"usage_bytes": 30, "limit_bytes": 30}, {"usage_bytes": 40, "limit_bytes": None}]
    assert end["out_of_memory"] is True
    assert [fault for one in (ignored, fault, oom, end) for fault in faults(one, SCHEMA, SCHEMA)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"ret": "3"},
        {"event": "other"},
        {"more": 1},
        {"schema": 2},
        {"args": [{}]},
        {"seccomp": "maybe"},
        {"ts_ns": None},
    ],
)
def test_what_does_not_fit_is_found(change):
    lines = _lines(GOLDEN[0])
    call = next(one for one in map(json.loads, lines) if one["event"] == "syscall")
    assert list(faults(call, SCHEMA, SCHEMA)) == []
    assert list(faults(call | change, SCHEMA, SCHEMA))
    del call["ret_text"]
    assert list(faults(call, SCHEMA, SCHEMA))
