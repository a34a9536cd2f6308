# SPDX-License-Identifier: Apache-2.0
"""The calls of a container's runtime, at its start and at each exec: kept apart, so that they do not spend the ring."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root
from recorded_cgroups import Container, Workloads, entered

from traceloop_bpf import bpfcalls
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.archive_file import unpack
from traceloop_decode.areas import RUNTIME
from traceloop_decode.events import RING, events
from traceloop_decode.model import Call, Entered, Event, Returned
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import abis

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]


NO_PROCESS, RUNTIMES = 1 << 22, 1024
"""A number that no process has (PID_MAX_LIMIT), and how many places there are."""
LEFT = {"execve", "futex"}
"""The calls of a runtime that are in the ring: the one that ends it, and what its other threads were blocked in then."""


class Node:
    """A daemon, runc, and a busybox root."""

    def __init__(self, directory: Path, daemon: Daemon, runc: Runc) -> None:
        self.directory, self.daemon, self.runc = directory, daemon, runc
        self.root = make_root(directory / "root")

    def bundle(self, name: str, *args: str) -> Path:
        return make_bundle(self.directory / name, self.root, args, hooks=hooks(self.daemon.hook_socket))

    def events(self, trace: str, *sources: str) -> list[Event]:
        return list(events(self.snapshot(trace), sources))

    def snapshot(self, trace: str) -> Snapshot:
        file = self.directory / f"{trace}.trace"
        self.daemon.ctl("dump", trace, "--file", str(file), "--force")
        return Snapshot.decode(unpack(file.read_bytes())[1])


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    directory = tmp_path_factory.mktemp("apart")
    with Daemon(config='node = "n"\n') as daemon, Runc(directory / "runc") as runc:
        yield Node(directory, daemon, runc)


def calls(found: list[Event]) -> list[Call]:
    return [
        event if isinstance(event, Call) else event.call
        for event in found
        if isinstance(event, (Call, Entered, Returned))
    ]


def test_the_start_is_apart(node: Node) -> None:
    node.runc.run(node.bundle("start", "/bin/true"), "start")
    node.daemon.wait_for_log(lambda line: "frozen n_start " in line)
    own, runtimes = calls(node.events("n_start", RING)), calls(node.events("n_start", RUNTIME))
    assert {call.name for call in own if call.comm.startswith("runc")} <= LEFT
    assert any((call.name, call.result, call.entry_lost) == ("execve", 0, False) for call in own)
    assert len(runtimes) > 50
    assert {call.source for call in runtimes} == {RUNTIME}
    assert all(call.comm.startswith("runc") for call in runtimes)
    assert max(call.ts_ns for call in runtimes) < own[0].ts_ns + 1_000_000_000


def test_the_start_is_not_counted(node: Node) -> None:
    """Neither are the calls in which the runtime's threads are when the hook registers them, and which return later."""
    node.runc.run(node.bundle("counted", "/bin/true"), "counted")
    node.daemon.wait_for_log(lambda line: "frozen n_counted " in line)
    snapshot = node.snapshot("n_counted")
    assert snapshot.totals is not None
    counted = {
        name: total.calls for _, name, _, total in snapshot.totals.named(*abis(snapshot.arch, snapshot.syscalls))
    }
    assert counted == Counter(call.name for call in entered(events(snapshot, (RING,))))


def test_each_exec_is_apart(node: Node) -> None:
    with node.runc.start(node.bundle("probed", "/bin/sleep", "600"), "probed"):
        try:
            node.daemon.wait_for_log(lambda line: "recording n_probed" in line)
            wait_until_it_sleeps(node)
            before = len(node.events("n_probed", RING))
            for _ in range(3):
                assert node.runc("exec", "probed", "/bin/test", "-e", "/bin/sh").returncode == 0
            found = calls(node.events("n_probed", RING))
        finally:
            node.runc("kill", "probed", "KILL")
    probes = [call for call in found if call.name == "execve" and call.result == 0][1:]
    assert len(probes) == 3
    # The kernel tells of a move once it is done, and runc's process runs meanwhile: it makes some 300 calls in all.
    assert len([call for call in found if call.comm.startswith("runc") and call.name not in LEFT]) < 3 * 30
    assert len(found) - before < 3 * 60  # the probe's own calls


