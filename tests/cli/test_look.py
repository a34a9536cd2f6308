# SPDX-License-Identifier: Apache-2.0
"""Output for terminals only: names cut to the width, folded findings, and a little colour."""

from __future__ import annotations

import re

import pytest
from archives import INFO, failed_snapshot
from fake_daemon import BUSYBOX, ctl, daemon, path  # noqa: F401 - fixtures
from test_pager import SHOW, Terminal

from traceloop_cli.display.finding_lines import finding_lines
from traceloop_cli.display.highlight import highlighted
from traceloop_cli.display.table import HEADINGS, Table, cells
from traceloop_cli.display.terminal import folded
from traceloop_cli.findings import Finding, Level
from traceloop_decode.archive_file import NONE, pack
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

RED, BOLD, YELLOW, GREEN, END = "\x1b[31m", "\x1b[1m", "\x1b[33m", "\x1b[32m", "\x1b[0m"
NODE, ID = "ip-10-0-30-247.internal", "ip-10-0-30-247.internal_kube-system_coredns-5d78c9869d-x7vjq"


def row(**changes):
    values = {"id": ID, "node": NODE, "state": pb.STATE_ARCHIVED, "exit_code": 0, "started_ns": 1, "ended_ns": 2}
    return cells(pb.Trace(**values | changes), 90 * 10**9)


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [None, 60, 80, 100, 120, 160, 200])
def test_a_table_is_no_wider_than_the_terminal_and_cut_where_it_must_be_alone(width):
    rows = [HEADINGS, row(), row(id="n_b", node="n", events=10**9)]
    lines = list(Table(width, color=False).lines(rows))
    whole = max(map(len, Table(None, color=False).lines(rows)))
    assert max(map(len, lines)) <= min(width or whole, whole)
    assert (ID in lines[1]) == (whole <= (width or whole))
    assert ID.removeprefix(f"{NODE}_") in lines[1] or (width or whole) <= 80
    assert {line.split()[2] for line in lines[1:]} == {"archived"}
    assert len({line.index(word) for line, word in zip(lines, ("STATE", "archived", "archived"), strict=True)}) == 1


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (200, HEADINGS),
        (140, HEADINGS),
        (115, tuple(word for word in HEADINGS if word not in {"SIZE", "EVENTS"})),
        (80, ("NODE", "TRACE", "STATE", "EXIT", "ENDED", "REASON")),
        (50, ("NODE", "TRACE", "STATE", "EXIT", "ENDED")),
    ],
)
def test_a_narrow_terminal_shows_the_columns_that_say_the_most(width, headings):
    lines = list(Table(width, color=False).lines([HEADINGS, row(exit_code=127)]))
    assert tuple(lines[0].split()) == headings
    assert ("REASON" in headings) == ("exited with 127" in lines[1])
    assert max(map(len, lines)) <= width


def test_columns_that_were_left_out_stay_out_and_those_that_are_there_stay():
    table = Table(105, color=False)
    headings, _ = table.lines([HEADINGS, row()])
    assert "SIZE" not in headings
    (later,) = table.lines([row(id="n_b", node="n", exit_code=3)])
    assert later.index("exited") == headings.index("REASON")
    wide = Table(105, color=False)
    (first,) = wide.lines([HEADINGS])
    (later,) = wide.lines([row()])
    assert first.split() == list(HEADINGS)
    assert len(re.split("  +", later)) == len(HEADINGS)


def test_the_end_of_an_id_is_kept_and_the_beginning_of_a_node():
    line = next(Table(80, color=False).lines([row(events=1 << 40)]))
    node, trace, *_ = line.split()
    assert NODE.startswith(node.removesuffix("..."))
    assert ID.endswith(trace.removeprefix("..."))
    assert trace.startswith("...")


