# SPDX-License-Identifier: Apache-2.0
"""Claims that the explainer must not make: what looks like a cause, and is none."""

from __future__ import annotations

from struct import pack

import pytest
from madeevents import EXECVE, MSG, READ, STARTED_NS, args, call, item, siginfo, string

from traceloop_decode import layout
from traceloop_decode.causes.endings import ended_by_signal
from traceloop_decode.causes.lookups import unresolved
from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.report import Finding, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.descriptors.names import Known
from traceloop_decode.model import Call, Entered, Event, Files, Ignored, Returned, Sender, Signal, Socket, TaskExit

SECOND = 10**9
A, AAAA, SRV = 1, 28, 33
NOERROR, NXDOMAIN, TRUNCATED = 0, 3, 0x200
SEND = (("fd", "int"), ("buff", "void *"), ("len", "size_t"), ("flags", "int"), ("addr", "x"), ("addr_len", "int"))
RESOLVER = Socket("UDP", "10.0.0.2:4000", "10.0.0.1:53")


def of(socket: Socket) -> Files:
    return Files({3: Known("", socket=socket)}, None, None)


def told(*events: Event) -> Story:
    story = Story()
    story.watch(events)
    return story


def ended(code: int, *, pid: int = 10, at_ns: int = SECOND) -> TaskExit:
    return TaskExit(STARTED_NS + at_ns, 0, pid, pid, "sh", code, group_dead=True)


def died(number: int, info: bytes, *before: Event, sender: Sender | None = None, at_ns: int = SECOND) -> list[Finding]:
    signal = Signal(STARTED_NS + at_ns, 0, 10, 10, "sh", number, info, 0, 0, sender)
    story = told(*before, signal, ended(number, at_ns=at_ns))
    return [*ended_by_signal(story.processes.by_pid[10], story, "x86_64")]


FAULT = siginfo("Q", 11, 0, 1, 0x40)
BY_ITSELF = siginfo("iI", 6, 0, -6, 10, 0)


def sent(name: str, *registers: int) -> Call:
    return call(name, args((("n", "int"),) * len(registers), *registers), 0)


@pytest.mark.parametrize(
    "before",
    [
        (sent("tgkill", 1, 6, 23),),  # SIGURG to the thread 6
        (sent("kill", 11, 6),),
        (sent("kill", 10, 6), sent("getuid")),  # it has a handler
        (sent("tgkill", 1, 1, 6), sent("getuid")),
    ],
)
def test_a_signal_to_another_or_of_another_time_is_no_abort(before: tuple[Call, ...]) -> None:
    (found,) = died(11, FAULT, *before)
    assert found.kind == "crashed"


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ((sent("kill", 10, 6), sent("getuid")), "aborted"),
        ((sent("tgkill", 1, 1, 6), sent("rt_sigprocmask")), "aborted"),
        ((sent("tkill", 10, 6),), "aborted"),
        ((sent("kill", 11, 6),), "killed"),
        ((sent("tgkill", 1, 6, 23),), "killed"),
    ],
)
def test_an_abort_by_each_call(before: tuple[Call, ...], kind: str) -> None:
    assert [found.kind for found in died(6, BY_ITSELF, *before)] == [kind]


def test_sigabrt_of_another_process_is_no_abort() -> None:
    (found,) = died(6, BY_ITSELF, sent("kill", 10, 6), sent("getuid"), sender=Sender(99, "watchdog"))
    assert found.kind == "killed"


def message(name: str, kind: int, code: int | None = None, *, answers: int = 0) -> bytes:
    head = pack(">6H", 7, 0 if code is None else 0x8000 | code, 1, answers, 0, 0)
    return head + b"".join(pack("B", len(one)) + one.encode() for one in name.split(".")) + pack(">BHH", 0, kind, 1)


def asked(name: str, kind: int = A, *, at_ns: int = 0) -> Call:
    data = message(name, kind)
    return call("sendto", args(SEND, 3, (1, item(data)), len(data), 0, 0, 0), len(data), at_ns=at_ns)._replace(
        files=of(RESOLVER)
    )


def answered(name: str, kind: int, code: int, *, answers: int = 0, data: bytes = b"", at_ns: int = 1) -> Call:
    whole = message(name, kind, code, answers=answers) + data
    return call("recvfrom", args(SEND, 3, (1, item(whole, out=True)), 512, 0, 0, 0), len(whole), at_ns=at_ns)._replace(
        files=of(RESOLVER)
    )