def wait_until_it_sleeps(node: Node) -> None:
    """Waits until the container's program is blocked in its call, by what is recorded."""
    until = time.monotonic() + 60
    while not any(call.name.endswith("nanosleep") for call in calls(node.events("n_probed", RING))):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_who_moves_itself_is_no_runtime(container: Container, workload: Workloads) -> None:
    container.recording.ring.set_apart(layout.APART_AREA, 0)
    container.run("cat", "/no/such", status=1)
    assert any(call.name == "openat" and call.result == -2 for call in calls(container.events()))
    assert calls(list(events(container.snapshot(), [RUNTIME]))) == []


def test_who_is_brought_in_during_its_execve_is_not_the_program(container: Container, workload: Workloads) -> None:
    """runc's parent may move its next stage before the execve that begins it has returned."""
    container.recording.ring.set_apart(layout.APART_AREA, 0)
    procs = container.path / "cgroup.procs"
    subprocess.run([workload("moved_in_execve"), procs, "/bin/cat", "/no/such"], check=False, stderr=subprocess.DEVNULL)
    own, runtimes = (calls(list(events(container.snapshot(), [source]))) for source in (RING, RUNTIME))
    assert not [call for call in own if call.name == "chdir"]
    assert len([call for call in runtimes if call.name == "chdir"]) == 2
    assert any((call.name, call.result) == ("openat", -2) for call in own)


@pytest.mark.parametrize(
    ("way", "source"), [((), RUNTIME), (("detached",), RUNTIME), (("pids",), RING), (("mounts",), RING)]
)
def test_a_file_in_memory_is_the_runtime_s_until_it_is_in_the_container(
    way: tuple[str, ...], source: str, container: Container, workload: Workloads
) -> None:
    """An image can name its runtime's copy, as /proc/self/exe, and hand it libraries of its own."""
    container.recording.ring.set_apart(layout.APART_AREA, 0)
    procs = container.path / "cgroup.procs"
    subprocess.run([workload("file_in_memory"), procs, *way], check=True)
    found = calls(list(events(container.snapshot(), [RING, RUNTIME])))
    assert [call.source for call in found if call.name == "chdir"] == [source] * 2


def test_the_end_of_a_runtime_s_process_that_is_not_recorded_any_more(container: Container) -> None:
    """Such as that of a pod's sandbox, whose ring is given back while its runtime sets it up."""
    container.recording.ring.set_apart(layout.APART_AREA, 0)
    with subprocess.Popen(["sleep", "600"]) as process:
        (container.path / "cgroup.procs").write_text(str(process.pid))
        runtimes, key = container.recording.tracer._programs.maps["runtimes"], process.pid.to_bytes(4, "little")
        assert bpfcalls.lookup(runtimes, key, 4) is not None
        container.give_back()
        process.kill()
    assert bpfcalls.lookup(runtimes, key, 4) is None


def test_a_runtime_s_process_without_a_place(container: Container, tracer: Tracer) -> None:
    """A process that comes when a thousand are in containers at once is recorded as the container's own, and counted."""
    container.recording.ring.set_apart(layout.APART_AREA, 0)
    runtimes, before = tracer._programs.maps["runtimes"], tracer.losses()
    keys = [(NO_PROCESS + n).to_bytes(4, "little") for n in range(RUNTIMES)]
    with ExitStack() as stack:
        for key in keys:
            bpfcalls.update(runtimes, key, bytes(4))
            stack.callback(bpfcalls.delete, runtimes, key)
        with subprocess.Popen(["sh", "-c", "read line; cat /no/such"], stdin=subprocess.PIPE) as process:
            (container.path / "cgroup.procs").write_text(str(process.pid))
            process.communicate(b"\n")
    assert tracer.losses() == before._replace(runtime=before.runtime + 1)
    assert any(
        call.name == "openat" and call.result == -2 for call in calls(list(events(container.snapshot(), [RING])))
    )
