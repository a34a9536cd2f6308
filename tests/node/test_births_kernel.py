# SPDX-License-Identifier: Apache-2.0
"""Recordings that begin with a container's cgroup: which cgroups are taken, what is in the ring, and what is left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from born_cgroups import Newborn, new_id, recognised, wait_for
from recorded_cgroups import Cgroup, text

from traceloop_bpf.births import BIRTH, ENTRY, PATH_MAX, WORDS_MAX, Birth, Births, Kind, Shape, Suffix
from traceloop_bpf.losses import Losses
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout

pytestmark = pytest.mark.kernel

DOCKER, PODMAN, BARE, UNIT, RUNTIME, LONG = range(1, 7)
MAKER = "tl-runtime"
SHAPES = (
    Shape(Kind.NAME, "libpod_parent", 0),
    Shape(Kind.NAME, "conmon", 0),
    Shape(Kind.BELOW, "libpod_parent", 0),
    Shape(Kind.ID, "libpod-", PODMAN),
    Shape(Kind.ID, "docker-", DOCKER, Suffix.SCOPE),
    Shape(Kind.ID, "", BARE),
    Shape(Kind.NAME, "tl-unit.service", UNIT, is_service=True),
    Shape(Kind.BEGINS, "tl-many@", UNIT, Suffix.SERVICE),
    Shape(Kind.BEGINS, "x" * 60, LONG),
    Shape(Kind.RUNTIME, MAKER, RUNTIME),
)


@pytest.fixture
def births(tracer: Tracer) -> Iterator[Births]:
    with recognised(tracer, SHAPES) as births:
        yield births


@pytest.fixture
def newborn(tracer: Tracer, births: Births) -> Iterator[Callable[..., Newborn]]:
    """A factory of cgroups, all removed with the test."""
    tracer.pool.wait_idle()
    with ExitStack() as stack:
        yield lambda name, above=None: stack.enter_context(Newborn(tracer, name, above))


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A program whose processes are named as a runtime's."""
    shutil.copy2(shutil.which("mkdir") or "", tmp_path / MAKER)
    return tmp_path / MAKER


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        (f"docker-{'0' * 64}.scope", DOCKER),
        (f"libpod-{'0123456789abcdef' * 4}.scope", PODMAN),
        (f"libpod-{'0123456789abcdef' * 4}", PODMAN),
        ("a" * 64, BARE),
        ("tl-unit.service", UNIT),
        ("tl-many@1.service", UNIT),
        ("x" * 200, LONG),
    ],
)
def test_what_is_taken(newborn: Callable[..., Newborn], births: Births, name: str, whose: int) -> None:
    one = newborn(name)
    (birth,) = wait_for(births, 1)
    assert (birth.whose, birth.path, birth.maker, birth.moved) == (whose, f"/{name}", os.getpid(), False)
    command_line = Path("/proc/self/cmdline").read_bytes()
    assert birth.words == (tuple(command_line.split(b"\0")[:-1]) if len(command_line) < WORDS_MAX - 1 else ())
    one.claim(birth)
    one.run("cat", "/no/own", status=1)
    assert b"/no/own" in [text(call, 1) for call in one.calls("openat")]


@pytest.mark.parametrize(
    "name",
    [
        f"docker-{'0' * 64}",  # docker's have the end
        f"docker-{'0' * 63}.scope",
        f"docker-{'0' * 65}.scope",
        f"docker-{'0' * 63}g.scope",
        f"docker-{'A' * 64}.scope",
        f"libpod-conmon-{'0' * 64}.scope",
        f"machine-libpod_pod_{'0' * 64}.slice",
        f"{'0' * 64}.service",
        f"{'0' * 65}",
        "libpod_parent.slice",
        "tl-unit.service.d",
        "tl-unit.servic",
        "tl-many@1",
        "x" * 46 + "y",
        "tl-runtime",
        "conmon",
        "a",
    ],
)
def test_what_is_not_taken(newborn: Callable[..., Newborn], births: Births, name: str) -> None:
    newborn(name)
    last = newborn("tl-unit.service")
    (birth,) = wait_for(births, 1)
    last.claim(birth)


