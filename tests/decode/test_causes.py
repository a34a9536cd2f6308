# SPDX-License-Identifier: Apache-2.0
"""The model of causes: probing told from failing, what binds a failure to the end, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from madeevents import EXECVE, OPEN, STARTED_NS, args, call, item, siginfo, string

from traceloop_decode.causes.children import background, ended_children
from traceloop_decode.causes.deciding import deciding, first_process
from traceloop_decode.causes.endings import ended_by_signal
from traceloop_decode.causes.hangs import hung
from traceloop_decode.causes.meanings import meaning
from traceloop_decode.causes.noise import is_probe
from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.report import Finding, Sure
from traceloop_decode.causes.rules.table import RULES, rule_of
from traceloop_decode.causes.story import Story
from traceloop_decode.descriptors.names import Known
from traceloop_decode.descriptors.streams import STDERR, STDOUT, Streams
from traceloop_decode.model import (
    Asked,
    Call,
    Entered,
    Event,
    Fault,
    Files,
    Frame,
    Ignored,
    Level,
    Sender,
    Signal,
    TaskExit,
)
from traceloop_decode.wait_status import wait_status

ENOENT, EACCES, ENOTTY = -2, -13, -25
SECOND = 10**9


def opened(path: bytes, result: int, *, tid: int = 10, at_ns: int = 0, name: str = "open") -> Call:
    return call(name, args(OPEN, (1, string(path)), 0, 0), result, tid=tid, at_ns=at_ns)


def wrote(text: bytes, *, tid: int = 10, at_ns: int = 0, fd: int = 2) -> Call:
    params = (("fd", "unsigned int"), ("buf", "const char *"), ("count", "size_t"))
    return call("write", args(params, fd, (1, string(text)), len(text)), len(text), tid=tid, at_ns=at_ns)


def ended(code: int, *, pid: int = 10, at_ns: int = SECOND) -> TaskExit:
    return TaskExit(STARTED_NS + at_ns, 0, pid, pid, "sh", code, group_dead=True)


def told(*events: Event) -> Story:
    story = Story()
    story.watch(events)
    return story


def decided(story: Story) -> list[Process]:
    main = first_process(story, 10, None)
    assert main is not None
    assert main.end is not None
    return deciding(story, main, main.end.code)


def named(*events: Event) -> list[Finding]:
    story = told(*events)
    return sorted(ranked(story, {one.pid for one in decided(story)}), key=lambda one: -one.score)


def test_a_missing_file_that_the_last_words_name_is_certain() -> None:
    (found,) = named(
        opened(b"/etc/app.conf", ENOENT, at_ns=5), wrote(b"no /etc/app.conf\n", at_ns=9), ended(1 << 8, at_ns=10)
    )
    assert found.kind == "file-missing"
    assert found.sure is Sure.CERTAIN
    assert found.sentence == "sh could not open /etc/app.conf: it does not exist."
    assert found.evidence[0].ts_ns == STARTED_NS + 5


@pytest.mark.parametrize(
    ("missed", "kind", "words"),
    [
        ((21,), "capability-refused", "that needs the capability CAP_SYS_ADMIN, which the kernel refused."),
        ((21, 38), "capability-refused", "the capability CAP_SYS_ADMIN or CAP_PERFMON, which the kernel refused."),
        ((), "capability-missing", "that needs the capability CAP_PERFMON, or another owner."),
        ((1, 2), "capability-missing", "that needs the capability CAP_DAC_OVERRIDE or"),
    ],
)
def test_the_kernel_s_word_decides_which_capability_was_missing(missed: tuple[int, ...], kind: str, words: str) -> None:
    failed = call("perf_event_open", (), -1, at_ns=9)._replace(asked=tuple(Asked(one, granted=False) for one in missed))
    (found,) = named(failed, ended(1 << 8, at_ns=10))
    assert found.kind == kind
    assert words in found.sentence
    assert f"[{'CAP_SYS_ADMIN' if missed else ''}" in found.evidence[0].text or missed == (1, 2) or not missed


def test_early_failures_that_nothing_names_are_not_named() -> None:
    first = call("getpid", (), 1)
    assert named(first, opened(b"/etc/optional.conf", ENOENT, at_ns=SECOND // 10), ended(1 << 8)) == []


@pytest.mark.parametrize(
    ("files", "stream"),
    [
        ({1: "<pipe:[8]>"}, STDERR),
        ({1: "<pipe:[7]>"}, STDOUT),
        ({1: "</tmp/log>"}, None),
        ({1: ""}, None),
        ({}, STDOUT),
    ],
)
def test_words_are_what_went_to_a_stream(files: dict[int, str], stream: int | None) -> None:
    then = Files({fd: Known(text) for fd, text in files.items()}, None, None)
    story = Story(Streams({"<pipe:[7]>": {STDOUT}, "<pipe:[8]>": {STDERR}}))
    story.watch([wrote(b"oops\n", at_ns=9, fd=1)._replace(files=then)])
    said = story.words.last()
    assert [words.stream for words in said] == ([] if stream is None else [stream])


def test_the_words_decide_between_two_failures() -> None:
    events = (
        call("getpid", (), 1),
        opened(b"/etc/one.conf", ENOENT, at_ns=100),
        opened(b"/etc/two.conf", ENOENT, at_ns=101),
        wrote(b"one.conf is missing\n", at_ns=102),
        ended(1 << 8, at_ns=110),
    )
    assert [found.evidence[0].ts_ns - STARTED_NS for found in named(*events)] == [100, 101]


def test_a_name_that_was_found_elsewhere_was_only_searched_for() -> None:
    events = opened(b"/usr/lib/libz.so.1", ENOENT, at_ns=8), opened(b"/lib/libz.so.1", 3, at_ns=9)
    assert named(*events, ended(1 << 8, at_ns=10)) == []
    (found,) = named(events[0], ended(1 << 8, at_ns=10))
    assert found.kind == "library-missing"


@pytest.mark.parametrize(
    ("name", "error", "path"),
    [
        ("ioctl", "ENOTTY", ""),
        ("wait4", "ECHILD", ""),
        ("connect", "ENOENT", "/var/run/nscd/socket"),
        ("access", "ENOENT", "/etc/ld.so.preload"),
        ("open", "ENOENT", "/app/__pycache__/x.cpython-311.pyc"),
        ("stat", "ENOTDIR", "/app/file/x"),
    ],
)
def test_probes(name: str, error: str, path: str) -> None:
    assert is_probe(call(name, (), -1), error, path)
    assert not is_probe(call(name, (), -1), "EIO", path)


def test_equal_failures_are_counted() -> None:
    story = told(*(opened(b"/a", EACCES, at_ns=n) for n in range(5)), opened(b"/b", EACCES))
    assert sorted((one.path, one.count) for one in story.failures) == [("/a", 5), ("/b", 1)]


def test_every_failure_has_a_rule() -> None:
    assert RULES[-1][1:3] == (None, None)
    story = told(call("madvise", (), -9))
    assert [rule_of(one, story).kind for one in story.failures] == ["call-failed"]


def test_the_number_of_failures_is_bounded() -> None:
    story = told(*(opened(b"/%d" % n, EACCES) for n in range(5000)))
    assert len(story.failures) == 4096
    assert "/4999" in {one.path for one in story.failures}


def forked(*, at_ns: int) -> Call:
    return call("fork", (), 11, at_ns=at_ns)


def test_a_child_whose_status_is_passed_on_decides() -> None:
    events = (
        forked(at_ns=1),
        call("getpid", (), 1, tid=11, at_ns=2),
        opened(b"/etc/x.conf", ENOENT, tid=11, at_ns=90),
        ended(3 << 8, pid=11, at_ns=91),
        ended(3 << 8, at_ns=92),
    )
    story = told(*events)
    assert [one.pid for one in decided(story)] == [10, 11]
    (found,) = named(*events)
    assert found.kind == "file-missing"
    story = told(*events[:3], ended(4 << 8, pid=11, at_ns=91), events[4])
    assert [one.pid for one in decided(story)] == [10]


def test_a_shell_passes_on_a_signal_as_128_and_more() -> None:
    story = told(forked(at_ns=1), call("getpid", (), 1, tid=11), ended(11, pid=11, at_ns=3), ended(139 << 8, at_ns=4))
    assert [one.pid for one in decided(story)] == [10, 11]


def signalled(number: int, info: bytes, sender: Sender | None = None, **more: Any) -> Signal:
    return Signal(STARTED_NS + SECOND, 0, 10, 10, "sh", number, info, 0, 0, sender, **more)


def ending(signal: Signal, code: int, *before: Event, out_of_memory: bool = False) -> list[Finding]:
    story = told(*before, call("getpid", (), 1), signal, replace(ended(code), out_of_memory=out_of_memory))
    main = first_process(story, 10, None)
    assert main is not None
    return [*ended_by_signal(main, story, "x86_64")]


FROM_OUTSIDE = siginfo("iI", 9, 0, 0, 0, 0)
FROM_KERNEL = siginfo("iI", 9, 0, 0x80, 0, 0)


def test_who_killed_it() -> None:
    (found,) = ending(signalled(9, FROM_OUTSIDE, Sender(99, "watchdog")), 9)
    assert found.sentence == "sh was ended by SIGKILL from watchdog (pid 99, outside the container)."
    assert found.sure is Sure.CERTAIN
    (found,) = ending(signalled(9, FROM_OUTSIDE), 9)
    assert found.sentence == "sh was ended by SIGKILL from a process that is not known."
    assert found.sure is Sure.LIKELY


def ignored(number: int, sender: Sender, *, at_ns: int = SECOND // 2) -> Ignored:
    return Ignored(STARTED_NS + at_ns, 1, 10, 10, "sh", number, siginfo("iI", number, 0, 0, 0, 0), sender)


def test_a_stop_that_was_ignored() -> None:
    """The last one from outside counts: the engine's, whichever signal it uses."""
    killed = signalled(9, FROM_OUTSIDE, Sender(815, "runc"))
    early, last = Sender(12, "kubelet"), Sender(814, "containerd-shim")
    by_itself = ignored(2, Sender(10, "sh"), at_ns=SECOND - 1)
    found = ending(killed, 9, ignored(15, early, at_ns=5), ignored(15, last), by_itself)
    assert [one.kind for one in found] == ["killed", "stop-ignored"]
    said = "SIGTERM from containerd-shim (pid 814) was ignored by process 1, sh: it has no handler; killed 0.5 s later"
    assert found[1].sentence == f"{said} by SIGKILL."
    assert found[1].sure is Sure.CERTAIN
    (line,) = found[1].evidence
    assert line.ts_ns == STARTED_NS + SECOND // 2
    assert line.text.endswith("ignored, sent by pid 814 [containerd-shim] */")
    assert found[1].score > found[0].score


