# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F811 - fixtures
"""The verbs that print views: of one trace, of several, of a file; as tables and as JSON."""

from __future__ import annotations

import json
import re

import pytest
from fake_daemon import BUSYBOX, FILE, NO_DAEMON, ctl, daemon, path  # noqa: F401 - fixtures
from ringwriter import RingWriter

from traceloop_cli.display.views import Shown, text
from traceloop_decode.ring_headers import Unrecorded
from traceloop_decode.views.table import Column, Table, Unit

pytestmark = pytest.mark.installed

VERBS = ("summary", "files", "net", "processes", "stdio", "slow")


def test_what_was_printed(daemon, ctl):
    assert ctl("stdio", "node1_default_mypod").splitlines() == [
        "TIME             PID  STREAM  TEXT",
        "00:00.000001000    7  out     42",
    ]


def test_several_traces_have_their_ids_before_each_row(daemon, ctl):
    one, other = "node1_default_mypod", "node1_default_other"
    both = [f"{one}  00:00.000001000    7  out     42", f"{other}  00:00.000001000    7  out     42"]
    assert ctl("stdio", "--all").splitlines()[1:] == both
    assert ctl("stdio", one, other).splitlines()[1:] == both
    assert ctl("stdio", "--pod", "mypod").splitlines()[1:] == both[:1]
    assert ctl("stdio", "--pod", "default/mypod").splitlines()[1:] == both[:1]
    assert ctl("stdio", "--pod", "nosuch", status=1) == (
        "there are no traces of a pod nosuch: `traceloopctl list` shows all traces"
    )


@pytest.mark.parametrize("verb", VERBS)
def test_objects_of_a_file_without_a_daemon(ctl, tmp_path, verb):
    (tmp_path / "x.trace").write_bytes(FILE)
    (made,) = json.loads(ctl(verb, *NO_DAEMON, "--file", str(tmp_path / "x.trace"), "-o", "json"))
    assert made["lost"] == []
    assert made["unrecorded"] == {"io_urings": 0, "cgroups": 0, "rereads": 0}
    assert (made["rows"] != []) is (verb in ("summary", "processes", "stdio", "slow"))


def test_filters_select_what_is_viewed(daemon, ctl):
    assert "42" in ctl("stdio", "node1_default_mypod", "-p", "7")
    assert "42" not in ctl("stdio", "node1_default_mypod", "-p", "8")
    said = ctl("summary", "node1_default_mypod", "--where", "erno == 3", status=2)
    assert said.startswith("--where: position 1: no field is named erno")
    assert re.search("No such option:? '?-p", ctl("processes", "x", "-p", "8", status=2))  # click's versions differ


def test_each_view_says_what_was_lost(daemon, ctl):
    ring = RingWriter(1 << 13, 1 << 11)
    for _ in range(400):
        ring.enter(0, 7, 3, 3)
        ring.exit(0, 7, 3, 0)
    ring.io_urings = 2
    daemon.snapshot = ring.snapshot().encode()
    for verb in VERBS:
        io_uring, overwritten = ctl(verb, "node1_default_mypod").splitlines()[-2:]
        assert io_uring.startswith("--- this container used io_uring (2 rings): ")
        assert "earlier events were overwritten: a larger ring keeps more" in overwritten
        assert ctl(verb, "--all").splitlines()[-1] == f"node1_default_other: {overwritten}"


def test_one_trace_that_cannot_be_read_is_told_among_the_others(daemon, ctl):
    daemon.traces.append(BUSYBOX.__class__(id="gone", container_id="x"))
    whole, daemon.find = daemon.find, None

    def find(word, context):
        if word == "gone":
            import grpc

            context.abort(grpc.StatusCode.NOT_FOUND, "the file of gone is gone")
        return whole(word, context)

    daemon.find = find
    lines = ctl("stdio", "--all").splitlines()
    assert lines[-1] == "gone: --- the file of gone is gone ---"
    assert len(lines) == 4
    assert json.loads(ctl("stdio", "--all", "-o", "json"))[2]["error"] == "the file of gone is gone"
    assert ctl("stdio", "node1_default_mypod", "gone", status=1) == "the file of gone is gone"


@pytest.mark.parametrize("words", [("x", "--all"), ("--all", "--pod", "x"), ("--file", "f", "x")])
def test_a_view_has_one_source(ctl, words):
    assert ctl("net", *words, status=2).startswith("Give one of: ID..., --file, --all, --pod")


def test_cells() -> None:
    columns = (
        Column("n", "N", Unit.COUNT),
        Column("b", "B", Unit.BYTES),
        Column("t", "T", Unit.SPAN),
        Column("at", "AT", Unit.SINCE_START),
        Column("depth", "", Unit.NUMBER),
        Column("x", "X"),
    )
    table = Table(columns, ((0, 0, None, 5, 0, "a\x1b"), (12, 2048, 1_500_000_999, 61_000_000_000, 2, "")))
    assert list(text([Shown("x", table)], several=False)) == [
        " N     B         T  AT               X",
        r" -     -         -  00:00.000000005  a\33",
        "12  2.0K  1.500000  01:01.000000000      -",
    ]
    assert list(text([Shown("x", Table(columns[:1], ()), (), Unrecorded(0, 0, 0))], several=True)) == ["TRACE  N"]
