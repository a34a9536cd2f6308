# SPDX-License-Identifier: Apache-2.0
"""Recordings continue without a gap while the daemon dies, is stopped and is replaced, under a real systemd."""

import re
import time
from collections import Counter
from contextlib import ExitStack, contextmanager

import pytest
from lab.installed import install
from lab.kernel_objects import held_by, wait_until_gone
from lab.service import RECORDING_PAUSED, RECORDING_STARTED, SERVICE, SOCKET, TRACE_FROZEN, running
from lab.systemd import Systemd

from traceloop_bpf import btf, capabilities, io_uring
from traceloop_bpf.compiler import programs_of
from traceloop_bpf.loader import SHARED
from traceloop_bpf.programs import Plan

pytestmark = [pytest.mark.kernel, pytest.mark.systemd]

SOURCE = "/usr/lib/traceloop/traceloop_bpf/tracer.bpf.c"
DOWN_S = 2


@pytest.fixture(scope="module")
def lab():
    with Systemd() as lab:
        install(lab)
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        yield lab


@pytest.fixture
def service(lab):
    return running(lab)


def say(process, word):
    """Makes the container read a word and write it; returns when it has."""
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    assert process.stdout.readline() == f"{word}\n"


def words_written(service, trace):
    lines = service.ctl("show", trace, "-o", "strace", "-e", "write").stdout
    return re.findall(r'write\(1, "(\w+)\\n"', lines)


def trace_of(service, container):
    (found,) = [trace for trace in service.traces() if trace["container_id"] == container]
    return found


def wait_for_stored(service, traces):
    """Waits until systemd's store has exactly the entries for this many traces and the stock."""
    with btf.opened() as types:
        programs = len(programs_of(io_uring.find(types), btf.read(types) | capabilities.find(types)))
    wanted = len(SHARED) + 2 * programs + len(["about"]) + Plan().pool_size + traces
    service.wait_for_property("NFileDescriptorStore", lambda number: int(number) == wanted)


@contextmanager
def down(service):
    """Kills the daemon when the block begins; another one runs when it has ended."""
    with service.drop_in(f"[Service]\nRestartSec={DOWN_S}\n"):
        before = service.property("MainPID")
        service.lab.run("kill", "-KILL", before)
        service.wait_for_property("MainPID", lambda pid: pid != before)
        assert service.property("MainPID") == "0"
        yield
        assert service.property("MainPID") == "0", "the test took longer than the daemon's absence"
        service.wait_for_property("ActiveState", lambda state: state == "active")


def test_a_killed_daemon_leaves_no_hole(service):
    with service.container("kept") as process:
        say(process, "before")
        before = trace_of(service, "kept")
        with down(service):
            say(process, "meanwhile")
        after = trace_of(service, "kept")
        say(process, "after")
        assert words_written(service, after["id"]) == ["before", "meanwhile", "after"]
        same = ("id", "started", "container", "cgroup", "image", "state")
        assert [after[name] for name in same] == [before[name] for name in same]
        assert after["lost"] == 0
        wait_for_stored(service, 1)
    frozen = service.lab.wait_for_journal(f"TRACELOOP_ID={after['id']}", f"MESSAGE_ID={TRACE_FROZEN}")
    assert frozen["EXIT_CODE"] == "0"
    assert words_written(service, after["id"]) == ["before", "meanwhile", "after"]


@pytest.mark.parametrize("signal", ["KILL", "SEGV", "TERM"])
def test_again_and_again(service, signal):
    """Repeated deaths of the daemon, however caused, leave nothing missing and nothing growing."""
    with service.container(f"often-{signal}") as process:
        for round_ in range(3):
            say(process, f"word{round_}")
            before = service.property("MainPID")
            service.lab.run("kill", f"-{signal}", before)
            service.wait_for_property("MainPID", lambda pid, before=before: pid not in (before, "0"))
            service.wait_for_property("ActiveState", lambda state: state == "active")
        trace = trace_of(service, f"often-{signal}")
        assert words_written(service, trace["id"]) == ["word0", "word1", "word2"]
        assert (trace["state"], trace["lost"]) == ("recording", 0)
        wait_for_stored(service, 1)
        service.ctl("close", trace["id"])
        wait_for_stored(service, 0)


