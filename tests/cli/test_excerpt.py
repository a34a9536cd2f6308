# SPDX-License-Identifier: Apache-2.0
"""-S, -U, -n and -r of `show` and `list`: the part that is printed, and the memory that takes."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace

import click
import pytest
from fake_daemon import BUSYBOX, KILLED, ctl, daemon, path  # noqa: F401 - fixtures
from test_show_options import recorded, rendering, shown_by

from traceloop_cli.display.traces import in_window
from traceloop_cli.options.excerpt import last
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed


def at(microseconds):
    """Returns a time after the beginning of `recorded`, whose wall clock starts in 1970 with its first event."""
    return f"@0.{1000 + microseconds:06}"


def whats(lines):
    """Returns thread and call, or the other content, of each line of `short`."""
    return [re.sub(r".* pid (\d+) \[work\] (\.{0,3}\w+|---|\+\+\+).*", r"\1 \2", line) for line in lines]


ALL = [
    *("70 read", "72 read", "71 openat", "71 openat", "71 read", "71 ---", "71 ---", "70 ...read", "71 close"),
    *("72 +++", "71 getppid"),
]


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        ((), ALL),
        (("-S", at(0)), ALL),
        (("-S", at(6)), ALL[3:]),  # it returned at that time
        (("-S", at(7), "-U", at(9)), ALL[4:6]),
        (("-U", at(2)), ALL[:2]),
        (("-S", at(11), "-U", at(11)), ["70 ...read"]),
        (("-S", at(11), "-U", at(11), "-e", "trace=read", "-z"), ["70 read"]),  # whole, because it is one event then
        (("-S", at(16)), []),
        (("-S", at(4), "-U", at(8), "-e", "trace=openat"), ["71 openat", "71 openat"]),
        (("-n", "2"), ALL[-2:]),
        (("-n", "0"), []),
        (("-n", "99"), ALL),
        (("-n", "9" * 25), ALL),
        (("-n", "+" + "9" * 5000), ALL),
        (("-n", "0" * 5000 + "2"), ALL[-2:]),
        (("-n", "+2"), ALL[:2]),
        (("-n", "+0"), []),
        (("-n", "+2", "-r"), ALL[1::-1]),
        (("-r",), ALL[::-1]),
        (("-r", "-n", "3"), ALL[:-4:-1]),
        (("-U", at(8), "-n", "1"), ["71 read"]),
        (("-Z", "-n", "1", "-r"), ["72 +++"]),
    ],
)
def test_what_is_shown(argv, left):
    assert whats(shown_by(*argv)) == left


def test_a_call_that_one_object_tells_of_is_shown_if_it_ran_then():
    for output in ("json", "jsonl"):
        lines = list(rendering("-o", output, "-S", at(11), "-U", at(11)).lines(recorded()))
        objects = json.loads("\n".join(lines)) if output == "json" else [json.loads(line) for line in lines]
        # 72 is in its read until it is killed, and 70's read returns.
        assert [(one["tid"], one["syscall"], one["ret"]) for one in objects] == [(70, "read", 2), (72, "read", None)]


def test_what_is_lost_is_shown_whenever_it_was():
    assert shown_by("-S", at(16)) == []
    whole = recorded()
    damaged = replace(whole, data=whole.data[:200] + bytes(200) + whole.data[400:])
    (line,) = rendering("-S", at(16)).lines(damaged)
    assert " rejected as possibly damaged" in line


@pytest.mark.parametrize("argv", [("-n", "2"), ("-r",), ("-n", "0"), ("-n", "2", "-r")])
def test_json_stays_one_array(argv):
    lines = list(rendering("-o", "jsonl", *argv).lines(recorded()))
    assert json.loads("".join(rendering("-o", "json", *argv).lines(recorded()))) == [json.loads(line) for line in lines]


def test_the_summary_stays_behind_and_counts_what_is_in_the_window():
    lines = shown_by("-C", "-n", "1", "-U", at(8))
    assert whats(lines[:1]) == ["71 read"]
    assert lines[-1].split()[3:] == ["5", "1", "total"]
    assert shown_by("-c", "-S", at(12), "-U", at(13))[-1].split()[3:] == ["1", "total"]


def test_memory_holds_no_more_lines_than_are_asked_for():
    alive = most = 0

    class Line:
        def __init__(self):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    assert sum(1 for _ in last((Line() for _ in range(1000)), 10, reverse=False)) == 10
    assert most <= 12


def test_nothing_is_held_back_where_all_is_printed():
    endless = itertools.count()
    assert next(iter(last(endless, None, reverse=False))) == 0
    assert next(endless) == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-S", "16.00"), "'16.00': not a time; write it as 2026-11-24 16:00, "),
        (("-S", "now", "-U", "yesterday"), "--since is later than --until."),
        (("-n", "-1"), "'-1' is not a number of lines: write 5 for the last, +5 for the first."),
        (("-c", "-n", "1"), "-n and -r cannot be combined with -c"),
        (("-c", "-r"), "-n and -r cannot be combined with -c"),
    ],
)
def test_usage(argv, message):
    with pytest.raises(click.UsageError) as error:
        rendering(*argv)
    assert error.value.message.startswith(message)


# --- list -----------------------------------------------------------------------------------------------------------


def ids(output):
    return [line.split()[1] for line in output.splitlines()]


def listed(ctl, *words):  # noqa: F811
    names = {"mypod": BUSYBOX.id, "other": KILLED.id}
    found = ids(ctl("list", "--no-legend", "-q", *words))
    assert [one["id"] for one in json.loads(ctl("list", "-o", "json", *words))] == found
    return [name for each in found for name, trace_id in names.items() if trace_id == each]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ((), ["mypod", "other"]),
        (("-S", "-1h"), ["other"]),  # still being recorded
        (("-S", "@1700000000"), ["mypod", "other"]),
        (("-S", "@1700000001"), ["mypod", "other"]),
        (("-S", "@1700000001.000000001"), ["other"]),
        (("-U", "2023-11-14 22:13:20 UTC"), ["other"]),
        (("--until", "2023-11-14T22:13:21Z"), ["mypod", "other"]),
        (("-U", "2023-11-14"), []),
        (("-n", "1"), ["other"]),
        (("-r",), ["other", "mypod"]),
        (("-n", "1", "-U", "@1700000000.000000042", "-S", "@0"), ["other"]),
        (("-n", "0"), []),
        (("-n", "+1"), ["mypod"]),
    ],
)
def test_which_traces_are_listed(daemon, ctl, words, left):  # noqa: F811
    assert listed(ctl, *words) == left


def test_a_list_of_none_names_its_node_unless_it_is_to_be_quiet(daemon, ctl):  # noqa: F811
    told = "none of the 2 traces fits: `traceloopctl list` without options shows all\n"
    assert ctl("list", "-U", "2000-01-01", "--no-legend", told=told) == "node1\n"
    assert ctl("list", "-U", "2000-01-01", "--no-legend", "-q") == ""
    assert ids(ctl("-n", "1", "--no-legend")) == [KILLED.id]  # also without a verb


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-r",), "-r and -U cannot be combined with --follow"),
        (("-U", "now"), "-r and -U cannot be combined with --follow"),
    ],
)
def test_what_goes_on_has_no_end(ctl, words, why):  # noqa: F811
    assert ctl("list", "-f", *words, status=2).startswith(why)


def test_a_wrong_time_is_one_line(ctl):  # noqa: F811
    for verb in (("list",), ("show", "x")):
        said = ctl(*verb, "--since", "16.00\x1b[2J", status=2)
        assert said.startswith(r"Invalid value for '-S' / '--since': '16.00\x1b[2J': not a time; write it as 2026")


@pytest.mark.parametrize(
    ("started", "ended", "since", "until", "shown_"),
    [
        (10, 20, 20, None, True),
        (10, 20, 21, None, False),
        (10, 20, None, 10, True),
        (10, 20, None, 9, False),
        (10, 20, 12, 15, True),
        (10, 0, 99, None, True),  # the end is unknown, or has not come
        (0, 0, 12, 15, True),
    ],
)
def test_a_recording_counts_if_it_overlaps(started, ended, since, until, shown_):
    assert in_window(pb.Trace(started_ns=started, ended_ns=ended), since, until) is shown_