def test_a_narrow_terminal_leaves_out_the_nodes_name_before_it_cuts_anything():
    table = Table(130, color=False)
    _, first = table.lines([HEADINGS, row()])
    assert first.split()[:2] == [NODE, ID.removeprefix(f"{NODE}_")]
    assert first.endswith("  exited with 0")
    assert next(table.lines([row(id=f"{NODE}_db")])).split()[:2] == [NODE, "db"]
    assert next(table.lines([row(id="elsewhere_db")])).split()[:2] == [NODE, "elsewhere_db"]


def test_a_terminal_too_narrow_for_any_of_it_breaks_the_lines_itself():
    (line,) = Table(20, color=False).lines([row()])
    assert line.split() == ["i...", "...x7vjq", "archived", "0", "89s"]


def test_columns_grow_with_what_comes_later():
    table = Table(None, color=False)
    (first,), (second,) = (list(table.lines([row(id=name)])) for name in ("a_long_one", "b"))
    assert first.index("archived") == second.index("archived")


@pytest.mark.parametrize(
    ("changes", "coloured"),
    [
        ({"state": pb.STATE_RECORDING, "exit_code": None}, f"{GREEN}recording{END}"),
        ({"state": pb.STATE_ERROR}, f"{RED}error{END}"),
        ({"state": pb.STATE_TRUNCATED}, f"{RED}truncated{END}"),
        ({"exit_code": 3}, f"{RED}3{END}"),
        ({"exit_code": None, "signal": 9}, f"{RED}SIGKILL{END}"),
        ({}, None),
        ({"node": f"{RED}n", "id": f"x{RED}"}, None),
    ],
)
def test_states_and_failures_have_colours_and_widths_do_not_count_them(changes, coloured):
    rows = [HEADINGS, row(**changes)]
    plain, painted = (list(Table(None, color=color).lines(rows)) for color in (False, True))
    assert painted[0] == plain[0]
    assert painted[1].count("\x1b[") == (2 if coloured else 0)
    assert coloured is None or coloured in painted[1]
    assert painted[1].replace(coloured or "\0", (coloured or "\0")[5:-4]) == plain[1]


# --- the lines of show ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "coloured"),
    [
        ('7 open("/x") = {-1 ENOENT (No such file or directory)}', RED),
        ('7 open("/x") = {-1 ENOENT (No such file or directory)} <0.000012>', RED),
        ("7 mount() = {-1 EPERM (Operation not permitted)  [CAP_SYS_ADMIN refused]}", RED),
        ("7 open() = {-1 EACCES (Permission denied)  [CAP_DAC_OVERRIDE, CAP_FOWNER refused]} <0.000012>", RED),
        ("{--- SIGTERM {si_signo=SIGTERM} --- sent by pid 5 [CAP refused]}", YELLOW),
        ("00:00.1 cpu#0 pid 7 [sh] ...read() = {-1 EAGAIN (Resource temporarily unavailable)}", RED),
        ("7     {+++ exited with 1 +++}", BOLD),
        ("7     {+++ killed by SIGSEGV (core dumped) +++}", BOLD),
        ("7     +++ exited with 0 +++", None),
        ("7     {--- SIGCHLD {si_signo=SIGCHLD} ---}", YELLOW),
        ("00:00.1 cpu#0 pid 7 [sh] {--- SIGTERM {si_signo=SIGTERM} --- sent by pid 9 [kill]}", YELLOW),
        ("00:00.1 cpu#1 {--- 1,234 earlier events of cpu#1 were overwritten: a larger ring keeps more ---}", YELLOW),
        ('7 write(1, " = -1 ENOENT (No such file or directory)", 40) = 40', None),
        ('7 write(1, "+++ exited with 1 +++", 21) = 21', None),
        ("7 getpid() = 7", None),
        ("", None),
    ],
)
def test_what_failed_and_how_it_ended_has_colour(line, coloured):
    # The outermost braces mark where colour begins and ends.
    begin, end = (line.find("{"), line.rfind("}")) if coloured else (-1, -1)
    plain = line[:begin] + line[begin + 1 : end] + line[end + 1 :] if coloured else line
    (painted,) = highlighted([plain])
    if coloured is None:
        assert painted == plain
    else:
        assert coloured in painted[begin : begin + 10]
        assert painted[:begin] == line[:begin]
        assert painted.endswith(f"{END}{line[end + 1 :]}")