def test_the_longest_name(newborn: Callable[..., Newborn], births: Births) -> None:
    name = "x" * 255
    one = newborn(name)
    (birth,) = wait_for(births, 1)
    assert birth.path == f"/{name}"
    one.claim(birth)


def test_a_path_that_is_cut(tracer: Tracer, births: Births) -> None:
    tracer.pool.wait_idle()
    with Cgroup() as above:
        deep = above.path
        for _ in range(3):
            deep /= "y" * 200
            deep.mkdir()
        with Newborn(tracer, "tl-unit.service", deep) as one:
            (birth,) = wait_for(births, 1)
            assert len(birth.path) == PATH_MAX - 1
            assert f"/{one.path.relative_to(above.path.parent)}".startswith(birth.path)
            one.claim(birth)


def test_engines_own_cgroups_and_pods(newborn: Callable[..., Newborn], births: Births) -> None:
    """A pod's cgroup has an id for a name as containers have, and its containers are below it."""
    parent = newborn("libpod_parent")
    pod = newborn(new_id(), parent.path)
    member = newborn(f"libpod-{new_id()}", pod.path)
    (birth,) = wait_for(births, 1)
    member.claim(birth)


def test_a_pod_under_a_parent_of_its_own(tracer: Tracer, births: Births) -> None:
    """podman --cgroup-parent: the pod's cgroup looks like a container's, until a container is made below it."""
    tracer.pool.wait_idle()
    with Cgroup() as above:
        pod = above.path / new_id()
        above.run("mkdir", str(pod))
        with Newborn(tracer, f"libpod-{new_id()}", pod) as member:
            check_pod(tracer, member, *wait_for(births, 2))


def check_pod(tracer: Tracer, member: Newborn, first: Birth, second: Birth) -> None:
    pod = tracer.born(first)
    assert pod is not None
    member.claim(second)
    assert (second.moved, second.slot != first.slot) == (False, True)
    member.run("cat", "/no/member", status=1)
    assert not pod.ring.count().events
    tracer.stop(pod)
    tracer.give_back(pod)


def test_a_container_in_a_container(tracer: Tracer, newborn: Callable[..., Newborn], births: Births) -> None:
    """Cgroups that a container makes below its own are its own once a process ran in it, whatever their names."""
    outer = newborn(new_id())
    outer.run("true")
    inner = newborn(f"libpod-{new_id()}", outer.path)
    (birth,) = wait_for(births, 1)
    outer.claim(birth)
    inner.run("cat", "/no/inner", status=1)
    assert b"/no/inner" in [text(call, 1) for call in outer.calls("openat")]


def test_parents_that_a_runtime_makes(
    tracer: Tracer, newborn: Callable[..., Newborn], births: Births, runtime: Path
) -> None:
    """A runtime makes a missing parent, then the container's: one ring, which moves to the last."""
    with Cgroup("-runtime") as above, above.start(runtime, "-p", above.path / "new/one/leaf") as process:
        assert process.wait() == 0
        told = wait_for(births, 3)
        name = above.path.name
        assert [birth.path for birth in told] == [f"/{name}/new", f"/{name}/new/one", f"/{name}/new/one/leaf"]
        assert [birth.moved for birth in told] == [False, True, True]
        assert len({birth.slot for birth in told}) == 1
        recording = tracer.born(told[-1])
        assert recording is not None
        assert tracer._cgroups.ids(told[0].slot) == [told[-1].id]
        assert (above.path / "new/one/leaf").stat().st_ino == told[-1].id
        tracer.stop(recording)
        tracer.give_back(recording)


def test_the_first_process(newborn: Callable[..., Newborn], births: Births) -> None:
    """The first process is number 1 of a pid namespace, not the first that enters; its exit code is the container's."""
    one = newborn(new_id())
    (birth,) = wait_for(births, 1)
    one.claim(birth)
    assert one.run("sh", "-c", "unshare --pid --fork sh -c 'echo $$; (exit 3); exit 7'; exit 4", status=4) == ["1"]
    headers = one.recording.ring.headers()
    assert (headers.exited, headers.exit_code) == (1, 7 << 8)