def test_a_stop_that_the_program_had_set_to_be_ignored() -> None:
    params = (("sig", "int"), ("act", "const struct sigaction *"))
    nobody = call("rt_sigaction", args(params, 15, (1, item((1).to_bytes(8, "little")))), 0)
    killed = signalled(9, FROM_OUTSIDE, Sender(815, "runc"))
    *_, found = ending(killed, 9, nobody, ignored(15, Sender(814, "docker")))
    assert "was ignored by sh, which set it to be ignored; killed 0.5 s later" in found.sentence


def test_out_of_memory() -> None:
    (found,) = ending(signalled(9, FROM_KERNEL), 9)
    assert (found.kind, found.sure) == ("oom-killed", Sure.LIKELY)
    (found,) = ending(signalled(9, FROM_KERNEL), 9, out_of_memory=True)
    assert (found.sentence, found.sure) == ("The kernel killed sh: out of memory.", Sure.CERTAIN)
    own, above = Level(63 << 20, 64 << 20), Level(99 << 20, None)
    (found,) = ending(signalled(9, FROM_KERNEL, memory=(own, above)), 9)
    assert found.sentence == (
        "The kernel killed sh: out of memory: the container's limit is 64 MiB, and 63 MiB were used."
    )
    assert found.sure is Sure.CERTAIN
    assert found.evidence[-1].text.endswith("out of memory: 63.0 MiB of 64.0 MiB")
    above = Level(127 << 20, 128 << 20)
    (found,) = ending(signalled(9, FROM_KERNEL, memory=(Level(30 << 20, 64 << 20), above)), 9)
    assert found.sentence.endswith("(its pod's, or its slice) has a limit of 128 MiB, and 127 MiB were used.")
    (found,) = ending(signalled(9, FROM_KERNEL, memory=(Level(30 << 20, 64 << 20), Level(1 << 40, None))), 9)
    assert found.sentence == (
        "The kernel killed sh: the node was out of memory; the container used 30 MiB of 64 MiB that it may use."
    )
    (found,) = ending(signalled(9, FROM_KERNEL, memory=(Level(30 << 20, None),)), 9)
    assert found.sentence.endswith("the node was out of memory; the container used 30 MiB.")