def test_a_restart_leaves_no_hole(service):
    with service.container("restarted") as process:
        say(process, "before")
        service.lab.run("systemctl", "restart", SERVICE)
        say(process, "after")
        trace = trace_of(service, "restarted")
        assert (trace["state"], trace["lost"]) == ("recording", 0)
        assert words_written(service, trace["id"]) == ["before", "after"]
    service.lab.wait_for_journal(f"TRACELOOP_ID={trace['id']}", f"MESSAGE_ID={TRACE_FROZEN}")
    assert words_written(service, trace["id"]) == ["before", "after"]


def test_a_container_that_ended_meanwhile_is_archived(service):
    with service.container("ended") as process:
        say(process, "before")
        with down(service):
            say(process, "last")
            process.stdin.close()
            assert process.wait(30) == 0
    trace = trace_of(service, "ended")
    frozen = service.lab.wait_for_journal(f"TRACELOOP_ID={trace['id']}", f"MESSAGE_ID={TRACE_FROZEN}")
    assert (frozen["EXIT_CODE"], frozen["LOST"]) == ("0", "0")
    assert words_written(service, trace["id"]) == ["before", "last"]
    assert trace_of(service, "ended")["exit_code"] == 0


def test_a_closed_trace_does_not_come_back(service):
    with service.container("closed"):
        trace = trace_of(service, "closed")["id"]
        assert service.ctl("close", trace).stdout == "closed\n"
        with down(service):
            pass
        assert trace not in [each["id"] for each in service.traces()]


def test_another_program_takes_over_without_a_hole(service):
    source = service.lab.run("cat", SOURCE).stdout
    since = service.lab.since_now()
    with service.container("upgraded") as process:
        say(process, "before")
        service.lab.write(SOURCE, f"{source}\nint on_nothing(void *ctx) {{ return 1; }}\n")
        service.lab.run("systemctl", "restart", SERVICE)
        say(process, "during")
        service.lab.wait_for_journal(
            since,
            "SYSLOG_IDENTIFIER=traceloopd",
            "MESSAGE=exchanged the recorder's programs for this version's, without a gap in the recordings",
        )
        say(process, "after")
        trace = trace_of(service, "upgraded")
        assert (trace["state"], trace["lost"]) == ("recording", 0)
        assert words_written(service, trace["id"]) == ["before", "during", "after"]
    service.lab.write(SOURCE, source)


def test_another_layout_begins_a_new_trace_and_keeps_the_old_one(service):
    lab = service.lab
    lab.write("/etc/rings.toml", "[ring]\nsize = 524288\n")
    with service.container("moved") as process:
        say(process, "before")
        old = trace_of(service, "moved")["id"]
        with service.drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/traceloopd --config /etc/rings.toml\n"):
            lab.run("systemctl", "restart", SERVICE)
            say(process, "after")
            lab.wait_for_journal(f"TRACELOOP_ID={old}", f"MESSAGE_ID={TRACE_FROZEN}")
            (new,) = [each for each in service.traces() if each["container_id"] == "moved" and each["id"] != old]
            assert (new["id"], new["state"]) == (f"{old}_2", "recording")
            assert words_written(service, old) == ["before"]
            assert words_written(service, new["id"]) == ["after"]
    lab.wait_for_journal(f"TRACELOOP_ID={new['id']}", f"MESSAGE_ID={TRACE_FROZEN}")
    lab.run("systemctl", "restart", SERVICE)


def test_stop_keeps_what_is_being_recorded_and_empties_the_kernel(service):
    lab = service.lab
    with service.container("stopped") as process:
        say(process, "before")
        trace = trace_of(service, "stopped")["id"]
        held = held_by(service.pid())
        lab.run("systemctl", "stop", SOCKET, SERVICE)
        wait_until_gone(held)
        lab.run("systemctl", "start", SOCKET, SERVICE)
        assert words_written(service, trace) == ["before"]
        found = trace_of(service, "stopped")
        assert (found["state"], found["ended"], found["exit_code"]) == ("archived", None, None)
        say(process, "after")
        assert words_written(service, trace) == ["before"]


