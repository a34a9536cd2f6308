# SPDX-License-Identifier: Apache-2.0
"""The metrics file: well-formed to the letter, as documented, written whole, and what happens where it cannot be."""

import re
import stat
import time
from pathlib import Path

import pytest
from lab import Daemon
from recorder import Cgroup
from test_daemon import inside, start, trace_of, wait_state

from traceloop_bpf.memory import Room
from traceloop_bpf.pool import PoolUsage
from traceloop_daemon.archive import Usage
from traceloop_daemon.metrics import metrics_text
from traceloop_daemon.registry import State
from traceloop_daemon.stats import Stats
from traceloop_daemon.tally import BOUNDS_S, Counted, Recorded, Tally

DOCUMENT = Path(__file__).parent.parent / "docs/metrics.md"
# "Exposition formats", "Text format details". A sample has no time here.
COMMENT = re.compile(r"# (HELP|TYPE) ([a-z][a-z0-9_]*) (.+)")
SAMPLE = re.compile(r"([a-z][a-z0-9_]*)(?:\{(\w+)=\"([^\"\\\n]*)\"\})? (\d+(?:\.\d+)?(?:e[+-]\d+)?)")
ROW = re.compile(r"\| `([a-z_]+)(?:\{(\w+)\})?` \| (\w+) \| (.+) \|")


class Family:
    """One metric. samples: (what follows its name, label, label's value) -> value."""

    def __init__(self, text):
        self.text, self.kind, self.samples = text, None, {}

    def label(self):
        (label,) = {label for behind, label, _ in self.samples if not behind}
        return label

    def value(self, value=None):
        return self.samples["", self.label(), value]


def parsed(text):
    """By name; AssertionError for what Prometheus would not read, or what its conventions forbid."""
    families, name = {}, None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if found := COMMENT.fullmatch(line):
            word, of, rest = found.groups()
            if word == "HELP":
                assert of not in families, "once each"
                name, families[of] = of, Family(rest)
            else:
                assert of == name, "HELP, TYPE, then the samples"
                assert families[name].kind is None
                assert not families[name].samples
                assert rest in ("counter", "gauge", "histogram")
                families[name].kind = rest
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        of, label, value, number = found.groups()
        family = families[name]
        behind = of.removeprefix(name)
        assert of.startswith(name)
        assert behind in (("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",))
        assert (behind, label, value) not in family.samples
        family.samples[behind, label, value] = float(number)
    for name, family in families.items():
        assert family.samples
        assert name.endswith("_total") == (family.kind == "counter"), name
        if family.kind == "histogram":
            check_histogram(family)
    return families


def check_histogram(family):
    buckets = {value: number for (behind, _, value), number in family.samples.items() if behind == "_bucket"}
    bounds = [float(value) for value in buckets]
    assert bounds == sorted(bounds)
    assert list(buckets)[-1] == "+Inf"
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets["+Inf"] == family.samples["_count", None, None]
    assert ("_sum", None, None) in family.samples


def made_up():
    tally = Tally()
    for took_s in (0.0004, 0.001, 0.003, 7.5):
        tally.hook_answered(took_s, refused=took_s > 1)
    counted, hooks = tally.read()
    return Stats(
        node="node1",
        started_ns=1_700_000_000_500_000_000,
        traces={state: number for number, state in enumerate(State) if state is not State.CLOSED},
        rings=(PoolUsage(3, 8, 1 << 20), PoolUsage(1, 0, 1 << 16)),
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


def wait_for(path, before=None):
    """What the file says, once it is there and says something else than before."""
    end = time.monotonic() + 60
    while not path.exists() or (text := path.read_text()) == before:
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.05)  # renames into a directory are told by inotify(7), which Python does not have
    return text


@pytest.mark.kernel
def test_the_daemon_writes_the_file_again_and_again(tmp_path):
    path = tmp_path / "traceloop.prom"
    with Daemon(config=f'[metrics]\ntextfile = "{path}"\ninterval = "1s"\n') as daemon, Cgroup() as cgroup:
        text = wait_for(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert parsed(text)["traceloop_traces"].value("recording") == 0
        with inside(cgroup, "cat") as process:
            assert start(daemon, "measured", process.pid) == "ok\n"
            while not parsed(text)["traceloop_traces"].value("recording"):
                text = wait_for(path, text)
        trace = trace_of(daemon, "measured")
        wait_state(daemon, trace["id"], "frozen")
        events = trace_of(daemon, "measured")["events"]
        while parsed(text)["traceloop_events_total"].value() != events:
            text = wait_for(path, text)
        assert parsed(text)["traceloop_recordings_total"].value("hook") == 1
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert not path.exists()


@pytest.mark.kernel
def test_a_file_that_cannot_be_written_is_told_once_and_once_when_it_can(tmp_path):
    directory = tmp_path / "collector"
    path = directory / "traceloop.prom"
    with Daemon(config=f'[metrics]\ntextfile = "{path}"\ninterval = "1s"\n') as daemon:
        daemon.wait_for_log(lambda line: "metrics cannot be written" in line)
        lines = daemon.wait_for_log(lambda line: str(path) in line)
        assert "No such file or directory" in lines
        assert "docs/metrics.md" in lines
        # It is tried again, and nothing more is said.
        assert daemon.ctl("list").returncode == 0
        directory.mkdir()
        wait_for(path)
        daemon.wait_for_log(lambda line: f"metrics are written to {path} again" in line)
        assert daemon.log.count("metrics cannot be written") == 1
        assert daemon.log.count("metrics are written") == 1
