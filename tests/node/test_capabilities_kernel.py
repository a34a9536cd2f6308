# SPDX-License-Identifier: Apache-2.0
"""Capabilities are recorded with the calls that asked for them, and for a container's whole life."""

from __future__ import annotations

import mmap
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from recorded_cgroups import Container, returned

from traceloop_bpf import btf, capabilities
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.areas import FIRSTS
from traceloop_decode.capabilities import Capabilities
from traceloop_decode.capability_names import name_of
from traceloop_decode.events import events
from traceloop_decode.model import Asked, Call
from traceloop_decode.ring_reader import NO_EVENTS, Record, RingReader
from traceloop_decode.text import short

pytestmark = pytest.mark.kernel

CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, SETUID, NET_BIND, SYS_ADMIN = 0, 1, 2, 7, 10, 21
_RETRIES = 12  # in layout.RING
_COUNTS = slice(56, 64)  # struct tl_ring's pad
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
NOBODY = 65534
BEGIN = f"""
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def unprivileged():
    os.setgroups([])
    os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
    os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
def refused(call, *args):
    try:
        call(*args)
    except PermissionError:
        return
    sys.exit(f"{{call}} was not refused")
"""


@pytest.fixture(scope="module", autouse=True)
def told() -> None:
    with btf.opened() as types:
        if not capabilities.find(types):
            pytest.skip("this kernel does not tell which capabilities are asked for: Linux 6.14 and later do")


def run(container: Container, program: str, *argv: str) -> None:
    container.run(PYTHON, "-I", "-S", "-c", BEGIN + program, *argv)


def whole_life(container: Container) -> Capabilities:
    found = Capabilities.of(container.snapshot())
    assert found is not None
    return found


def names(numbers: tuple[int, ...]) -> set[str]:
    return {name_of(number) for number in numbers}


def asking(container: Container, source: str = "") -> list[tuple[str, tuple[Asked, ...]]]:
    found = returned(events(container.snapshot(), (source,)))
    return [(call.name, call.asked) for call in found if call.asked]


def yes(number: int) -> Asked:
    return Asked(number, granted=True)


def no(number: int) -> Asked:
    return Asked(number, granted=False)


USES = """
path = sys.argv[1]
os.chown(path, 1, 1)
os.chown(path, 2, 2)
server = socket.socket()
server.bind(("127.0.0.1", 1023))
os.setgroups([])
os.setresuid(0, 1, 1)
refused(os.chown, path, 3, 3)
refused(os.chown, path, 3, 3)
refused(os.listdir, sys.argv[2])
"""


@pytest.fixture
def paths() -> Iterator[tuple[str, str]]:
    """A file, and a directory that only root may read. Others than root cannot reach what is below pytest's own."""
    with TemporaryDirectory() as name:
        above = Path(name)
        above.chmod(0o755)
        (above / "file").touch()
        (above / "directory").mkdir(0o700)
        yield str(above / "file"), str(above / "directory")


def test_each_refusal_and_each_first_grant_is_its_calls(container: Container, paths: tuple[str, str]) -> None:
    run(container, USES, *paths)
    found = [one for one in asking(container) if one[0] in ("chown", "bind", "openat")]
    assert found == [
        ("chown", (yes(CHOWN),)),  # the second one is nothing new
        ("bind", (yes(NET_BIND),)),
        ("chown", (no(CHOWN),)),
        ("chown", (no(CHOWN),)),
        ("openat", (no(DAC_READ_SEARCH), no(DAC_OVERRIDE))),
    ]
    snapshot = container.snapshot()
    lines = [line for line in short.lines(events(snapshot), snapshot) if "chown(" in line]
    assert [line.partition(" = ")[2] for line in lines] == [
        "0",
        "0",
        *["-1 EPERM (Operation not permitted)  [CAP_CHOWN refused]"] * 2,
    ]