def test_a_first_process_that_executes_nothing(newborn: Callable[..., Newborn], births: Births) -> None:
    one = newborn(new_id())
    (birth,) = wait_for(births, 1)
    one.claim(birth)
    one.run("python3", "-c", FORKS_ONE)
    headers = one.recording.ring.headers()
    assert (headers.exited, headers.exit_code) == (1, 5 << 8)


FORKS_ONE = """
import ctypes, os
assert ctypes.CDLL(None, use_errno=True).unshare(0x20000000) == 0, os.strerror(ctypes.get_errno())
if not (pid := os.fork()):
    os._exit(5)
os.waitpid(pid, 0)
"""


def test_no_first_process_in_the_nodes_namespace(newborn: Callable[..., Newborn], births: Births) -> None:
    one = newborn(new_id())
    (birth,) = wait_for(births, 1)
    one.claim(birth)
    one.run("true")
    assert not one.recording.ring.headers().init_pid


@pytest.mark.parametrize(("statuses", "status"), [((0, 0, 5), 5), ((0, 7, 0), 7), ((0,), 0)])
def test_a_services_first_process(
    newborn: Callable[..., Newborn], births: Births, statuses: tuple[int, ...], status: int
) -> None:
    """systemd runs one command after the other in a service's cgroup: what matters is the first that fails."""
    one = newborn("tl-unit.service")
    (birth,) = wait_for(births, 1)
    one.claim(birth)
    for number in statuses:
        one.run("sh", "-c", f"exit {number}", status=number)
    headers = one.recording.ring.headers()
    assert (headers.exited, headers.exit_code) == (1, status << 8)


def test_a_service_has_one_first_process_at_a_time(
    tracer: Tracer, newborn: Callable[..., Newborn], births: Births
) -> None:
    """A service with commands without end takes one place of a table that all containers share, not one each."""
    one = newborn("tl-unit.service")
    (birth,) = wait_for(births, 1)
    one.claim(birth)
    for _ in range(3):
        one.run("true")
        firsts = [key for key, slot in tracer._cgroups._all() if slot == birth.slot and key >= layout.FIRST_PROCESS]
        assert firsts == [layout.FIRST_PROCESS | one.recording.ring.headers().init_pid]


def test_users_make_no_births(newborn: Callable[..., Newborn], births: Births) -> None:
    with Cgroup() as delegated:
        os.chown(delegated.path, 65534, 65534)
        words = ["setpriv", "--reuid=65534", "--clear-groups", "mkdir", str(delegated.path / new_id())]
        delegated.run(*words)
        last = newborn("tl-unit.service")
        (birth,) = wait_for(births, 1)
        last.claim(birth)


def test_an_empty_stock_is_told_and_refilled() -> None:
    """Two rings are in stock and the pool is held up: the third birth has none, and is told and counted."""
    with closing(Tracer.load(Plan(pool_size=2))) as tracer, recognised(tracer, SHAPES) as births, ExitStack() as stack:
        tracer.pool.wait_idle()
        with tracer.pool._changed:  # the pool's thread cannot refill
            three = [stack.enter_context(Newborn(tracer, new_id())) for _ in range(3)]
            told = wait_for(births, 3)
        assert [bool(birth.slot) for birth in told] == [True, True, False]
        assert births.counts() == (1, 0)
        tracer.pool.refill()
        tracer.pool.wait_idle()
        assert tracer.pool.usage().in_stock == 2
        for one, birth in zip(three[:2], told[:2], strict=True):
            one.claim(birth)
        assert tracer.born(told[2]) is None


def test_no_reader_of_events() -> None:
    """Births that cannot be told, as nobody reads the events, take no ring and are counted."""
    with closing(Tracer.load(Plan(pool_size=1))) as tracer, recognised(tracer, SHAPES) as births:
        tracer.pool.wait_idle()
        for _ in range(600):
            with Newborn(tracer, new_id()):
                pass
        missed, untold = births.counts()
        assert untold > 0
        assert missed + untold == 599
        told = births.read()
        assert [bool(birth.slot) for birth in told] == [True] + [False] * missed