ADDRESS = pack(">HHHIH4B", 0xC00C, A, 1, 60, 4, 10, 0, 0, 5)


def names(*events: Event) -> list[str]:
    return [found.sentence for found in unresolved(told(*events))]


def test_a_question_for_other_records_is_none_for_an_address() -> None:
    assert names(asked("_pg._tcp.db", SRV), answered("_pg._tcp.db", SRV, NOERROR)) == []
    assert names(asked("db", A), answered("db", A, NOERROR)) == [
        "The host name db has no address, says the name server 10.0.0.1:53."
    ]


@pytest.mark.parametrize(
    ("code", "answers"), [(NOERROR | TRUNCATED, 0), (NOERROR, 9)], ids=["by the server", "by the recorder"]
)
def test_an_answer_that_is_cut_does_not_say_that_there_is_no_address(code: int, answers: int) -> None:
    of_v6 = asked("db", AAAA), answered("db", AAAA, NOERROR)
    cut = asked("db", A), answered("db", A, code, answers=answers)
    assert names(*cut) == names(*of_v6, *cut) == names(*cut, *of_v6) == []
    assert len(names(*cut, answered("db", A, NXDOMAIN))) == 1


def test_names_of_a_search_list_that_was_searched_on() -> None:
    first, second = "db.prod.default.svc.cluster.local", "db.prod.svc.cluster.local"
    missed = asked(first, at_ns=1), answered(first, A, NXDOMAIN, at_ns=2)
    found = answered(second, A, NOERROR, answers=1, data=ADDRESS, at_ns=4)
    assert names(*missed, asked(second, at_ns=3), found) == []
    assert len(names(*missed)) == 1
    assert len(names(asked(second), found, *missed)) == 1  # it was found before


def polled(fd: int, happened: int) -> Call:
    params = (("ufds", "struct pollfd *"), ("nfds", "unsigned int"), ("timeout", "int"))
    return call("poll", args(params, (1, item(pack("<iHH", fd, 1, happened), out=True)), 1, 0), 1)


def test_a_question_on_a_socket_that_is_not_connected() -> None:
    server = item(pack(">2sH4B8x", b"\x02\0", 53, 10, 0, 0, 1), sub=layout.SUB_NAME)
    query = call("sendmsg", args(MSG, 3, (1, item(message("db", A)), server), 0), 30)
    unbound = query._replace(files=of(Socket("UDP", "0.0.0.0:4000")))
    others = polled(4, 1)._replace(files=Files({4: Known("<pipe:[7]>")}, None, None))
    assert names(unbound, others) == ["The name server 10.0.0.1:53 did not answer the question for db."]
    refused = polled(3, 8)._replace(files=of(RESOLVER))
    assert "connection refused" in names(asked("db"), refused)[0]


def named(*events: Event) -> list[Finding]:
    return [*ranked(told(*events, ended(1 << 8)), {10})]


CONNECT = (("fd", "int"), ("uservaddr", "struct sockaddr *"), ("addrlen", "int"))
OPTION = (("fd", "int"), ("level", "int"), ("optname", "int"), ("optval", "char *"), ("optlen", "int *"))
LATE_NS = SECOND - 10
UDP, TCP = of(Socket("UDPv6")), of(Socket("TCP"))
ISCONN, INPROGRESS, REFUSED, UNREACHABLE, NOT_AVAILABLE = -106, -115, -111, -101, -99


def connected(result: int, files: Files = TCP, *, at_ns: int = LATE_NS) -> Call:
    address = item(pack(">2sH4B8x", b"\x02\0", 5432, 10, 0, 0, 5))
    return call("connect", args(CONNECT, 3, (1, address), 16), result, at_ns=at_ns)._replace(files=files)


def wrote(text: bytes, *, at_ns: int = LATE_NS + 5) -> Call:
    return call("write", args(READ, 2, (1, string(text)), len(text)), len(text), at_ns=at_ns)


@pytest.mark.parametrize("error", [UNREACHABLE, NOT_AVAILABLE])
def test_connecting_a_datagram_socket_only_asks_for_a_route(error: int) -> None:
    assert named(connected(error, UDP)) == []
    assert len(named(connected(error))) == 1