def test_a_child_that_was_out_of_memory() -> None:
    killed = replace(signalled(9, FROM_KERNEL), pid=11, tid=11, memory=(Level(30 << 20, 30 << 20),))
    end = replace(ended(9, pid=11), out_of_memory=True)
    story = told(forked(at_ns=1), call("getpid", (), 1, tid=11), killed, end, ended(1 << 8, at_ns=2 * SECOND))
    (found,) = ended_children(story, decided(story), "x86_64")
    assert found.kind == "oom-killed"


def test_a_crash() -> None:
    segv = signalled(11, siginfo("Q", 11, 0, 1, 0x40))
    (found,) = ending(segv, 11)
    assert "at address 0x40 (a null pointer); its last call was getpid" in found.sentence


MMAP = (("addr", "long"), ("len", "long"), ("prot", "long"), ("flags", "long"), ("fd", "long"), ("off", "long"))
LIBC = "/usr/lib/libc.so.6"


class File(NamedTuple):
    """A file that a descriptor stood for."""

    text: str
    socket: None = None


def mapped(begin: int, length: int, prot: int, flags: int, offset: int) -> Call:
    made = call("mmap", args(MMAP, 0, length, prot, flags, 3, offset), begin)
    return made._replace(files=Files({3: File(f"<{LIBC}>")}, None, None))


