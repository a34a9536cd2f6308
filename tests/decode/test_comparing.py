# SPDX-License-Identifier: Apache-2.0
"""Comparison of two runs: which differences count, how things are matched, and the report."""

from __future__ import annotations

import json
from struct import pack

import pytest
from golden.record import read
from madeevents import EXECVE, POINTER, STARTED_NS, WRITE, args, call, item, string

from traceloop_decode import layout
from traceloop_decode.comparing.compare import Difference, compare
from traceloop_decode.comparing.operand import operand
from traceloop_decode.comparing.profile import Profile, profile
from traceloop_decode.comparing.report import fields, lines, span
from traceloop_decode.comparing.steady import steady, steady_address, steady_line
from traceloop_decode.descriptors.follow import known
from traceloop_decode.descriptors.names import Known
from traceloop_decode.events import events
from traceloop_decode.model import Call, Files, Lost, Socket, TaskExit
from traceloop_decode.program_start import since_program
from traceloop_decode.whole_calls import Whole, whole

OPENAT = (("dfd", "int"), ("filename", "const char *"), ("flags", "int"), ("mode", "umode_t"))
CONNECT = (("fd", "int"), ("uservaddr", "struct sockaddr *"), ("addrlen", "int"))
KILL = (("pid", "pid_t"), ("sig", "int"))


def opened(path: str, result: int | None, **more: object) -> Call:
    return call("openat", args(OPENAT, -100, (POINTER, string(path.encode())), 0, 0), result, **more)


def connected(address: str, port: int, result: int, **more: object) -> Call:
    data = pack("<H", 2) + port.to_bytes(2) + bytes(map(int, address.split("."))) + bytes(8)
    return call("connect", args(CONNECT, 3, (POINTER, item(data)), 16), result, **more)


def executed(*words: str, variables: int = 2, **more: object) -> Call:
    strings = [string(word.encode(), sub=n) for n, word in enumerate(words)]
    argv = (POINTER, *strings, item(kind=layout.KIND_ARGV, sub=len(words), size=len(words)))
    environment = (POINTER, item(b"\1" * 8 * variables + bytes(8)))
    return call("execve", args(EXECVE, (POINTER, string(words[0].encode())), argv, environment), 0, **more)


def wrote(text: str, fd: int = 2, **more: object) -> Call:
    data = text.encode()
    return call("write", args(WRITE, fd, (POINTER, item(data)), len(data)), len(data), **more)


def ended(code: int = 0, at_ns: int = 1000, tid: int = 10, comm: str = "sh") -> TaskExit:
    return TaskExit(STARTED_NS + at_ns, 0, tid, tid, comm, code, group_dead=True)


def compared(a: list[Whole], b: list[Whole]) -> Difference:
    return compare(profile(a), profile(b))


# --- steady text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/tmp/file-26778", "/tmp/file-3240"),
        ("/proc/7/status", "/proc/12345/status"),
        ("/proc/7/task/9/comm", "/proc/8/task/10/comm"),
        ("/tmp/tmp3g0ds9pz/x", "/tmp/tmpabcdefgh/x"),
        ("/tmp/tmp.EXUaEq", "/tmp/tmp.Y5XsWq"),
        ("/var/tmp/sort1aB2cD", "/var/tmp/sortzZ9yX8"),
        ("/run/app.4f3c2a91bb01", "/run/app.99aa00bb11cc"),
        ("0x7f1338ffa000", "0x7ffe00000000"),
        ("/pods/d9a3c1e2-0000-4000-8000-0123456789ab/x", "/pods/00000000-1111-2222-3333-444444444444/x"),
        ("pipe:[12345]", "pipe:[678]"),
        ("host:40318", "host:60999"),
    ],
)
def test_what_differs_from_run_to_run_is_the_same(one, other):
    assert one != other
    assert steady(one) == steady(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("/usr/lib/libssl.so.3", "/usr/lib/libssl.so.1.1"), ("/etc/app.conf", "/etc/app.cnf")),
        *(("/tmp/settings", "/tmp/Settings2"), ("/tmp/cache_1", "/tmp/cache_2"), ("/run/lock", "/run/locks")),
        *(("http://db:5432/x", "http://db:5433/x"), ("/deadbeef/cafe", "/feedface/cafe"), ("signal 9", "signal 15")),
    ],
)
def test_what_a_program_chose_differs(one, other):
    assert steady(one) != steady(other)


def test_ports_of_addresses_and_numbers_of_lines():
    assert steady_address("10.0.0.1:5432") == "10.0.0.1:5432"
    assert steady_address("10.0.0.1:40000") == steady_address("10.0.0.1:50000") == "10.0.0.1:*"
    assert steady_address('"/run/app.1234"') == '"/run/app.<n>"'
    assert steady_line("12:03:44 ready in 7 ms") == steady_line("09:59:01 ready in 15 ms")


