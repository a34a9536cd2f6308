# SPDX-License-Identifier: Apache-2.0
"""The soak's verdict: it finds growth in noise, and nothing where there is none; and its counts are right."""

from __future__ import annotations

import os
from random import Random

import pytest
from soak import sample
from soak.limits import rule_of
from soak.report import Line, sparkline, text
from soak.slopes import BINS, Limit, binned, fit, p99, scaled

from traceloop_bpf.tracer import Tracer

HOUR_S = 3600
DAY_S = 86_400
FEW = Limit(a_day=24, step=2)


def an_hour(course, seed=1):
    """Returns samples of an hour, one every 10 s."""
    chance = Random(seed)
    return [(float(at_s), course(at_s, chance)) for at_s in range(0, HOUR_S, 10)]


def exceeds(course, limit):
    """Returns, for each of twenty hours, whether it exceeds the limit."""
    return [fit(binned(an_hour(course, seed))).exceeds(limit) for seed in range(20)]


def test_noise_around_a_level_does_not_grow():
    assert not any(exceeds(lambda _, chance: 53 + chance.choice([0, 0, 0, 1, 2, 5]), FEW))
    assert not any(exceeds(lambda _, chance: chance.gauss(40_000, 300), Limit(a_day=24 * 1024, step=1024)))
    skewed = Limit(a_day=1, step=0.5, relative=True)
    assert not any(exceeds(lambda _, chance: 12 * chance.lognormvariate(0, 0.5), skewed))