def begin_from_outside(cgroup: Path) -> None:
    """Moves a process into a cgroup as a runtime does, which then executes a program."""
    with subprocess.Popen(["sh", "-c", "read line; exec true"], stdin=subprocess.PIPE) as process:
        (cgroup / "cgroup.procs").write_text(str(process.pid))
        process.communicate(b"\n")


def test_entries_that_cannot_be_told() -> None:
    """A program that begins while the events are full is counted: what its standard streams are is known to nobody."""
    with closing(Tracer.load(Plan(pool_size=1))) as tracer, recognised(tracer, SHAPES) as births, ExitStack() as stack:
        tracer.pool.wait_idle()
        one = stack.enter_context(Newborn(tracer, new_id()))
        (birth,) = wait_for(births, 1)
        one.claim(birth)
        while not births.counts()[1]:
            with Newborn(tracer, new_id()):
                pass
        begun = 0
        while tracer.losses() == Losses():  # one of these is smaller than a birth
            assert begun < BIRTH.size // ENTRY.size + 1
            begin_from_outside(one.path)
            begun += 1
        assert tracer.losses() == Losses(entry=1)


def test_withheld_until_it_is_known() -> None:
    everything = layout.CLASS_ANY
    plan = Plan(pool_size=1, withheld_at_birth=everything)
    with closing(Tracer.load(plan)) as tracer, recognised(tracer, SHAPES) as births:
        tracer.pool.wait_idle()
        with Newborn(tracer, new_id()) as one:
            (birth,) = wait_for(births, 1)
            one.claim(birth)
            one.run("cat", "/no/before", status=1)
            one.recording.ring.set_withheld(0)
            one.run("cat", "/no/after", status=1)
            shown = [item.data for call in one.calls("openat") for item in call.args[1].items]
            assert b"/no/after" in shown
            assert b"/no/before" not in shown
        tracer.pool.wait_idle()
        with Cgroup() as other:
            recording = tracer.record([other.id])
            other.run("cat", "/no/hook", status=1)
            assert b"/no/hook" in recording.ring.snapshot(recording.started_ns).data
            tracer.stop(recording)
            tracer.give_back(recording)


def test_a_recording_begins_again_in_an_empty_ring(
    newborn: Callable[..., Newborn], tracer: Tracer, births: Births
) -> None:
    """The former ring leaves nothing behind; cgroups below and the first process are kept."""
    one = newborn(new_id())
    (birth,) = wait_for(births, 1)
    one.claim(birth)
    (one.path / "below").mkdir()
    one.run("cat", "/no/before", status=1)
    former = one.recording.slot.number
    one.recording = tracer.begin_again(one.recording, one.id, layout.CLASS_PAYLOAD)
    assert one.recording.slot.number != former
    assert tracer._cgroups.ids(former) == []
    assert len(tracer._cgroups.ids(one.recording.slot.number)) == 2
    one.run("sh", "-c", "unshare --pid --fork sh -c 'echo payload; cat /no/after; exit 7'; exit 0")
    data = one.snapshot().data
    assert b"/no/after" in data
    assert b"/no/before" not in data
    assert b"payload\n" not in data
    headers = one.recording.ring.headers()
    assert (headers.exited, headers.exit_code) == (1, 7 << 8)


def test_an_old_event_finds_no_ring(tracer: Tracer, newborn: Callable[..., Newborn], births: Births) -> None:
    one = newborn(new_id())
    (birth,) = wait_for(births, 1)
    one.claim(birth)
    assert tracer.born(birth) is None
    one.give_back()
    tracer.pool.wait_idle()
    assert tracer.born(birth) is None


def test_events_are_read_again_until_they_are_settled(newborn: Callable[..., Newborn], births: Births) -> None:
    two = [newborn(new_id()), newborn(new_id())]
    read: list[Birth] = []
    while len(read) < 2:
        read += births.read()
    births.settle(read[1].until)
    births.again()
    assert births.read() == read
    births.settle(read[1].until)
    births.settle(read[0].until)
    births.again()
    assert births.read() == []
    for one, birth in zip(two, read, strict=True):
        one.claim(birth)