def crash(fault: Fault, *before: Event) -> Finding:
    info = siginfo("Q", 11, 0, 1, 0x40)
    (found,) = ending(signalled(11, info, fault=fault), 11, *before)
    return found


def executed(path: bytes) -> Call:
    return call("execve", args(EXECVE, (1, string(path)), 0, 0), 0)


CODE = (0x401000, 0x402000)


def test_where_a_crash_was_by_the_mappings_of_the_trace() -> None:
    """The last mapping of an address counts; data is never the place of an instruction."""
    before = (
        executed(b"/app/server"),
        mapped(0x7F0000, 0x9000, 1, 2, 0),
        mapped(0x7F2000, 0x3000, 5, 0x12, 0x2000),
    )
    fault = Fault(0x7F2123, 0x7FFE, 14, 6, CODE, (Frame(0x7F2123), Frame(0x401050, "ab" * 20, 0x1050), Frame(0x99)))
    found = crash(fault, *before)
    assert "writing at address 0x40 (a null pointer), by the instruction at 0x7f2123 (" in found.sentence
    assert f"by the instruction at 0x7f2123 ({LIBC}+0x2123)" in found.sentence
    stack = f"the stack, by frame pointers: {LIBC}+0x2123, /app/server+0x1050, 0x99"
    assert found.evidence[-1].text == stack
    unmapped = call("munmap", args(MMAP[:2], 0x7F0000, 0x9000), 0)
    other = crash(fault, *before, unmapped)
    assert f"{LIBC}" not in other.sentence
    assert "(" not in other.sentence.partition("0x7f2123")[2]
    again = crash(fault, *before, executed(b"/app/other"))
    assert f"{LIBC}" not in again.sentence


def test_where_a_crash_was_in_the_program() -> None:
    fault = Fault(0x401136, 0x7FFE, 14, 4, CODE, (Frame(0x401136, "ab" * 20, 0x1136),))
    assert "reading at address 0x40 (a null pointer), by the instruction at 0x401136 (/app/server+0x1136)" in (
        crash(fault, executed(b"/app/server")).sentence
    )
    no_id = fault._replace(stack=(Frame(0x401136),))
    assert "0x401136 (/app/server)" in crash(no_id, executed(b"/app/server")).sentence
    elsewhere = fault._replace(ip=0x500000, stack=(Frame(0x500000, "ab" * 20, 0x88),))
    assert "0x500000 (build id abababababab+0x88)" in crash(elsewhere, executed(b"/app/server")).sentence
    assert "by the instruction at 0x401136;" in crash(no_id).sentence


def test_a_jump_to_where_no_code_is() -> None:
    info = siginfo("Q", 11, 0, 1, 0x1234)
    fault = Fault(0x1234, 0x7FFE, 14, 0x14, CODE, (Frame(0x1234), Frame(0x401136, "ab" * 20, 0x1136)))
    (found,) = ending(signalled(11, info, fault=fault), 11, executed(b"/app/server"))
    assert "executing at address 0x1234; its last call" in found.sentence
    assert found.evidence[-1].text == "the stack, by frame pointers: 0x1234, /app/server+0x1136"


