# SPDX-License-Identifier: Apache-2.0
"""The text of the metrics is strictly well-formed, and matches its documentation."""

import re
from pathlib import Path

import pytest
from prometheus import parsed

from traceloop_bpf.memory import Room
from traceloop_bpf.pool import PoolUsage
from traceloop_daemon.archive.directory import Usage
from traceloop_daemon.recording.tally import BOUNDS_S, Counted, Recorded, Tally
from traceloop_daemon.recording.trace import State
from traceloop_daemon.service.metrics import metrics_text
from traceloop_daemon.service.stats import Stats

DOCUMENT = Path(__file__).parents[2] / "docs/metrics.md"
ROW = re.compile(r"\| `([a-z_]+)(?:\{(\w+)\})?` \| (\w+) \| (.+) \|")


def made_up():
    tally = Tally()
    for took_s in (0.0004, 0.001, 0.003, 7.5):
        tally.hook_answered(took_s, refused=took_s > 1)
    counted, hooks = tally.read()
    return Stats(
        node="node1",
        started_ns=1_700_000_000_500_000_000,
        traces={state: number for number, state in enumerate(State) if state is not State.CLOSED},
        rings=(PoolUsage(3, 8, 1 << 20, 9), PoolUsage(1, 0, 1 << 16)),
        recorded=Recorded(1 << 60, 5, 4, 3, 2),
        counted={what: counted[what] for what in Counted},
        hooks=hooks,
        archive=Usage(7, 1000, 2, 300, 0),
        room=Room(5 << 20, 100 << 20, "the node's memory"),
    )


def test_the_text_is_well_formed_and_exact():
    families = parsed(metrics_text(made_up()))
    assert families["traceloop_events_total"].value() == float(1 << 60)
    assert f"traceloop_events_total {1 << 60}\n" in metrics_text(made_up())
    assert families["traceloop_ring_memory_bytes"].value("in_use") == (3 << 20) + (1 << 16)
    assert families["traceloop_hook_messages_total"].value("refused") == 1
    waited = families["traceloop_hook_duration_seconds"].samples
    assert waited["_bucket", "le", "0.001"] == 2
    assert waited["_bucket", "le", "0.005"] == 3
    assert waited["_bucket", "le", "2.5"] == 3
    assert waited["_bucket", "le", "+Inf"] == 4
    assert waited["_sum", None, None] == pytest.approx(7.5044)


def test_the_document_lists_what_there_is():
    rows = [ROW.fullmatch(line) for line in DOCUMENT.read_text().splitlines()]
    documented = [(row[1], row[2], row[3], row[4]) for row in rows if row]
    families = parsed(metrics_text(made_up()))
    there = [
        (name, None if family.kind == "histogram" else family.label(), family.kind, family.text)
        for name, family in families.items()
    ]
    assert documented == there


def test_the_document_lists_the_values_of_labels():
    text = DOCUMENT.read_text()
    for family in parsed(metrics_text(made_up())).values():
        assert all(f"`{value}`" in text for _, label, value in family.samples if label not in (None, "le"))


def test_quantities_above_all_bounds_are_counted_once():
    tally = Tally()
    for bound_s in BOUNDS_S:
        tally.hook_answered(bound_s, refused=False)
    tally.hook_answered(BOUNDS_S[-1] + 1, refused=False)
    _, durations = tally.read()
    assert durations.counts == (1,) * (len(BOUNDS_S) + 1)
    assert durations.longest_s == BOUNDS_S[-1] + 1