# --- objects of calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "on"),
    [
        (opened("/etc/hosts", 3), "/etc/hosts"),
        (connected("10.0.0.3", 5432, 0), "10.0.0.3:5432"),
        (executed("/bin/sh", "-c", "true"), "/bin/sh -c true"),
        (call("kill", args(KILL, 77, 15), 0), "SIGTERM"),
        (call("close", args((("fd", "unsigned int"),), 1), 0, files=Files({}, None, None)), "stdout"),
        (call("close", args((("fd", "unsigned int"),), 5), 0, files=Files({5: Known("</x/y>")}, None, None)), "/x/y"),
        (call("getpid", (), 7), ""),
    ],
)
def test_the_object_of_a_call(made, on):
    assert operand(made) == on


def test_the_object_of_a_call_on_a_socket_is_its_peer():
    socket = Known("", socket=Socket("TCP", "127.0.0.1:40000", "10.0.0.9:80"))
    on_it = call("sendto", args(WRITE, 5, 0, 1), 1, files=Files({5: socket}, None, None))
    assert operand(on_it) == "10.0.0.9:80"


# --- differences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["process_children", "network_sockets", "signals_delivery", "files_open"])
def test_a_run_does_the_same_as_itself(name):
    snapshot = read(name)
    one, other = (
        profile(since_program(whole(known(events(snapshot), snapshot.open_files, sockets=True)))) for _ in range(2)
    )
    found = compare(one, other)
    assert found.same
    assert next(iter(lines(found, one, other))).startswith("Both did the same")


def test_the_first_thing_that_failed_in_b_alone():
    good = [executed("/bin/app"), opened("/etc/a", 3, at_ns=1), opened("/etc/b", 4, at_ns=2), ended()]
    bad = [executed("/bin/app"), opened("/etc/a", 3, at_ns=1), opened("/etc/b", -13, at_ns=2), ended(256, at_ns=3)]
    found = compared(good, bad)
    assert found.divergence is not None
    assert found.divergence.a is not None
    assert found.divergence.b is not None
    assert (found.divergence.a.call.result, found.divergence.b.call.result) == (4, -13)
    assert found.divergence.b.process == "/bin/app"
    assert found.failure is None
    assert [(one.what, one.a, one.b) for one in found.files] == [("/etc/b", "ok", "EACCES")]
    assert [(one.a, one.b) for one in found.ends] == [("exited with 0", "exited with 1")]


def test_the_order_in_which_threads_ran_and_repetition_are_no_difference():
    good = [opened("/a", 3), opened("/b", 4, tid=11, pid=10, at_ns=1), *[opened("/a", 3, at_ns=n) for n in range(2, 9)]]
    other = [opened("/b", 4, tid=21, pid=20), opened("/a", 5, tid=20, at_ns=3)]
    assert compared(good, other).same
    assert compared(other, good).same


def test_memory_waiting_and_identity_are_no_difference_unless_they_fail():
    other = [call(name, (), 1, at_ns=n) for n, name in enumerate(("brk", "futex", "getpid", "rt_sigaction"))]
    assert compared([opened("/a", 3)], [opened("/a", 3), *other]).same
    refused = [opened("/a", 3), call("mmap", (), -12, at_ns=5)]
    found = compared([opened("/a", 3)], refused)
    assert found.divergence is not None
    assert found.divergence.a is None
    assert found.divergence.b is not None
    assert found.divergence.b.call.name == "mmap"


def test_a_failure_after_a_harmless_difference_is_shown_too():
    good = [opened("/a", 3), opened("/b", 3, at_ns=1), connected("10.0.0.3", 80, 0, at_ns=5)]
    bad = [opened("/a", 3), opened("/c", 3, at_ns=1), connected("10.0.0.3", 80, -111, at_ns=5)]
    found = compared(good, bad)
    assert found.divergence is not None
    assert found.failure is not None
    assert found.divergence.b is not None
    assert found.divergence.a is not None
    assert found.failure.b is not None
    assert (operand(found.divergence.a.call), operand(found.divergence.b.call)) == ("/b", "/c")
    assert found.failure.b.call.result == -111
    assert [(one.what, one.a, one.b) for one in found.peers] == [("10.0.0.3:80", "ok", "ECONNREFUSED")]
    assert [(one.what, one.a, one.b) for one in found.files] == [("/c", "", "ok"), ("/b", "ok", "")]


def test_what_b_left_out():
    good = [opened("/a", 3), opened("/b", 3, at_ns=1), opened("/c", 3, at_ns=2)]
    found = compared(good, [opened("/a", 3), opened("/c", 3, at_ns=1)])
    assert found.divergence is None
    assert found.left_out is not None
    assert found.left_out.a is not None
    assert found.left_out.b is not None
    assert (operand(found.left_out.a.call), operand(found.left_out.b.call)) == ("/b", "/c")


def test_processes_are_matched_by_command_line_then_by_name():
    def run(first: int, *commands: str) -> list[Whole]:
        made: list[Whole] = []
        for n, command in enumerate(commands):
            made.append(executed(*command.split(), tid=first + n, comm="w", at_ns=n))
        return made

    found = compared(run(10, "w one", "w two", "w two"), run(90, "w two", "w three", "w two", "w four"))
    assert (found.only_a, found.only_b) == ((), ("w four",))
    assert found.divergence is not None
    assert found.divergence.a is not None
    assert found.divergence.b is not None
    assert [step.process for step in (found.divergence.a, found.divergence.b)] == ["w one", "w three"]