def test_a_division_by_zero() -> None:
    """The address in siginfo is the instruction's, and is told once."""
    fault = Fault(0x401136, 0x7FFE, 0, 0, CODE, (Frame(0x401136, "ab" * 20, 0x1136),))
    (found,) = ending(signalled(8, siginfo("Q", 8, 0, 1, 0x401136), fault=fault), 8, executed(b"/app/server"))
    assert found.sentence.count("0x401136") == 1
    assert "(/app/server+0x1136)" in found.sentence


def test_an_abort_of_process_1_ends_by_another_signal() -> None:
    params = (("tgid", "pid_t"), ("pid", "pid_t"), ("sig", "int"))
    sent = call("tgkill", args(params, 1, 1, 6), 0)
    (found,) = ending(signalled(11, siginfo("Q", 11, 0, 0x80, 0)), 11, sent)
    assert found.sentence.startswith("sh aborted: it sent SIGABRT to itself")


def test_a_first_process_that_ends_before_the_others() -> None:
    killed = TaskExit(STARTED_NS + 5, 0, 11, 11, "server", 9, group_dead=True)
    story = told(
        forked(at_ns=1), call("getpid", (), 1, tid=11), Entered(call("exit_group", (), at_ns=4)), killed, ended(0)
    )
    main = first_process(story, 10, None)
    assert main is not None
    assert [one.kind for one in background(story, main)] == ["ended-early"]


def test_execve_of_a_program_that_is_there() -> None:
    def executed(path: bytes, at_ns: int) -> Call:
        return call("execve", args(EXECVE, (1, string(path)), 2, 3), ENOENT, at_ns=at_ns)

    stat = (("filename", "const char *"), ("statbuf", "struct stat *"))
    found = call("stat", args(stat, (1, string(b"/app/start")), 2), 0, at_ns=7)
    assert [one.kind for one in named(found, executed(b"/app/start", 8), ended(127 << 8, at_ns=9))] == [
        "interpreter-missing"
    ]
    assert [one.kind for one in named(executed(b"/app/start", 8), ended(127 << 8, at_ns=9))] == ["program-missing"]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (0, "success"),
        (127 << 8, "not found"),
        (137 << 8, "ended by SIGKILL"),
        (11 | 0x80, "SIGSEGV, with a core dump"),
        (1 << 8, ""),
        (255 << 8, ""),
    ],
)
def test_meanings(status: int, says: str) -> None:
    said = meaning(wait_status(status), running=False)
    assert says in said
    assert bool(says) is bool(said)


def test_a_process_that_runs_has_no_causes() -> None:
    story = told(opened(b"/etc/app.conf", ENOENT))
    assert deciding(story, first_process(story, 10, None), None) == []


def test_an_untold_story() -> None:
    story: Any = told()
    assert first_process(story, 10, None) is None
    assert deciding(story, None, 9) == []


def blocked(name: str, *, tid: int, pid: int = 10, registers: tuple[int, ...] = (0x1000, 0, 0, 0)) -> Entered:
    return Entered(call(name, (), tid=tid, pid=pid)._replace(registers=registers))


def killed_thread(tid: int, *, pid: int = 10, last: bool = False) -> TaskExit:
    return TaskExit(STARTED_NS + SECOND, 0, pid, tid, "sh", 9, group_dead=last)


def test_a_deadlock_needs_all_threads() -> None:
    waiting = blocked("futex", tid=10), blocked("futex", tid=11)
    story = told(*waiting, killed_thread(11), killed_thread(10, last=True))
    (found,) = hung(story, story.processes.by_pid[10])
    assert found.sentence.startswith("All 2 threads of sh waited for each other (futex) for 1.0 s")
    story = told(*waiting, killed_thread(11), killed_thread(12), killed_thread(10, last=True))
    assert [*hung(story, story.processes.by_pid[10])] == []
    timed = blocked("futex", tid=11, registers=(0x1000, 0, 0, 0x2000))
    story = told(waiting[0], timed, killed_thread(11), killed_thread(10, last=True))
    assert [*hung(story, story.processes.by_pid[10])] == []


def test_a_shell_that_waits_for_a_program_that_hangs() -> None:
    events = (
        forked(at_ns=1),
        blocked("recvfrom", tid=11, pid=11),
        blocked("wait4", tid=10),
        killed_thread(11, pid=11, last=True),
        killed_thread(10, last=True),
    )
    story = told(*events)
    (found,) = hung(story, story.processes.by_pid[10])
    assert (found.kind, found.evidence[0].tid) == ("hung", 11)