TOLD_LATER = call("getsockopt", args(OPTION, 3, 1, 4, (5, item(bytes(4), out=True)), 6), 0, at_ns=LATE_NS)


@pytest.mark.parametrize(
    ("later", "withdrawn"),
    [
        ((connected(0),), True),
        ((connected(ISCONN),), True),
        ((connected(INPROGRESS), TOLD_LATER), True),
        ((connected(0, UDP),), False),
        ((connected(INPROGRESS),), False),
        ((connected(0)._replace(pid=11),), False),
    ],
)
def test_a_peer_that_was_reached_later(later: tuple[Call, ...], *, withdrawn: bool) -> None:
    found = named(*[connected(REFUSED)] * 3, *later, wrote(b"db:5432: no such table\n"))
    assert [one.kind for one in found] == ["connection-refused"] * (not withdrawn)


@pytest.mark.parametrize(
    ("words", "sure"),
    [
        (b"no row 5432", Sure.LIKELY),
        (b"10.0.0.9:5432 is wrong", Sure.LIKELY),
        (b"cannot reach db:5432", Sure.CERTAIN),
        (b"cannot reach :5432", Sure.CERTAIN),
        (b"cannot reach the server on port 5432", Sure.CERTAIN),
        (b"cannot reach ('10.0.0.5', 5432)", Sure.CERTAIN),
        (b"cannot reach 10.0.0.5", Sure.CERTAIN),
    ],
)
def test_a_number_alone_does_not_name_a_peer(words: bytes, sure: Sure) -> None:
    (found,) = named(connected(REFUSED), wrote(words))
    assert found.sure is sure


def failed(name: str, error: int, file: str = "") -> Call:
    known = Files({3: Known(file)}, None, None) if file else None
    return call(name, args(READ, 3, 0, 0), error, at_ns=LATE_NS)._replace(files=known)


NO_SPACE, NO_QUOTA, NO_FILES, INPUT_OUTPUT = -28, -122, -24, -5


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (failed("inotify_init1", NO_FILES), "watches-used-up"),
        (failed("inotify_add_watch", NO_SPACE), "watches-used-up"),
        (failed("semget", NO_SPACE), "ipc-used-up"),
        (failed("bpf", NO_SPACE), "call-failed"),
        (failed("add_key", NO_QUOTA), "call-failed"),
        (failed("write", NO_SPACE), "disk-full"),
        (failed("mkdir", NO_QUOTA), "disk-full"),
        (failed("read", INPUT_OUTPUT, "</dev/ptmx>"), ""),
        (failed("read", INPUT_OUTPUT, "</dev/pts/0>"), ""),
        (failed("read", INPUT_OUTPUT, "</data/db>"), "input-output"),
    ],
)
def test_the_limit_that_an_error_means_depends_on_the_call(failure: Call, kind: str) -> None:
    assert [found.kind for found in named(failure)] == [kind] * bool(kind)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({3: "</etc/hosts>"}, "its limit is reached."),
        ({3: "</a>", 4: "</a>", 5: "</b>"}, "its limit is reached (of those known, it has open 2 times /a)."),
    ],
)
def test_known_files_are_not_all_files(files: dict[int, str], says: str) -> None:
    known = Files({fd: Known(text) for fd, text in files.items()}, None, None)
    (found,) = named(call("pipe2", (), NO_FILES, at_ns=LATE_NS)._replace(files=known))
    assert found.sentence == f"sh may not open more files or sockets: {says}"


RUNC = Sender(815, "runc")
KILL = siginfo("iI", 9, 0, 0, 0, 0)
HANGUP, TERMINATE = 1, 15


def handled(number: int, sender: Sender | None, *, at_ns: int = 0) -> Signal:
    return Signal(STARTED_NS + at_ns, 0, 10, 10, "sh", number, KILL, 0x1000, 0, sender)


@pytest.mark.parametrize(
    ("asked", "after_ns", "slow"),
    [
        (handled(TERMINATE, RUNC), 10 * SECOND, True),
        (handled(TERMINATE, RUNC), 61 * SECOND, False),
        (handled(TERMINATE, Sender(10, "sh")), 10 * SECOND, False),
        (handled(TERMINATE, None), 10 * SECOND, False),
        (handled(HANGUP, RUNC), 10 * SECOND, False),
    ],
)
def test_a_signal_that_did_not_ask_to_stop(asked: Signal, after_ns: int, *, slow: bool) -> None:
    found = died(9, KILL, sent("getuid"), asked, sender=RUNC, at_ns=after_ns)
    assert [one.kind for one in found] == ["killed", *["stop-slow"] * slow]


