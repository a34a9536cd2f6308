# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""Activity that no record can hold, io_uring first, is shown in every format, with any options, and kept in files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from archives import encoded_snapshot
from fake_daemon import ctl, daemon, path
from ringwriter import RingWriter

from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.archive.trace_info import info_of, trace_of
from traceloop_daemon.service.messages import trace_message
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.trace_facts import TraceFacts

pytestmark = pytest.mark.installed

NOTE = "--- this container used io_uring (2 rings): what it submitted through them is not recorded ---"
REST = (
    "--- calls made in 3 cgroups below the container's own are not recorded: it has too many ---",
    "--- arguments of 1 call were not read again at exit: too many were in flight ---",
)


def with_counts(*, io_urings: int = 0, left_out: int = 0, forgotten: int = 0) -> Snapshot:
    """Returns the snapshot with these counts in its ring."""
    ring = RingWriter()
    ring.io_urings, ring.left_out, ring.forgotten = io_urings, left_out, forgotten
    snapshot = Snapshot.decode(encoded_snapshot())
    counts = slice(24, 44)  # in struct tl_ring
    headers = (*snapshot.headers[:-1], bytearray(snapshot.headers[-1]))
    headers[-1][counts] = ring.headers()[counts]
    return replace(snapshot, headers=(*headers[:-1], bytes(headers[-1])))


USED = with_counts(io_urings=2)


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


@pytest.mark.parametrize("how", ["-o strace", "-c"])
def test_what_found_no_place_is_said_too(daemon, ctl, how):
    daemon.snapshot = with_counts(io_urings=2, left_out=3, forgotten=1).encode()
    assert ctl("show", "0123", *how.split()).splitlines()[:3] == [NOTE, *REST]
    first = [json.loads(line) for line in ctl("show", "0123", "-o", "jsonl").splitlines()[:3]]
    assert [(one["reason"], one["cpu"]) for one in first] == [
        ("io_uring", None),
        ("cgroups", None),
        ("not_read_again", None),
    ]
    assert (first[1]["cgroups"], first[2]["calls"]) == (3, 1)


def test_it_comes_through_the_archive():
    info = TraceInfo.decode(info_of(TraceFacts("n_web"), USED).encode())
    assert info.io_uring_setups == 2
    assert trace_message(trace_of(Kept("n_web", FileState.WHOLE, 9, 1, info)).view(), "n").io_uring_setups == 2


def test_info_tells_it_of_a_trace(daemon, ctl):
    assert "io_uring_setups: 3" in ctl("info", "node1_default_m").splitlines()
