# SPDX-License-Identifier: Apache-2.0
"""The options of `show` that select events beyond strace's, and the expressions of --where."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from ringwriter import RingWriter, item
from test_show_options import AT_FDCWD, CLOSE, ENOENT, NUMBERS, OPENAT, READ, on_paths, recorded, rendering

from traceloop_cli.commands.show import command as show
from traceloop_cli.options.examples import EXAMPLES
from traceloop_cli.options.expressions import ExpressionError, parsed
from traceloop_decode import layout
from traceloop_decode.selection.conditions import Comparison, Either, Every, Opposite, comparison
from traceloop_decode.selection.fields import FIELDS, Kind
from traceloop_decode.snapshot import Snapshot

ROOT = Path(__file__).parents[2]
EACCES, SIGTERM = 13, 15


def recording() -> Snapshot:
    """Process 7 [web] opens and reads slowly; 8 [db] fails twice, is told SIGTERM and exits with 3; 9 waits forever."""
    ring = RingWriter(1 << 20, 1 << 14)
    for tid, name in ((7, "web"), (8, "db"), (9, "idle")):
        ring.name(tid, tid, name)
    ring.enter(0, 9, READ, 6, 0x2000, 9)
    ring.enter(0, 7, OPENAT, AT_FDCWD, 16, 0, 0, items=item(1, layout.KIND_STRING, b"/var/log/app.log"))
    ring.exit(0, 7, OPENAT, 3)
    ring.enter(0, 7, READ, 3, 0x3000, 100)
    for path, error in ((b"/etc/a", ENOENT), (b"/etc/b", EACCES)):
        ring.enter(1, 8, OPENAT, AT_FDCWD, 16, 0, 0, items=item(1, layout.KIND_STRING, path))
        ring.exit(1, 8, OPENAT, -error)
    ring.now_ns += 20_000_000
    ring.exit(0, 7, READ, 9, items=item(1, layout.KIND_BUFFER, b"refused!\n", flags=layout.ITEM_OUT))
    ring.signal(1, 8, SIGTERM)
    ring.task_exit(1, 8, 3 << 8)
    ring.enter(0, 7, CLOSE, 3)
    ring.exit(0, 7, CLOSE, 0)
    return ring.snapshot()


ALL = ["9 read", "7 openat", "7 read", "8 openat", "8 openat", "8 ---", "8 +++", "7 close"]


def whats(*argv: str, snapshot: Snapshot | None = None) -> list[str]:
    """Returns thread and call, or the kind of another line."""
    lines = list(rendering("-o", "strace", *argv).lines(snapshot or recording()))
    return [re.sub(r"^(\d+) +(\w+|---|\+\+\+).*", r"\1 \2", line) for line in lines]


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (("--errno", "ENOENT"), ["8 openat"]),
        (("--errno", "2,EACCES"), ["8 openat", "8 openat"]),
        (("--errno", "!ENOENT"), ["8 openat"]),
        (("--errno", "all"), ["8 openat", "8 openat"]),
        (("--errno", "none"), []),
        (("-p", "8"), ["8 openat", "8 openat", "8 ---", "8 +++"]),
        (("--pid", "9,7"), ["9 read", "7 openat", "7 read", "7 close"]),
        (("-p", "9", "-p", "8", "-e", "openat"), ["8 openat", "8 openat", "8 ---", "8 +++"]),
        (("--tid", "9"), ["9 read"]),
        (("--comm", "web", "--comm", "idle"), ["9 read", "7 openat", "7 read", "7 close"]),
        (("--comm", "we"), []),
        (("--fd-path", "/var/*"), ["7 openat", "7 read", "7 close"]),
        (("--fd-path", "/var/log/app.log", "-e", "read"), ["7 read"]),
        (("--fd-path", "app.log"), []),
        (("--min-duration", "20ms"), ["9 read", "7 read"]),
        (("--min-duration", "1s"), []),
        (("--min-duration", "20ms", "-z"), ["7 read"]),
        (("--since-end", "0s"), ["9 read", "7 close"]),
        (("--since-end", "5us"), ["9 read", "7 read", "8 ---", "8 +++", "7 close"]),
        (("--since-end", "1h", "-p", "8", "-n", "1"), ["8 +++"]),
        (("-p", "8", "--since-end", "0s"), []),  # the trace's end, not that of the process
        (("--where", "pid == 8 && !failed"), ["8 ---", "8 +++"]),
        (("--where", "returned and duration > 10ms"), ["7 read"]),
        (("--where", 'path =~ "^/etc/" && errno == EACCES'), ["8 openat"]),
        (("--where", "syscall == %desc and not (fd == 3 or failed)"), ["9 read", "7 openat"]),
        (("--where", "syscall in (close, read) && comm != idle"), ["7 read", "7 close"]),
        (("--where", 'data =~ "refused"'), ["7 read"]),
        (("--where", 'fd_path == "/var/log/app.log"'), ["7 openat", "7 read", "7 close"]),
        (("--where", "signal == SIGTERM || exit_code != 0 && event == exit"), ["8 ---", "8 +++"]),
        (("--where", "ret >= 3 && ret < 0x9"), ["7 openat"]),
        (("--where", "since_start <= 2us"), ["9 read", "7 openat"]),
        (("--where", "event == signal", "-p", "7"), []),
        (("--where", "cpu == 1 && tid == 8 && seccomp"), []),
    ],
)
def test_what_is_selected(argv: tuple[str, ...], left: list[str]) -> None:
    assert whats(*argv) == left


def test_without_filters_everything_is_shown() -> None:
    assert whats("--where", "pid > 0") == ALL


def test_a_short_option_is_the_expression_that_it_stands_for() -> None:
    for option, expression in (
        (("--errno", "ENOENT,EACCES"), "errno in (ENOENT, EACCES)"),
        (("--errno", "!ENOENT"), "failed && errno != ENOENT"),
        (("-p", "7", "-p", "8"), "pid in (7, 8)"),
        (("--comm", "web"), 'comm == "web"'),
        (("--min-duration", "20ms"), "duration >= 20ms"),
    ):
        (condition,) = rendering(*option).filters.condition().of
        assert condition == parsed(expression)


def test_a_filter_needs_no_files_to_be_shown_but_knows_them() -> None:
    lines = list(rendering("-o", "strace", "--fd-path", "/etc/hosts").lines(on_paths()))
    assert "7 fsync" in whats("--fd-path", "/etc/hosts", snapshot=on_paths())
    assert not any("<" in line for line in lines)  # not without -y
    assert any("</etc/hosts>" in line for line in rendering("--fd-path", "/etc/hosts", "-y").lines(on_paths()))


def test_sockets_have_addresses_for_fd_path_even_without_yy() -> None:
    ring = RingWriter()
    address = (2).to_bytes(2, "little") + (5432).to_bytes(2) + bytes((10, 0, 0, 7)) + bytes(8)
    ring.enter(0, 7, NUMBERS["socket"], 2, 1, 0)
    ring.exit(0, 7, NUMBERS["socket"], 3)
    ring.enter(0, 7, NUMBERS["connect"], 3, 0x5000, 16, items=item(1, layout.KIND_BUFFER, address))
    ring.exit(0, 7, NUMBERS["connect"], 0)
    ring.enter(0, 7, NUMBERS["write"], 3, 0x1000, 0)
    ring.exit(0, 7, NUMBERS["write"], 0)
    for argv in (("--fd-path", "TCP:*10.0.0.7:5432*"), ("--where", 'fd_path =~ "->10[.]0[.]0[.]7:5432"')):
        assert whats(*argv, snapshot=ring.snapshot()) == ["7 write"]


def test_losses_are_shown_whatever_is_selected() -> None:
    ring = RingWriter(1 << 13, 1 << 11)
    for _ in range(400):
        ring.enter(0, 7, CLOSE, 3)
        ring.exit(0, 7, CLOSE, 0)
    for argv in (("-p", "9"), ("--grep", "nothing"), ("--since-end", "1us"), ("--around", "00:00.5", "-n", "0")):
        for output in ("short", "strace", "classic", "jsonl"):
            for times in (("-tt", "--relative-timestamps"), ("-t",), ()) if output != "jsonl" else ((),):
                lines = list(rendering("-o", output, *times, *argv).lines(ring.snapshot()))
                assert "overwritten" in lines[0]
                assert not [line for line in lines[1:] if "close" in line] or argv[0] == "--since-end"


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (("--grep", "etc"), ["8 openat", "8 openat"]),
        (("-g", "ETC"), []),
        (("-g", "enoent"), ["8 openat"]),  # in lower case, so in any case
        (("-g", r"exited with \d", "-p", "8"), ["8 +++"]),
        (("-g", "openat", "-n", "1"), ["8 openat"]),
        (("-g", "openat", "-n", "+1", "-Z"), ["8 openat"]),
    ],
)
def test_lines_are_matched(argv: tuple[str, ...], left: list[str]) -> None:
    assert whats(*argv) == left


def test_objects_are_matched_too() -> None:
    (line,) = rendering("-o", "jsonl", "--grep", '"errno":"EACCES"').lines(recording())
    assert json.loads(line)["syscall"] == "openat"


def test_around_a_time() -> None:
    whole = [line.split()[0] for line in rendering("--where", "pid > 0").lines(recording())]
    at = whole[3]
    for around, count, left in ((at, "4", whole[1:5]), (at, "3", whole[2:5]), ("00:00.000000000", "2", whole[:1])):
        lines = rendering("--where", "pid > 0", "--around", around, "-n", count).lines(recording())
        assert [line.split()[0] for line in lines] == left
    assert [line.split()[0] for line in rendering("--where", "pid > 0", "--around", at).lines(recording())] == whole
    wall = f"@0.{1_000_000 + int(at[6:]):09}"
    assert len(list(rendering("--where", "pid > 0", "--around", wall, "-n", "1").lines(recording()))) == 1


def test_an_unfinished_call_lasts_until_its_threads_end_or_the_traces() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 0, 1)
    ring.enter(0, 8, READ, 3, 0, 1)
    ring.now_ns += 5_000_000
    ring.task_exit(0, 7, 9)
    ring.now_ns += 5_000_000
    ring.enter(0, 9, CLOSE, 1)
    for span, left in (("4ms", ["7 read", "8 read"]), ("6ms", ["8 read"]), ("11ms", [])):
        assert whats("--min-duration", span, snapshot=ring.snapshot()) == left


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("failed", Comparison("failed")),
        ("not failed", Opposite(Comparison("failed"))),
        ("!!failed", Opposite(Opposite(Comparison("failed")))),
        ("fd==3", Comparison("fd", "==", (3,))),
        ("fd in (3, 0x10 , -1)", Comparison("fd", "==", (3, 16, -1))),
        ("fd != 3", Opposite(Comparison("fd", "==", (3,)))),
        ("comm =~ 'a\"b'", Comparison("comm", "=~", ('a"b',))),
        (r'comm == "a\"b\d"', Comparison("comm", "==", (r'a"b\d',))),
        ("comm == order", Comparison("comm", "==", ("order",))),
        ("comm !~ '^x'", Opposite(Comparison("comm", "=~", ("^x",)))),
        ("signal == TERM", Comparison("signal", "==", (SIGTERM,))),
        ("errno == 2", Comparison("errno", "==", (2,))),
        ("duration >= 1.5s", Comparison("duration", ">=", (1_500_000_000,))),
        ('syscall == "from_the_future"', Comparison("syscall", "==", ("from_the_future",))),
        (
            "failed || returned && seccomp",
            Either((Comparison("failed"), Every((Comparison("returned"), Comparison("seccomp"))))),
        ),
        (
            "(failed or returned) and seccomp",
            Every((Either((Comparison("failed"), Comparison("returned"))), Comparison("seccomp"))),
        ),
    ],
)
def test_what_an_expression_means(text: str, condition: object) -> None:
    assert parsed(text) == condition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "position 1: expected a field, not or (, not the end"),
        ("errno ==", "position 9: expected a value, such as ENOENT, 5, 10ms or text in quotes, not the end"),
        ("errno == && x", "position 10: expected a value, such as ENOENT, 5, 10ms or text in quotes, not '&&'"),
        (
            "errno ENOENT",
            "position 7: expected a comparison (== != =~ !~ < <= > >=), in (...), and, or or the end, not",
        ),
        ("fd = 3", "position 4: expected a comparison"),
        ("fd == 3 fd", "position 9: expected and, or or the end, not 'fd'"),
        ("(failed", "position 8: expected ), not the end"),
        ("failed)", "position 7: expected the end, not ')'"),
        ('comm == "x', "position 9: expected a value, such as ENOENT, 5, 10ms or text in quotes, not '\"'"),
        ("fd in 3", "position 7: expected (, not '3'"),
        ("erno == 3", "position 1: no field is named erno; did you mean errno?"),
        ("xyzzy == 3", "position 1: no field is named xyzzy; fields are event, syscall, pid,"),
        ("failed && fd", "position 11: fd must be compared, as in fd == 7"),
        ("failed == 1", "position 11: failed has no value; write failed or !failed"),
        ("errno == ENOPE", "position 10: errno is an error, such as ENOENT, not ENOPE"),
        ("errno < 3", "position 9: errno is an error's name, which has no order; compare it with ==, !=, or in (...)"),
        ("errno =~ 'E'", "position 10: errno is an error's name; only text is compared with =~"),
        ("syscall == openatt", "position 12: no system call is named openatt; did you mean "),
        ("syscall == %fil", "position 12: no class of calls is named %fil"),
        ("comm == 3", "position 9: comm is text; put it in quotes"),
        ("comm =~ sh", "position 9: comm is matched with a regular expression in quotes"),
        ("comm =~ '('", "position 9: invalid regular expression: missing )"),
        ("fd == sh", "position 7: fd is a number"),
        ("duration > 3", "position 12: duration is a span of time, with a unit: 250us, 10ms, 1.5s, 2min"),
        ("signal == 3ms", "position 11: signal is a signal, such as SIGTERM, not a span of time"),
        ("!" * 3000 + "failed", "position 1: the expression is nested too deeply"),
        ("failed or " * 1000, "position 4096: the expression is longer than 4096 characters"),
    ],
)
def test_what_is_wrong_with_an_expression_and_where(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=f"^{re.escape(message)}"):
        parsed(text)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--where", "erno == 1"), "--where: position 1: no field is named erno; did you mean errno?."),
        (("--errno", "EBAD"), "--errno: errno is an error, such as ENOENT, not EBAD."),
        (("--errno", ","), "--errno: empty set ','."),
        (("-p", "sh"), "-p: 'sh' is not the number of a process or thread."),
        (("--tid", "7,"), "--tid: '' is not the number of a process or thread."),
        (("-p", "9" * 5000), f"-p: '{'9' * 5000}' is not the number of a process or thread."),
        (("--min-duration", "5 parsecs"), "'5 parsecs': parsecs is not a unit of time; write it as 250us, 10ms,"),
        (("--grep", "("), "'(': not a regular expression: missing )"),
        (("--around", "12"), "'12': not a time; write it as "),
        (("--around", "00:01.5", "-S", "now"), "--around cannot be combined with -S, -U, --since-end, -r and -c."),
        (("--around", "00:01.5", "-n", "+5"), "--around takes -n N, the number of events around it, but not -n +N."),
        (("--grep", "x", "-o", "json"), "--grep selects lines, so it works neither with -c nor with -o json."),
        (
            ("-o", "records", "--errno", "ENOENT"),
            "A filter such as --errno, -p or --where works with every format except",
        ),
        (("-o", "records", "--grep", "x"), "--grep works with every format except -o records."),
        (("-f", "-r"), "--follow works with no -o json, -o records, -S, -U, --since-end, --around, -r, -c, -C, -n +N."),
        (("-f", "-o", "json"), "--follow works with no -o json,"),
        (("-f", "-n", "+3"), "--follow works with no -o json,"),
    ],
)
def test_usage(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(click.UsageError) as error:
        rendering(*argv)
    assert error.value.message.startswith(message)


def test_every_field_is_compared_by_a_value_of_its_kind() -> None:
    values = {
        Kind.NUMBER: "7",
        Kind.TEXT: '"x"',
        Kind.CALL: "read",
        Kind.ERROR: "EPERM",
        Kind.SIGNAL: "SIGHUP",
        Kind.SPAN: "1ms",
    }
    for name, field in FIELDS.items():
        expression = name if field.kind is Kind.FLAG else f"{name} == {values[field.kind]}"
        assert list(rendering("--where", f"!({expression}) or {expression}").lines(recorded()))


def test_a_comparison_of_a_flag_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(ValueError, match="failed has no value"):
        comparison("failed", "==", ())


def test_the_library_of_expressions_is_loaded_only_for_one() -> None:
    for expression, loaded in ((None, False), ("failed", True)):
        program = (
            "import sys; from traceloop_cli.options.filters import Filters; "
            f"Filters(pids=('1',), where={expression!r}).condition(); print('lark' in sys.modules)"
        )
        env = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("cli", "decode", "proto"))}
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
        assert run.stdout == f"{loaded}\n"


def test_times_and_durations_of_calls_that_were_interrupted() -> None:
    snapshot = replace(recorded(), boot_offset_ns=1_700_000_000_000_000_000)
    short = list(rendering("-T").lines(snapshot))
    assert short[7].endswith('...read(buf="\\1\\377") = 2 <0.000010>')
    assert [line.partition("] ")[2] for line in short[-4:]] == [
        "...read() = ? <0.000012>",
        "+++ killed by SIGKILL +++",
        "getppid()...",
        "...getppid() = ? <0.000000>",
    ]


def test_the_manual_and_the_help_list_every_field() -> None:
    page = (ROOT / "docs/man/traceloopctl.1.scd").read_text()
    section = page.split("# EXPRESSIONS")[1].split("# ENVIRONMENT")[0].split("The fields:")[1]
    assert [name.replace("\\", "") for name in re.findall(r"^\*([\w\\]+)\*$", section, re.MULTILINE)] == list(FIELDS)
    listed = re.search(r"The fields are (.*?);", " ".join((show.help or "").split()))
    assert listed
    assert listed[1].split(", ") == list(FIELDS)


@pytest.mark.parametrize("argv", [(), ("--where", "pid > 0")])
def test_a_call_that_its_threads_end_interrupted_has_a_duration(argv: tuple[str, ...]) -> None:
    lines = [re.sub(" +", " ", line) for line in rendering("-o", "strace", "-T", *argv).lines(recorded())]
    (killed,) = [line for line in lines if line.startswith("72 ") and "= ?" in line]
    assert killed.endswith("= ? <0.000012>")
    (alone,) = [
        line
        for line in rendering("-o", "classic", "-T", *argv).lines(recorded())
        if "= ? <0.000012>" in line or "... <0.000012>" in line
    ]
    assert "read(" in alone
    assert json.loads(next(iter(rendering("-o", "jsonl", "--tid", "72").lines(recorded()))))["duration_ns"] is None


def test_a_call_that_ends_with_its_thread_at_once_has_a_duration() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 0x10, 1)
    ring.now_ns += 2_000_000
    ring.task_exit(0, 7, 9)
    (first, _) = rendering("-o", "strace", "-T").lines(ring.snapshot())
    assert first.endswith("= ? <0.002001>")


def test_times_of_day_in_every_text_format() -> None:
    for output in ("short", "classic", "strace"):
        (line,) = [
            line for line in rendering("-o", output, "-ttt", "-e", "close", "-T").lines(recorded()) if "close" in line
        ]
        assert "0.001012 " in line
        assert line.endswith(" <0.000001>")
        assert "00:00" not in line


def test_every_expression_that_is_documented_is_one() -> None:
    pages = [*(ROOT / "docs").rglob("*.scd"), *(ROOT / "docs").rglob("*.md"), ROOT / "CHANGELOG.md"]
    text = "".join(page.read_text() for page in pages) + "".join(
        line for examples in EXAMPLES.values() for line, _ in examples
    )
    found = re.findall(r"--where '([^'\\]+)'", text)
    assert len(found) >= 6
    for expression in found:
        parsed(expression)