# --- findings -------------------------------------------------------------------------------------------------------


def test_findings_are_folded_to_a_terminal_and_to_nothing_else(monkeypatch):
    what, why, remedy = "a " * 60 + "end", "because " * 20, "install -d /" + "x" * 100
    finding = Finding("unit", Level.WARNING, what, why, remedy)
    whole = list(finding_lines(finding, color=False))
    assert whole == [f"warning  unit: {what}", f"         {why}", f"         fix: {remedy}"]
    monkeypatch.setattr("traceloop_cli.display.finding_lines.columns", lambda: 60)
    lines = list(finding_lines(finding, color=True))
    assert lines[0].startswith(f"{YELLOW}warning{END}  unit: a a")
    assert all(line.startswith("         ") for line in lines[1:])
    long = [line for line in lines[1:] if len(line) > 60]
    assert [line.strip() for line in long] == ["/" + "x" * 100]  # text to be copied is not cut
    assert " ".join(" ".join(lines).split()) == " ".join(
        f"{YELLOW}warning{END} unit: {what} {why} fix: {remedy}".split()
    )


def test_text_is_folded_at_its_blanks_alone():
    assert folded("one two-three", 40, "- ", "  ") == ["- one two-three"]
    assert folded("x " * 30 + "two-three", 70, "- ", "  ")[-1] == "  two-three"


# --- when -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "env", "colours"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1", "TERM": "dumb"}, True),
        (("-o", "json"), {}, False),
    ],
)
def test_colour_is_for_terminals_unless_something_says_otherwise(daemon, path, words, env, colours):  # noqa: F811
    for verb in (("list",), SHOW):
        with Terminal(path, *verb, "--no-pager", *words, **{"NO_COLOR": ""} | env) as terminal:
            terminal.end()
            assert ("\x1b[" in terminal.shown) == colours


def test_a_pipe_gets_colour_if_it_asks_for_it_and_whole_names(daemon, ctl):  # noqa: F811
    daemon.traces = [pb.Trace(id=ID * 3, node=NODE, state=pb.STATE_RECORDING), BUSYBOX]
    assert "\x1b" not in ctl("list", env={"COLUMNS": "80"})
    assert ID * 3 in ctl("list", env={"COLUMNS": "80"})
    assert f"{GREEN}recording{END}" in ctl("list", "--color", "always")
    assert f"{BOLD}+++ exited with 1 +++{END}" in ctl(*SHOW, "--color=always")
    assert "\x1b" not in ctl(*SHOW, "-o", "jsonl", "--color=always")


def test_a_terminal_gets_names_that_fit_and_whole_ones_if_it_asks(daemon, path):  # noqa: F811
    daemon.traces = [pb.Trace(id=ID * 3, node=NODE, state=pb.STATE_RECORDING)]
    with Terminal(path, "list") as terminal:
        assert max(map(len, terminal.end().splitlines())) <= 80
    with Terminal(path, "list", "--no-pager", COLUMNS="300") as terminal:
        assert ID * 3 in terminal.end()
    with Terminal(path, "list", "--no-trunc", "--no-pager") as terminal:
        assert ID * 3 in terminal.end()


def test_why_breaks_its_lines_at_the_terminal_s_width(daemon, path):  # noqa: F811
    daemon.file = pack(INFO, failed_snapshot(), NONE)
    long = 'openat(AT_FDCWD, "/etc/app.conf", O_RDONLY) = -1 ENOENT (No such file or directory)'
    with Terminal(path, "why", BUSYBOX.id, "--no-pager") as terminal:
        shown = terminal.end()
        assert max(map(len, shown.splitlines())) <= 80
        assert long not in shown
    with Terminal(path, "why", BUSYBOX.id, "--no-pager", COLUMNS="200") as terminal:
        assert long in terminal.end()