def test_the_whole_life_has_what_was_asked_for_and_nothing_else(container: Container, paths: tuple[str, str]) -> None:
    run(container, USES, *paths)
    found = whole_life(container)
    assert names(found.granted) == {"CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID"}
    assert names(found.refused) == {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"}
    assert found.whole


def test_each_new_one_is_a_first_with_its_call(tracer: Tracer, paths: tuple[str, str]) -> None:
    with (
        closing(Tracer.load(Plan(ring_size=128 << 10, pool_size=2))) as small,
        Container(small) as container,
    ):
        run(container, USES + "for _ in range(20011): os.getppid(), os.umask(0)\n", *paths)
        assert not [one for one in asking(container) if one[0] in ("chown", "bind", "openat")]  # overwritten
        kept = [one for one in asking(container, FIRSTS) if one[0] in ("chown", "bind", "openat")]
        assert kept == [
            ("chown", (yes(CHOWN),)),
            ("bind", (yes(NET_BIND),)),
            ("chown", (no(CHOWN),)),
            ("openat", (no(DAC_READ_SEARCH), no(DAC_OVERRIDE))),
        ]
        whole = [call for call in returned(events(container.snapshot())) if call.asked and call.name == "chown"]
        assert [(call.missed, len(call.registers)) for call in whole] == [((), 3), ((CHOWN,), 3)]
        assert all(call.items[0][0].data == paths[0].encode() for call in whole)


MEMORY = """
kept = [bytearray(1 << 20) for _ in range(8)]
if not os.fork():
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "x = bytearray(1 << 22)"])
os.wait()
fd = os.memfd_create("x")
os.write(fd, bytes(1 << 20))
os.ftruncate(fd, 1 << 21)
os.posix_fallocate(fd, 0, 1 << 21)
"""


@pytest.mark.parametrize("begin", ["", "unprivileged()\n"], ids=["granted", "refused"])
def test_the_kernel_s_accounts_of_memory_are_no_question(container: Container, begin: str) -> None:
    run(container, begin + MEMORY)
    found = whole_life(container)
    assert (SYS_ADMIN in found.granted, SYS_ADMIN in found.refused) == (False, False)


@pytest.mark.parametrize(
    "call",
    [
        "libc.unshare(0x20000)",
        "libc.syscall(56, 0x20011, 0, 0, 0, 0)",
    ],
    ids=["unshare", "clone"],
)
def test_a_namespace_needs_what_memory_does_not(container: Container, call: str) -> None:
    run(container, f"unprivileged()\n{call}\n")
    assert whole_life(container).refused == (SYS_ADMIN,)
    assert [asked for _, asked in asking(container) if no(SYS_ADMIN) in asked] == [(no(SYS_ADMIN),)]


def test_clone3_s_flags_are_in_memory(container: Container) -> None:
    program = "unprivileged()\nargs = (ctypes.c_uint64 * 8)({flags}, 0, 0, 0, 17)\nif not libc.syscall(435, args, 64): os._exit(0)\n"
    run(container, program.format(flags=0))
    assert whole_life(container).refused == ()
    run(container, program.format(flags="0x20000"))
    assert whole_life(container).refused == (SYS_ADMIN,)


def test_credentials_that_the_kernel_uses_in_place_of_the_thread_s_are_not_asked(
    container: Container, paths: tuple[str, str]
) -> None:
    """access(2) asks with those of the real user id, who is root here."""
    os.chown(paths[1], 1, 1)
    program = "os.setresuid(0, 65534, 0)\nassert os.access(sys.argv[2], os.R_OK)\nrefused(os.listdir, sys.argv[2])\n"
    run(container, program, *paths)
    found = whole_life(container)
    assert DAC_READ_SEARCH not in found.granted
    assert DAC_READ_SEARCH in found.refused


OVERLAY = 'mount -t overlay overlay -o "lowerdir=$0/one:$0/other" "$0/merged" && exec "$@"'


def test_the_credentials_of_an_overlay_s_mounter_are_not_asked(container: Container) -> None:
    """The thread may read its own file; the layer below is asked with the credentials of whoever mounted it."""
    with TemporaryDirectory() as name:
        above = Path(name)
        above.chmod(0o755)
        for one in ("one", "other", "merged"):
            (above / one).mkdir()
        own = above / "one/own"
        own.touch(0o400)
        os.chown(own, NOBODY, NOBODY)
        program = f"{BEGIN}unprivileged()\nopen(sys.argv[1]).read()\n"
        python = (PYTHON, "-I", "-S", "-c", program, str(above / "merged/own"))
        container.run("unshare", "-m", "sh", "-c", OVERLAY, name, *python)
    found = whole_life(container)
    assert SYS_ADMIN in found.granted
    assert not {DAC_OVERRIDE, DAC_READ_SEARCH} & {*found.granted, *found.refused}


def test_a_walk_along_a_path_asks_once(container: Container, tmp_path: Path) -> None:
    deep = tmp_path / "a/b/c/d"
    deep.mkdir(parents=True)
    for one in (deep, *deep.parents[:3]):
        one.chmod(0o000)
    run(container, "os.stat(sys.argv[1])\nlibc.prctl(24, 2)\nos.listdir(sys.argv[1])\n", str(deep))
    questions = [asked for _, asked in asking(container) if yes(DAC_READ_SEARCH) in asked]
    assert questions
    assert all(len(asked) == len(set(asked)) for asked in questions)


def test_calls_that_are_only_counted_are_in_the_whole_life_alone(tracer: Tracer, paths: tuple[str, str]) -> None:
    with Container(tracer) as container:
        container.recording.ring.set_skipped([92])  # chown
        run(container, USES, *paths)
        assert {"CAP_CHOWN"} <= names(whole_life(container).granted)
        assert {name for name, _ in asking(container)} & {"bind", "chown"} == {"bind"}
        assert container.recording.ring.headers().unrecorded.rereads == 0


def test_the_totals_and_the_loss_counters_do_not_count_questions(container: Container, paths: tuple[str, str]) -> None:
    run(container, USES, *paths)
    totals, count = container.snapshot().totals, container.recording.ring.count()
    assert totals is not None
    assert totals.native[92].calls == 4
    assert (count.lost_records, count.lost_events) == (0, 0)
    assert layout.RING.unpack_from(container.snapshot().headers[-1])[_RETRIES] == 0
    records = [one for one in RingReader(container.snapshot()).records() if isinstance(one, Record)]
    assert {layout.TYPE_CAPABILITY, layout.TYPE_ENTER} <= {record.type for record in records}
    assert count.events == sum(1 for record in records if record.type not in NO_EVENTS)


def test_a_kernel_that_does_not_tell(paths: tuple[str, str]) -> None:
    with (
        closing(Tracer.load(Plan(pool_size=2, defines={capabilities.WITHOUT: 1}))) as tracer,
        Container(tracer) as container,
    ):
        assert not tracer.records_capabilities
        run(container, USES, *paths)
        assert Capabilities.of(container.snapshot()) is None
        assert asking(container) == []
        assert len(container.calls("chown")) == 4


def test_that_they_are_noted_is_said_beside_counts_of_the_same_word(container: Container) -> None:
    ring = container.recording.ring
    with mmap.mmap(ring.fd, mmap.PAGESIZE) as memory:
        memory[_COUNTS] = (5 | 2 << layout.OOM_BY_LIMIT).to_bytes(8, "little")
    assert ring.capabilities() is None
    ring.set_notes_capabilities()
    headers = ring.headers()
    assert (headers.oom_kills, headers.oom_by_limit) == (5, 2)
    assert ring.capabilities() == Capabilities((), (), whole=True)


def test_programs_that_take_over_go_on(paths: tuple[str, str]) -> None:
    """A version that did not record capabilities yet leaves its rings to one that does."""
    with (
        closing(Tracer.load(Plan(pool_size=2, defines={capabilities.WITHOUT: 1}))) as tracer,
        Container(tracer) as container,
    ):
        run(container, USES, *paths)
        tracer.exchange(Plan(pool_size=2))
        assert tracer.records_capabilities
        run(container, "refused(os.setresuid, 1, 1, 1) if unprivileged() else refused(os.setuid, 0)\n")
        found = whole_life(container)
        assert (SETUID in found.refused, CHOWN in found.granted, found.whole) == (True, False, False)
        with Container(tracer) as later:
            run(later, USES, *paths)
            assert whole_life(later).whole
        tracer.exchange(Plan(pool_size=2))
        assert SETUID in whole_life(container).refused


def test_each_call_of_threads_on_several_cpus_has_its_question(container: Container) -> None:
    program = """
import threading
def work(cpu):
    os.sched_setaffinity(0, [cpu])
    for n in range(211):
        libc.umount2(b"/tmp", 0)
unprivileged()
threads = [threading.Thread(target=work, args=[cpu]) for cpu in os.sched_getaffinity(0)]
[one.start() for one in threads]
[one.join() for one in threads]
"""
    run(container, program)
    calls: list[Call] = container.calls("umount2")
    assert calls
    assert {call.missed for call in calls} == {(SYS_ADMIN,)}
    assert len(calls) % 211 == 0