def test_environment_output_and_time():
    good = [executed("/bin/app"), wrote("12:00:01 ready\n"), call("poll", (), 1, at_ns=10, end_ns=1_000_000), ended()]
    other = [
        *(executed("/bin/app", variables=5), wrote("13:10:59 ready\nmissing key 'x'\n")),
        *(call("poll", (), 1, at_ns=10, end_ns=900_000_000), opened("/dev/slow", None, at_ns=2_000_000_000)),
        ended(at_ns=5_000_000_000),
    ]
    found = compared(good, other)
    assert [(one.what, one.a, one.b) for one in found.variables] == [("/bin/app", "2", "5")]
    assert found.output == ("missing key 'x'",)
    slower = [(one.name, one.on, one.a_ns, one.b_ns, one.returned) for one in found.slower]
    assert slower == [
        ("openat", "/dev/slow", 0, 3_000_000_000, False),
        ("poll", "", 999_990, 899_999_990, True),
    ]
    assert found.divergence is not None
    assert found.divergence.b is not None
    assert found.divergence.b.call.result is None


def test_an_environment_that_was_not_recorded_to_its_end():
    made = executed("/bin/app")
    for recorded, count in (
        (item(b"\1" * 256), "32+"),  # the pointers, as older records have them
        (item(kind=layout.KIND_ARGV, size=496, more=True), "496+"),
        (item(kind=layout.KIND_ARGV, size=40), "40"),
    ):
        items = dict(made.items) | {2: (recorded,)}
        assert profile([made._replace(items=items)]).processes[0].variables == {"/bin/app": count}
    items = dict(made.items) | {2: (item(kind=layout.KIND_ARGV, fault=True),)}
    assert profile([made._replace(items=items)]).processes[0].variables == {}


def test_writes_to_a_socket_are_no_output():
    socket = Files({1: Known("", socket=Socket("TCP"))}, None, None)
    assert profile([wrote("to a client\n", 1, files=socket), wrote("to the log\n", 1)]).said == {
        "to the log": "to the log"
    }


# --- the report -------------------------------------------------------------------------------------------------------


def test_the_report_fits_a_screen_whatever_differs():
    many = [opened(f"/etc/{'x' * 300}/{chr(97 + n)}{n}", -2, at_ns=n) for n in range(90)]
    good: list[Whole] = [
        executed("/bin/app", at_ns=-1),
        *(executed(f"c{n}", tid=50 + n, comm=f"c{n}") for n in range(9)),
    ]
    bad: list[Whole] = [
        *(executed("/bin/app", variables=7, at_ns=-1), *many),
        *(executed(f"d{n}", tid=50 + n, comm=f"d{n}") for n in range(9)),
        *(connected("10.0.0.3", n, -111, at_ns=n) for n in range(1, 30)),
        *(wrote(f"line {'abcdefghijk'[n]}\x1b[2J\n", at_ns=n) for n in range(9)),
        *(
            call("read", args(WRITE, 5 + n, 0, 1), 0, end_ns=10**9, files=Files({5 + n: Known(f"</{n}>")}, None, None))
            for n in range(9)
        ),
        Lost(STARTED_NS, 0, 1234, 1, "overwritten"),
        ended(9),
    ]
    one, other = profile(good), profile(bad)
    found = compare(one, other)
    text = [*lines(found, one, other)]
    assert len(text) <= 32
    assert all(line.isascii() and line.isprintable() and len(line) <= 200 for line in text)
    assert text[-1] == "B lost 1,234 events: what only A has may be among them (a larger ring keeps more)."
    made = json.loads(json.dumps(fields(found, one, other)))
    assert (made["schema"], made["same"], made["lost"]) == (1, False, {"a": 0, "b": 1234})
    assert len([one for one in made["files"] if not one["a"]]) == 99
    assert made["divergence"]["b"]["line"].startswith("openat(dfd=AT_FDCWD, ")


def test_runs_that_lost_events_are_not_said_to_be_the_same():
    lost = [Lost(STARTED_NS, 0, 5, 5, "overwritten"), opened("/a", 3)]
    one, other = profile(lost), profile(lost[1:])
    text = [*lines(compare(one, other), one, other)]
    assert text[0].startswith("What the two traces still hold is the same")
    assert text[-1].startswith("A lost 5 events: what only B has may be among them")


def test_nothing_differs_from_nothing():
    found = compare(Profile(), Profile())
    assert found.same
    assert [*lines(found, Profile(), Profile())][-1] == "Ran for         0 us -> 0 us"


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0 us"),
        (999, "0.999 us"),
        (204_000, "204 us"),
        (999_999_958, "1 s"),
        (1_570_000_000, "1.57 s"),
        (10**13, "10000 s"),
    ],
)
def test_spans(time_ns, text):
    assert span(time_ns) == text