@pytest.mark.parametrize(
    ("before", "who"),
    [
        ((), "process 1, sh: it has no handler;"),
        ((call("getuid", (), 0, tid=9),), "sh, which ignores it;"),
    ],
)
def test_only_the_first_process_ignores_what_it_has_no_handler_for(before: tuple[Event, ...], who: str) -> None:
    ignored = Ignored(STARTED_NS + 5, 1, 10, 10, "sh", TERMINATE, KILL, Sender(814, "docker"))
    _, found = died(9, KILL, *before, sent("getuid"), ignored, sender=RUNC)
    assert f"SIGTERM from docker (pid 814) was ignored by {who}" in found.sentence


def test_only_the_first_process_is_told_to_have_no_handler() -> None:
    execve = call("execve", args(EXECVE, (1, string(b"/bin/a")), 2, 3), 0)
    assert [one.kind for one in died(9, KILL, execve, sender=RUNC)] == ["killed", "stop-ignored"]
    assert [one.kind for one in died(9, KILL, call("getuid", (), 0, tid=9), execve, sender=RUNC)] == ["killed"]


SI_KERNEL, SI_TIMER = 0x80, -2


@pytest.mark.parametrize(("number", "code"), [(14, SI_KERNEL), (2, SI_KERNEL), (14, SI_TIMER)])
@pytest.mark.parametrize("sender", [None, Sender(99, "kworker")])
def test_a_signal_of_the_kernel_is_that_of_no_process(number: int, code: int, sender: Sender | None) -> None:
    (found,) = died(number, siginfo("iI", number, 0, code, 0, 0), sent("pause"), sender=sender)
    assert found.sentence.endswith("from the kernel (a timer, a terminal or a limit).")


def forked(name: str, *, flags: int = 0, tid: int = 10, at_ns: int = 0) -> Call:
    params = (("uargs", "struct clone_args *"), ("size", "size_t"))
    asked = ((1, item(flags.to_bytes(8, "little"))), 88) if name == "clone3" else (flags, 0)
    return call(name, args(params, *asked), tid=tid, at_ns=at_ns)


THREAD = 0x10000


@pytest.mark.parametrize(
    "last",
    [
        (Entered(forked("clone3", flags=THREAD, tid=11, at_ns=2)),),
        (Entered(forked("clone", flags=THREAD, tid=11, at_ns=2)),),
        (Entered(forked("fork", tid=11, at_ns=2)), Returned(forked("fork", tid=11, at_ns=2)._replace(result=-11))),
        (forked("fork", tid=11, at_ns=2)._replace(result=-11),),
    ],
)
def test_what_made_no_process_is_no_parent(last: tuple[Event, ...]) -> None:
    first = call("getuid", (), 0, tid=11), Entered(forked("clone3", at_ns=1))
    story = told(*first, *last, call("getuid", (), 0, tid=12, at_ns=3))
    assert story.processes.by_pid[12].parent == 10


@pytest.mark.parametrize("entered", [True, False])
def test_a_number_that_is_used_again_is_another_process(*, entered: bool) -> None:
    again = call("pause", (), None if entered else 0, at_ns=9, comm="new")
    story = told(call("getuid", (), 0), ended(1 << 8, at_ns=5), Entered(again) if entered else again)
    process = story.processes.by_pid[10]
    assert (process.comm, process.end) == ("new", None)


@pytest.mark.parametrize(
    ("path", "kind"),
    [(b"foo", "program-missing"), (b"/other/foo", "interpreter-missing"), (b"/foo", "program-missing")],
)
def test_a_file_of_this_name_in_another_directory_is_not_the_program(path: bytes, kind: str) -> None:
    stat = (("filename", "const char *"), ("statbuf", "struct stat *"))
    there = call("stat", args(stat, (1, string(b"/other/foo")), 2), 0)
    said = wrote(b"%b: not there\n" % path)
    executed = call("execve", args(EXECVE, (1, string(path)), 2, 3), -2, at_ns=LATE_NS)
    assert [found.kind for found in named(there, executed, said)] == [kind]
