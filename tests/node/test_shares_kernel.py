# SPDX-License-Identifier: Apache-2.0
"""A container can use up only its own share of the recorder's tables, and everything without a place is counted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_cgroups import TIMEOUT_S, Cgroup, Container, Workloads, text

from traceloop_bpf.loader import BELOW
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout

pytestmark = pytest.mark.kernel

THREADS = 4300  # more than the whole node had places for when all containers shared them
FIRST_UNUSED_SLOT = 3000
READ_AND_ENTER = 'echo $$ > "$0" && cat "/no/$1"'


def wait_for_blocked(container: Container) -> None:
    """Waits until each of THREADS has found a place, or none."""
    end = time.monotonic() + TIMEOUT_S
    while True:
        found = layout.RING.unpack_from(container.snapshot().headers[-1])
        forgotten, retries = found[6], found[12]
        if forgotten + retries >= THREADS:
            return
        assert time.monotonic() < end, (forgotten, retries)
        os.sched_yield()


def test_calls_to_be_read_again(container: Container, tracer: Tracer, workload: Workloads, tmp_path: Path) -> None:
    """Thousands of calls that block with an unreadable address take no places of other containers."""
    names = bytearray(12288)
    for at, name in ((0, b"/cold/one"), (4096, b"/cold/two"), (8184, b"/cold/across")):
        names[at : at + len(name)] = name
    file = tmp_path / "names"
    file.write_bytes(names)
    with container.start(workload("blocked_writes"), str(THREADS)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"blocked\n"
        wait_for_blocked(container)
        with Container(tracer) as other:
            other.run(workload("strings"), str(file))
            cold = other.workload_calls()["access"]
            assert [text(call, 0) for call in cold] == [b"/cold/one", b"/cold/two", *[b"/cold/across"] * 2]
            assert other.recording.ring.headers().unrecorded.rereads == 0
        assert container.recording.ring.headers().unrecorded.rereads >= THREADS - layout.RETRIES
        process.communicate(b"\n", timeout=TIMEOUT_S)
    container.wait_empty()
    assert layout.RING.unpack_from(container.snapshot().headers[-1])[12] == 0  # all that ended gave their places back
    assert container.recording.ring.headers().unrecorded.rereads < THREADS + 100


def opened(container: Container) -> list[bytes]:
    """Returns the files below /no that the container's programs tried to open."""
    return [path for call in container.calls("openat") if (path := text(call, 1)).startswith(b"/no/")]


def enter_and_read(container: Container, directory: Path, name: str) -> bool:
    """Returns whether an open by a program in this cgroup is recorded."""
    container.run("sh", "-c", READ_AND_ENTER, str(directory / "cgroup.procs"), name, status=1)
    return f"/no/{name}".encode() in opened(container)


def test_cgroups_below_a_container(container: Container, tracer: Tracer) -> None:
    """Cgroups beyond a container's share are counted, not recorded; all other cgroups still are."""
    directories = [container.path / f"c{n}" for n in range(layout.BELOW_SHARE + 10)]
    for directory in directories:
        directory.mkdir()
    assert container.recording.ring.headers().unrecorded.cgroups == 10
    assert enter_and_read(container, directories[layout.BELOW_SHARE - 1], "last")
    assert not enter_and_read(container, directories[layout.BELOW_SHARE], "beyond")
    with Container(tracer) as other:
        (other.path / "child").mkdir()
        assert enter_and_read(other, other.path / "child", "child")
        assert other.recording.ring.headers().unrecorded.cgroups == 0
    for directory in directories[:20]:
        directory.rmdir()
    (container.path / "again").mkdir()
    assert container.recording.ring.headers().unrecorded.cgroups == 10
    assert enter_and_read(container, container.path / "again", "again")


@pytest.fixture
def full_table(tracer: Tracer) -> Iterator[None]:
    """Fills the table of cgroups below containers."""
    table, slots = tracer._cgroups, range(FIRST_UNUSED_SLOT, FIRST_UNUSED_SLOT + BELOW // layout.BELOW_SHARE + 2)
    left_out = 0
    try:
        for slot in slots:
            left_out += table.add_below(range(slot << 40, (slot << 40) + layout.BELOW_SHARE), slot)
        assert left_out
        yield
    finally:
        for slot in slots:
            table.sweep(slot)


@pytest.mark.usefixtures("full_table")
def test_a_full_table_of_cgroups(tracer: Tracer) -> None:
    """Containers are still recorded with a full table, except for the cgroups below theirs, which are counted."""
    with Cgroup() as cgroup:
        before, after = cgroup.path / "before", cgroup.path / "after"
        before.mkdir()
        with Container(tracer) as container:
            container.run("cat", "/no/own", status=1)
            assert opened(container) == [b"/no/own"]
        recording = tracer.record([cgroup.id, before.stat().st_ino])
        try:
            assert recording.ring.headers().unrecorded.cgroups == 1
            after.mkdir()
            assert recording.ring.headers().unrecorded.cgroups == 2
        finally:
            tracer.stop(recording)
            tracer.give_back(recording)


def test_threaded_cgroups(container: Container) -> None:
    """A thread in a cgroup of its own, below its process's, is recorded."""
    (container.path / "threads").mkdir()
    (container.path / "threads/cgroup.type").write_text("threaded")
    script = 'echo $$ > "$0/threads/cgroup.threads" && cat /no/threaded'
    container.run("sh", "-c", script, str(container.path), status=1)
    assert opened(container) == [b"/no/threaded"]


def test_a_process_that_is_born_in_a_cgroup_below(container: Container, workload: Workloads) -> None:
    """A process born in a cgroup by CLONE_INTO_CGROUP is recorded: it was never elsewhere, and no move announces it."""
    (container.path / "below").mkdir()
    container.run(workload("clone_into"), str(container.path / "below"), "/no/born")
    assert [path for call in container.calls("open") if (path := text(call, 0)).startswith(b"/no/")] == [b"/no/born"]


def test_a_cgroup_of_the_same_path_is_another(container: Container) -> None:
    """A new cgroup is not recorded into the ring of a removed one: ids of cgroups are not reused."""
    with Cgroup() as neighbour:
        for n in range(50):
            (container.path / "reused").mkdir()
            (container.path / "reused").rmdir()
            (neighbour.path / "reused").mkdir()
            neighbour.run("sh", "-c", READ_AND_ENTER, str(neighbour.path / "reused/cgroup.procs"), str(n), status=1)
            neighbour.wait_empty()
            (neighbour.path / "reused").rmdir()
    assert not container.calls("openat")