def test_a_leak_in_noise_grows():
    assert all(exceeds(lambda at_s, chance: 53 + at_s // 600 + chance.choice([0, 0, 0, 1, 2, 5]), FEW))
    memory = Limit(a_day=24 * 1024, step=1536, in_steps=True)
    assert all(exceeds(lambda at_s, chance: 40_000 + 4000 * at_s / HOUR_S + chance.gauss(0, 300), memory))


def test_a_leak_with_each_of_the_restarts_in_the_last_part_grows():
    # The lives of daemons in run.py: a long one, then eight restarts
    def restarts(at_s):
        return max(0, int((at_s / HOUR_S - 0.6) / 0.05) + 1)

    assert all(exceeds(lambda at_s, chance: 32 + restarts(at_s) + chance.choice([0, 0, 1]), FEW))


def test_what_comes_and_goes_does_not_grow():
    assert not any(exceeds(lambda at_s, _: 10_000 + at_s * 5 % 1000, Limit(a_day=24, step=300)))


def test_memory_that_settles_in_a_step_does_not_grow():
    # RSS in KiB from a run of ten minutes; it stayed at the last value until the next daemon.
    rss = [56100, 57056, 56236, 57344, 57364, 57524, 57408, 57520, 57472, 57852, 57692]
    rss += [57588, 57700, 56868, 58092, 59256, 59260, 60764, 60776, 60776, 60704, 60720]
    found = fit([(at_s * 10.0, float(value)) for at_s, value in enumerate(rss)])
    assert found.exceeds(Limit(a_day=24 * 1024, step=1536))
    assert not found.exceeds(Limit(a_day=24 * 1024, step=1536, in_steps=True))


def test_what_takes_longer_while_the_machine_is_busy_is_scaled():
    reference = [(at_s * 10.0, 10.0 if at_s < 20 else 30.0) for at_s in range(30)]
    assert scaled([(5.0, 12.0), (250.0, 36.0), (9999.0, 30.0)], reference) == [
        (5.0, 12.0),
        (250.0, 12.0),
        (9999.0, 10.0),
    ]


def test_what_grew_at_the_start_and_then_stays_is_judged_by_its_slope():
    grown = fit(binned(an_hour(lambda at_s, _: min(at_s, 600) / 10)))
    assert grown.first < grown.last
    assert not grown.exceeds(FEW)


def test_minutes_are_not_extrapolated_to_a_leak():
    assert fit(binned([(at_s * 10.0, 53 + at_s / 20) for at_s in range(30)])).exceeds(Limit(a_day=24, step=0))
    assert not fit(binned([(at_s * 10.0, 53 + at_s / 20) for at_s in range(30)])).exceeds(FEW)


def test_slope_and_thirds_of_a_straight_line():
    found = fit([(at_s, 7 + 2 * at_s) for at_s in range(30)])
    assert (found.slope, found.least) == (pytest.approx(2 * DAY_S), pytest.approx(2 * DAY_S))
    assert (found.first, found.middle, found.last) == (16, 36, 56)


def test_too_few_are_not_judged():
    assert fit([(float(at_s), 1.0) for at_s in range(8)]) is None
    assert "too few" in str(Line("fds", rule_of("fds"), [(0.0, 1.0)], [[]]))
    assert not Line("fds", rule_of("fds"), [(0.0, 1.0)], [[]]).exceeds


def test_bins_are_of_equal_time():
    assert binned([]) == []
    assert binned([(5.0, 3.0)]) == [(pytest.approx(5.0, abs=1), 3.0)]
    found = binned([(0.0, 1.0), (0.1, 3.0), (0.2, 9.0), (9.0, 4.0)], bins=2)
    assert found == [(pytest.approx(2.25), 3.0), (pytest.approx(6.75), 4.0)]
    assert len(binned(an_hour(lambda at_s, _: at_s))) == BINS


def test_99_of_100():
    assert p99(list(range(1, 101))) == 99
    assert p99([5.0]) == 5.0


def test_a_course_is_drawn():
    assert sparkline([1, 1, 1]) == "▁▁▁"
    assert sparkline([0, 7, 3.5, 0], width=4) == "▁█▅▁"


def test_the_report_names_what_is_broken():
    grows = [(float(at_s), 50.0 + at_s) for at_s in range(30)]
    falls = [(float(at_s), 125_000.0 - 2000 * at_s) for at_s in range(30)]
    lines = [
        Line("fds socket", rule_of("fds socket"), grows, [grows]),
        Line("busy events", rule_of("busy events"), falls, [falls]),
        Line("busy calls", rule_of("busy calls"), grows, [grows]),
    ]
    said = text("soak of 1 h", lines, {"asked: list": 3}, [])
    assert said.endswith("BROKEN: fds socket, busy events\n")
    assert [line.split()[-2] for line in said.splitlines() if "▁" in line] == ["GROWS", "FALLS", "ok"]
    assert text("", lines[2:], {}, []).endswith("\nall within their limits\n")
    short = [Line("threads", rule_of("threads"), grows, [[]])]
    assert text("", lines[2:] + short, {}, []).endswith("\nall within their limits, but for 1 of too few samples\n")
    assert text("", lines[2:], {}, ["a hook was not served"]).endswith("BROKEN: see the faults\n")


def test_what_a_process_leaks_and_takes_with_it_grows():
    # Descriptors of a daemon that leaked one for every 40 recordings, and of the daemons after it
    life = [(at_s * 10.0, 53.0 + at_s) for at_s in range(35)]
    rest = [(350 + at_s * 10.0, 54.0) for at_s in range(23)]
    assert not Line("fds", rule_of("fds"), life + rest, [life + rest]).exceeds
    assert Line("fds", rule_of("fds"), life + rest, [life, life + rest]).exceeds
    flat = [(at_s * 10.0, 53.0) for at_s in range(35)]
    assert not Line("fds", rule_of("fds"), flat + rest, [flat, flat + rest]).exceeds


def test_what_nothing_is_promised_of_is_not_judged():
    assert rule_of("fds bpf-map") is rule_of("fds")
    assert rule_of("files /run/traceloop").limit != rule_of("files /var/lib/traceloop").limit
    assert rule_of("stats events") is None


def test_what_a_process_has_is_counted():
    before = sample.of_process(os.getpid())
    pipes = [os.pipe() for _ in range(5)]
    try:
        after = sample.of_process(os.getpid())
    finally:
        for fd in (fd for pipe in pipes for fd in pipe):
            os.close(fd)
    assert after["fds"] - before["fds"] == after["fds pipe"] - before.get("fds pipe", 0) == 10
    assert after["rss"] >= after["pss"] > 0


def test_files_and_directories_are_counted(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").touch()
    assert (sample.files_below(tmp_path), sample.directories_below(tmp_path)) == (3, 2)


@pytest.mark.kernel
def test_entries_of_tables_and_rings_are_counted(tracer: Tracer):
    tracer.pool.wait_idle()
    before = sample.of_tables(os.getpid()), sample.of_process(os.getpid())
    recording = tracer.record([1 << 40, (1 << 40) + 1])
    tracer.pool.wait_idle()
    after = sample.of_tables(os.getpid()), sample.of_process(os.getpid())
    tracer.give_back(recording)
    tracer.pool.wait_idle()
    assert [after[0][name] - before[0][name] for name in ("entries cgroups", "entries below")] == [1, 1]
    assert after[1]["rings"] - before[1]["rings"] == 1
    assert sample.of_tables(os.getpid()) == before[0]