def test_a_connection_that_fails_later() -> None:
    address = (
        2,
        string(b"\x02\x00\x15\x38\x0a\x00\x00\x05" + bytes(8)),
    )
    connect = (("fd", "int"), ("uservaddr", "struct sockaddr *"), ("addrlen", "int"))
    option = (("fd", "int"), ("level", "int"), ("optname", "int"), ("optval", "char *"), ("optlen", "int *"))
    begun = call("connect", args(connect, 3, address, 16), -115, at_ns=5)
    told_why = call("getsockopt", args(option, 3, 1, 4, (5, item(b"\x6f\0\0\0", out=True)), 6), 0, at_ns=7)
    (found,) = named(call("getpid", (), 1), begun, told_why, ended(1 << 8, at_ns=8))
    assert found.sentence == "sh could not connect to 10.0.0.5:5432: connection refused."
    assert named(call("getpid", (), 1), begun, ended(1 << 8, at_ns=8)) == []


def mount(place: bytes, kind: bytes, options: bytes, flags: int = 0) -> Call:
    params = (*(("a", "char *"),) * 3, ("flags", "unsigned long"), ("data", "void *"))
    given = (1, string(b"x")), (2, string(place)), (3, string(kind)), flags, (5, string(options))
    return call("mount", args(params, *given), 0, comm="runc:[2:INIT]")


def pivoted(root: str) -> Call:
    params = (("new_root", "const char *"), ("put_old", "const char *"))
    made = call("pivot_root", args(params, (1, string(b".")), (1, string(b"."))), 0, comm="runc:[2:INIT]")
    return made._replace(files=Files({}, Known(f"<{root}>"), None))


@pytest.mark.parametrize("told_root", [mount(b"/var/lib/c1/root/proc", b"proc", b""), pivoted("/var/lib/c1/root")])
def test_the_file_system_that_is_full_is_named_if_its_mount_was_recorded(told_root: Call) -> None:
    params = (("fd", "unsigned int"), ("buf", "const char *"), ("count", "size_t"))
    full = call("fallocate", args(params, 3, 0, 0), -28, at_ns=8)
    missing = opened(b"/data/db/orders", -28, at_ns=8)
    story = Story()
    story.watch_before(
        [
            told_root,
            mount(b"/var/lib/c1/root/data", b"tmpfs", b"size=64k"),
            mount(b"/var/lib/c1/root/srv/data", b"tmpfs", b"size=1m"),
            mount(b"/var/lib/c1/root/data", b"", b"", flags=0x20),
            mount(b"/var/lib/c1/root/other", b"ext4", b""),
        ]
    )
    story.watch([missing, full, ended(1 << 8, at_ns=9)])
    said = {found.sentence for found in ranked(story, {10})}
    assert "sh could not write to /data/db/orders: its file system (tmpfs on /data, size=64k) is full." in said
    assert "sh could not write to a file (fallocate): its file system is full." in said


def test_hidden_files_of_the_user_are_named_only_if_the_program_complains() -> None:
    missing = opened(b"/root/.config/tool", ENOENT, at_ns=98)
    assert named(call("getpid", (), 1), missing, ended(1 << 8, at_ns=100)) == []
    complaint = wrote(b"no /root/.config/tool\n", at_ns=99)
    assert len(named(call("getpid", (), 1), missing, complaint, ended(1 << 8, at_ns=100))) == 1


@pytest.mark.parametrize(
    ("path", "words", "fits"),
    [
        (b"/app/conf/a.ini", b"cannot open conf/a.ini:", True),
        (b"/app/conf/a.ini", b"cannot open other/a.ini:", False),
        (b"/srv/data", b"unable to open database", False),
        (b"/srv/data", b"data is missing", True),
    ],
)
def test_words_name_a_path_by_its_end(path: bytes, words: bytes, *, fits: bool) -> None:
    story = told(opened(path, ENOENT), wrote(words, at_ns=5), ended(1 << 8, at_ns=SECOND))
    (score, other) = (
        max((one.score for one in ranked(each, {10})), default=0)
        for each in (story, told(opened(path, ENOENT), wrote(b"-" * len(words), at_ns=5), ended(1 << 8)))
    )
    assert (score >= other + 30 or (other == 0 and score > 0)) is fits


def test_a_program_that_has_no_path_is_called_a_file() -> None:
    (found,) = named(call("execveat", (), -9, at_ns=99), ended(1 << 8, at_ns=100))
    assert found.sentence == "a file (execveat) could not be executed: bad file descriptor."
