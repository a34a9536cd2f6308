# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""A trace whose container used io_uring says so: in every format, whatever is picked of it, in files and in messages."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from archives import encoded_snapshot
from fake_daemon import ctl, daemon, path

from traceloop_daemon.kept_files import FileState, Kept
from traceloop_daemon.messages import trace_message
from traceloop_daemon.names import Names
from traceloop_daemon.registry import Trace
from traceloop_daemon.trace_info import info_of, trace_of
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import Snapshot

NOTE = "--- this container used io_uring (2 rings): what it submitted through them is not recorded ---"
USED = replace(Snapshot.decode(encoded_snapshot()), io_uring_setups=2)


@pytest.mark.parametrize(
    "how", ["-o short", "-o strace", "-o classic", "-n 1", "-r", "-c", "-C", "-P /none", "-o json -c"]
)
def test_show_says_it_first(daemon, ctl, how):
    daemon.snapshot = USED.encode()
    shown = ctl("show", "0123", *how.split()).splitlines()
    assert shown.index(NOTE) == 0
    assert shown.count(NOTE) == 1
    daemon.snapshot = encoded_snapshot()
    assert ctl("show", "0123", *how.split()).splitlines() == shown[1:]


@pytest.mark.parametrize("picked", [(), ("-n", "1"), ("-r",)])
def test_as_json_it_is_a_loss_without_numbers(daemon, ctl, picked):
    daemon.snapshot = USED.encode()
    lines = [json.loads(line) for line in ctl("show", "0123", "-o", "jsonl", *picked).splitlines()]
    assert json.loads(ctl("show", "0123", "-o", "json", *picked)) == lines
    first = lines[0]
    assert (first["event"], first["reason"], first["rings"]) == ("lost", "io_uring", 2)
    assert (first["cpu"], first["events"], first["records"]) == (None, None, None)
    assert "io_uring" not in {line.get("reason") for line in lines[1:]}


def test_a_snapshot_keeps_it():
    assert (Snapshot.decode(USED.encode()).io_uring_setups, Snapshot.decode(encoded_snapshot()).io_uring_setups) == (
        2,
        0,
    )


@pytest.mark.parametrize("wrong", ["2", 1.5, True, None, -1, 1 << 64])
def test_what_is_no_count_is_damage(wrong):
    encoded = USED.encode()
    length = int.from_bytes(encoded[8:12], "little")
    text = json.dumps(json.loads(encoded[12 : 12 + length]) | {"io_uring_setups": wrong}).encode()
    with pytest.raises(DecodeError, match="io_uring"):
        Snapshot.decode(encoded[:8] + len(text).to_bytes(4, "little") + text + encoded[12 + length :])


def test_it_comes_through_the_archive():
    live = Trace("n_web", Names("web"), "c1", "/c1", 1, 0, None)
    info = TraceInfo.decode(info_of(live, USED, "n").encode())
    assert info.io_uring_setups == 2
    assert trace_message(trace_of(Kept("n_web", FileState.WHOLE, 9, 1, info)), "n").io_uring_setups == 2


def test_info_tells_it_of_a_trace(daemon, ctl):
    assert "io_uring_setups: 3" in ctl("info", "node1_default_m").splitlines()