FULL_RINGS = 8
FILL = """
echo $$ >"/sys/fs/cgroup/test-$1/cgroup.procs"
exec dd if=/dev/zero of=/dev/null bs=1 count=10000 status=none
"""


def test_hooks_are_answered_while_the_daemon_stops(service):
    """Hooks are answered by the stopping daemon until it has archived all, then by the next, for which they wait."""
    lab, names = service.lab, [f"full-{number}" for number in range(FULL_RINGS)]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(service.container(name))
            lab.run("sh", "-euc", FILL, "sh", name)
        before = service.property("MainPID")
        lab.run("systemctl", "restart", "--no-block", SERVICE)
        stopping = True
        while stopping:  # the last of them comes when another daemon is starting
            names.append(f"meanwhile-{len(names)}")
            stopping = service.property("MainPID") == before
            # On a busy machine the next daemon may start later than a hook gives up; it still reads the hook's message.
            stack.enter_context(service.container(names[-1], hook_says=r"0 (traceloop-hook: gave up after 2 s .*)?"))
        service.wait_for_property("ActiveState", lambda state: state == "active")
        for name in names:
            lab.wait_for_journal(f"MESSAGE_ID={RECORDING_STARTED}", f"CONTAINER_ID={name}")
        assert {trace_of(service, name)["state"] for name in names} == {"recording"}
        paused = lab.journal(f"MESSAGE_ID={RECORDING_PAUSED}", f"_PID={before}")
        assert {entry["CONTAINER_ID"] for entry in paused} >= set(names[:FULL_RINGS])
        begun = lab.journal(f"MESSAGE_ID={RECORDING_STARTED}")
        by_daemon = Counter(entry["_PID"] == before for entry in begun if entry["CONTAINER_ID"] in names[FULL_RINGS:])
        assert by_daemon.total() == len(names) - FULL_RINGS
        print(f"while it stopped, {by_daemon[True]} began; {by_daemon[False]} waited for the next daemon")


STATE_DIR = "/var/lib/traceloop"
RETRY_S = 10  # between two attempts to write to a disk that failed


@contextmanager
def small_disk(service):
    """Makes the state directory a file system of 2 MiB."""
    lab = service.lab
    lab.run("systemctl", "stop", SOCKET, SERVICE)
    lab.run("mount", "-t", "tmpfs", "-o", "size=2m", "small", STATE_DIR)
    lab.run("systemctl", "start", SOCKET, SERVICE)
    try:
        yield
    finally:
        lab.run("systemctl", "stop", SOCKET, SERVICE)
        lab.run("umount", STATE_DIR)
        lab.run("systemctl", "start", SOCKET, SERVICE)


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_what_waits_for_a_full_disk_outlives_the_daemon(service, signal):
    lab, name = service.lab, f"waits-{signal}"
    with small_disk(service):
        lab.run("sh", "-c", f"cat /dev/zero >{STATE_DIR}/filler || :")
        with service.container(name) as process:
            say(process, "kept")
        trace = trace_of(service, name)["id"]
        lab.wait_for_journal(f"TRACELOOP_ID={trace}", f"MESSAGE_ID={TRACE_FROZEN}")
        waiting = f"/run/traceloop/waiting/{trace}.trace"
        for _ in range(2):
            while lab.run("test", "-e", waiting, check=False).returncode:
                assert trace_of(service, name)["state"] == "frozen"
            before = service.property("MainPID")
            lab.run("kill", f"-{signal}", before)
            service.wait_for_property("MainPID", lambda pid, before=before: pid not in (before, "0"))
            service.wait_for_property("ActiveState", lambda state: state == "active")
            assert trace_of(service, name)["state"] == "frozen"
            assert words_written(service, trace) == ["kept"]
        lab.run("rm", f"{STATE_DIR}/filler")
        end = time.monotonic() + 3 * RETRY_S
        while trace_of(service, name)["state"] != "archived":
            assert time.monotonic() < end
            time.sleep(0.2)
        assert words_written(service, trace) == ["kept"]
        assert lab.run("test", "-e", waiting, check=False).returncode
