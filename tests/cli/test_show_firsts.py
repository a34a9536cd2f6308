# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""`show` prints the firsts and the last calls, or one of the two; -c counts the whole life unless calls are selected."""

from __future__ import annotations

import json

import pytest
from areawriter import AreaWriter
from fake_daemon import ctl, daemon, path
from ringwriter import RingWriter, item

from traceloop_decode import layout

pytestmark = pytest.mark.installed

OPEN, GETPPID = 2, 110
MADE = 700
NOTE = "--- overwritten, and not among the firsts: "


@pytest.fixture
def trace(daemon):
    ring = RingWriter(ring_size=1 << 13, chunk_size=1 << 12)
    ring.now_ns = 50_000_000
    for _ in range(MADE):
        ring.enter(0, 7, GETPPID)
        ring.returns(0, 1)
    area = AreaWriter()
    area.call(2_000_000, 7, OPEN, 64, 0, 0, result=3, items=item(0, layout.KIND_STRING, b"/app.conf"))
    area.call(3_000_000, 7, OPEN, 64, 0, 0, result=-2, items=item(0, layout.KIND_STRING, b"/missing"))
    daemon.snapshot = area.beside(ring.snapshot(), {OPEN: (4, 3), GETPPID: (MADE, 0)}).encode()


@pytest.fixture
def show(ctl, trace):
    return lambda *options: ctl("show", "0123", *options).splitlines()


def test_both_are_shown_with_the_gap_between(show):
    first, second, gap, loss, *rest = show()
    assert 'filename="/app.conf"' in first
    assert second.endswith("= -1 ENOENT (No such file or directory)")
    assert NOTE in gap
    assert gap.endswith(", 2 open ---")
    assert "earlier events of cpu#0 were overwritten" in loss
    assert 0 < len(rest) < MADE
    assert all("getppid() = 1" in line for line in rest)


def test_either_is_shown_alone(show):
    both = show()
    assert show("--firsts") == both[:2]
    *_, loss = show("--last")[:1]
    assert "were overwritten" in loss
    assert show("--last")[1:] == both[4:]


@pytest.mark.parametrize("how", ["strace", "classic"])
def test_other_formats_keep_their_form(show, how):
    lines = show("-o", how)
    assert "/app.conf" in lines[0]
    assert NOTE in lines[2]
    assert len(lines) == len(show())


def test_json_says_which_are_firsts(show):
    objects = [json.loads(line) for line in show("-o", "jsonl")]
    assert [one.get("source") for one in objects[:5]] == ["firsts", "firsts", None, None, None]
    gap = objects[2]
    assert (gap["event"], gap["reason"], gap["events"], gap["cpu"]) == ("lost", "overwritten_calls", None, None)
    held = sum(one["syscall"] == "getppid" for one in objects)
    assert gap["calls"] == {"getppid": MADE - held, "open": 2}
    assert json.loads("\n".join(show("-o", "json"))) == objects


@pytest.mark.parametrize(
    ("options", "seen"),
    [(("-P", "/app.conf"), ["/app.conf"]), (("-Z",), ["/missing"]), (("-e", "open"), ["/app.conf", "/missing"])],
)
def test_selections_work_over_both(show, options, seen):
    calls = [line for line in show(*options) if "---" not in line]
    assert len(calls) == len(seen)
    assert all(name in line for name, line in zip(seen, calls, strict=True))


@pytest.mark.parametrize(
    ("options", "opens", "getppids"),
    [
        (("-c",), ["4", "3"], [str(MADE)]),
        (("-c", "-e", "trace=open"), ["4", "3"], None),
        (("-C",), ["4", "3"], [str(MADE)]),
        (("-c", "--firsts"), ["2", "1"], None),
        (("-c", "-Z"), ["1", "1"], None),
    ],
)
def test_the_table_counts_the_whole_life_unless_calls_are_selected(show, options, opens, getppids):
    rows = {row[-1]: row[3:-1] for line in show(*options) if len(row := line.split()) in (5, 6)}
    assert rows.get("open") == opens
    assert rows.get("getppid") == getppids


def test_firsts_and_last_exclude_each_other(ctl):
    assert "--firsts and --last are mutually exclusive" in ctl("show", "0123", "--firsts", "--last", status=2)
    assert "--firsts works with every format except -o records" in ctl(
        "show", "0123", "--firsts", "-o", "records", status=2
    )
