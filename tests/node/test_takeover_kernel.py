# SPDX-License-Identifier: Apache-2.0
"""Successive daemons over the same rings: containers that ended in between, and work left half done."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from recorded_cgroups import TIMEOUT_S, Cgroup, cgroup2_mount

from traceloop_bpf.loader import BELOW
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Recording, Tracer
from traceloop_daemon.archive.archiver import Archiver
from traceloop_daemon.archive.directory import Changes, FileArchive
from traceloop_daemon.archive.retention import Limits
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names, Registration
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording import recordings as recordings_module
from traceloop_daemon.recording.feed import Feed
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.snapshots import Snapshots
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.recording.trace import State, TraceView, names_of
from traceloop_daemon.recording.traces import Traces
from traceloop_daemon.registering.policy import RECORD
from traceloop_daemon.registering.registrar import Registrar
from traceloop_daemon.registering.targets import Targets
from traceloop_daemon.service.queries import Queries
from traceloop_daemon.settings.keys import Config
from traceloop_daemon.succession.take_over import take_over
from traceloop_daemon.system.file_readers import FileReaders
from traceloop_daemon.system.loop import Loop
from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo, unpack
from traceloop_decode.open_files import OpenFiles

pytestmark = pytest.mark.kernel

NOBODYS_SLOT = 3000


@dataclass(frozen=True)
class Daemon:
    """The parts of a daemon that have to do with traces, put together as `main` does."""

    archive: FileArchive
    traces: Traces
    archiver: Archiver
    recordings: Recordings
    registrar: Registrar
    queries: Queries

    def end(self, trace_id: str) -> None:
        with self.traces.locked() as registry:
            self.recordings.end(registry.find(trace_id), "the test says so")

    def recording(self, trace_id: str) -> Recording:
        with self.traces.locked() as registry:
            recording = registry.find(trace_id).recording
        assert recording is not None
        return recording


class Node:
    """A recorder in the kernel, an archive and a runtime directory, which successive daemons use."""

    def __init__(self, tracer: Tracer, directory: Path, limits: Limits) -> None:
        self.tracer, self._directory, self._limits = tracer, directory, limits
        self._recordings: dict[int, Recording] = {}

    @contextmanager
    def daemon(self) -> Iterator[Daemon]:
        """Runs a daemon from start to stop; another may follow. Its loop does not run, so nothing ends by itself."""
        mount = cgroup2_mount()
        assert mount is not None
        with ExitStack() as stack:
            loop = Loop()
            stack.callback(loop.close)
            readers = FileReaders(loop)
            stack.callback(readers.close)
            archive = FileArchive(self._directory / "state", self._limits)
            stack.callback(archive.close)
            live = LiveTraces(self._directory / "live")
            config, tally, feed, redactor = Config(), Tally(), Feed(), Redactor()
            traces, snapshots = Traces(config.node_name, live), Snapshots(redactor, {})
            stack.callback(snapshots.close)
            archiver = Archiver(archive, traces, snapshots, tally=tally, feed=feed, archived=lambda _: None)
            stack.callback(archiver.close)
            recordings = Recordings(
                *(loop, self.tracer, mount, traces),
                redactor=redactor,
                feed=feed,
                frozen=archiver.keep,
                reason_follows=lambda _: False,
            )
            stack.callback(archiver.keep_unfinished)
            stack.callback(recordings.stop, outlived=True)
            left = [(trace, self._recordings.get(trace.slot)) for trace in live.read()]
            take_over(left, archive, traces, recordings, tally)
            archiver.tend()
            registrar = Registrar(traces, recordings, config, tally, forget_file=archiver.forget_file, readers=readers)
            yield Daemon(archive, traces, archiver, recordings, registrar, Queries(archive, traces, snapshots))
            with traces.locked() as registry:
                recordings_left = [trace.recording for trace in registry if trace.recording is not None]
            self._recordings = {recording.slot.number: recording for recording in recordings_left}

    def add(self, daemon: Daemon, cgroup: Path) -> TraceView:
        mount = cgroup2_mount()
        assert mount is not None
        return daemon.registrar.add(Targets(mount).cgroup(str(cgroup), ""))

    def give_back(self) -> None:
        for recording in self._recordings.values():
            self.tracer.stop(recording)
            self.tracer.give_back(recording)


@pytest.fixture(scope="module")
def own_tracer() -> Iterator[Tracer]:
    tracer = Tracer.load(Plan(ring_size=64 << 10, pool_size=2))
    yield tracer
    tracer.close()


@pytest.fixture
def node(own_tracer: Tracer, tmp_path: Path) -> Iterator[Callable[..., Node]]:
    nodes = []

    def make(limits: Limits | None = None) -> Node:
        nodes.append(Node(own_tracer, tmp_path, limits or Limits()))
        return nodes[-1]

    yield make
    for one in nodes:
        one.give_back()


def states(daemon: Daemon) -> dict[str, State]:
    return {trace.id: trace.state for trace in daemon.queries.list()}


def kept(daemon: Daemon) -> None:
    """Waits until the archiver has done all earlier work."""
    done = threading.Event()
    daemon.archiver._work.put(done.set)
    assert done.wait(TIMEOUT_S)


def test_what_is_about_to_be_kept_does_not_go_for_what_was_kept_of_it_before(node) -> None:
    """A trace archived when a daemon stopped, which has ended since, counts as the newest, not the oldest."""
    one = node(Limits(max_traces=1))
    with Cgroup() as first, Cgroup() as second:
        with one.daemon() as daemon:
            older = one.add(daemon, first.path).id
        with one.daemon() as daemon:
            newer = one.add(daemon, second.path).id
            held = threading.Event()
            daemon.archiver._work.put(held.wait)  # the archiver is busy when both end
            for trace_id in (newer, older):
                daemon.end(trace_id)
            held.set()
            kept(daemon)
            assert states(daemon) == {older: State.ARCHIVED}
            assert daemon.queries.snapshot(older, lambda: True)


def test_another_cgroup_of_the_same_path_is_another_container(node) -> None:
    one = node()
    with Cgroup() as cgroup:
        with one.daemon() as daemon:
            former = one.add(daemon, cgroup.path).id
        cgroup.path.rmdir()
        cgroup.path.mkdir()
        with one.daemon() as daemon:
            assert not one.tracer.is_recorded(cgroup.path.stat().st_ino)
            again = one.add(daemon, cgroup.path).id
            kept(daemon)
            assert states(daemon) == {former: State.ARCHIVED, again: State.RECORDING}


def test_a_cgroup_of_the_same_path_that_is_recorded_as_another(node) -> None:
    """The next daemon tells apart two cgroups of one path if the second came before the first one's end was noticed."""
    one = node()
    with Cgroup() as cgroup:
        with one.daemon() as daemon:
            former = one.add(daemon, cgroup.path).id
            cgroup.path.rmdir()
            cgroup.path.mkdir()
            again = one.add(daemon, cgroup.path).id
        (cgroup.path / "child").mkdir()
        with one.daemon() as daemon:
            kept(daemon)
            assert states(daemon) == {former: State.ARCHIVED, again: State.RECORDING}


def test_a_container_that_fills_the_table_of_cgroups_does_not_stop_the_next_daemon(node, caplog) -> None:
    one = node()
    with Cgroup() as cgroup:
        with one.daemon() as daemon:
            trace_id = one.add(daemon, cgroup.path).id
        table = one.tracer._cgroups
        slots = range(NOBODYS_SLOT, NOBODYS_SLOT + BELOW // layout.BELOW_SHARE + 2)
        try:
            for slot in slots:
                table.add_below(range(slot << 40, (slot << 40) + layout.BELOW_SHARE), slot)
            (cgroup.path / "child").mkdir()
            with one.daemon() as daemon:
                assert states(daemon) == {trace_id: State.RECORDING}
                assert daemon.recording(trace_id).ring.headers().unrecorded.cgroups == 1
            assert f"{trace_id} is recorded only in part: without 1 cgroups below its own" in caplog.text
        finally:
            for slot in slots:
                table.sweep(slot)


def test_a_fault_of_the_archivers_costs_no_other_trace(node, caplog, monkeypatch) -> None:
    one = node()
    with Cgroup() as first, Cgroup() as second, one.daemon() as daemon:
        met, other = (one.add(daemon, cgroup.path).id for cgroup in (first, second))
        put = daemon.archive.put

        def faulty(info: TraceInfo, *rest: Any) -> Changes:
            if info.trace_id == met:
                raise ValueError("what no one thought of")
            return put(info, *rest)

        monkeypatch.setattr(daemon.archive, "put", faulty)
        for trace_id in (met, other):
            daemon.end(trace_id)
        kept(daemon)
        assert states(daemon) == {met: State.FROZEN, other: State.ARCHIVED}
        assert "please report it" in caplog.text
        assert daemon.queries.snapshot(met, lambda: True)  # still there, and the next daemon tries again
    monkeypatch.undo()
    with one.daemon() as daemon:
        kept(daemon)
        assert states(daemon) == {met: State.ARCHIVED, other: State.ARCHIVED}


def test_who_is_excluded_later_waits_for_no_disk(node) -> None:
    """A registration that excludes a container which is being recorded ends that at once; its file goes when it can."""
    one = node()
    with Cgroup() as cgroup:
        with one.daemon() as daemon:
            told = Registration(Names("web"), container_id="c" * 64, cgroup=f"/{cgroup.path.name}")
            daemon.registrar.add(told)
        with one.daemon() as daemon:
            kept(daemon)
            assert [*daemon.archive.directory.glob("*.trace")] != []  # of when the first daemon stopped
            hangs, done = threading.Event(), threading.Event()

            def write_for_long() -> None:
                with daemon.archive._writing:
                    hangs.set()
                    assert done.wait(TIMEOUT_S)

            disk = threading.Thread(target=write_for_long)
            disk.start()
            assert hangs.wait(TIMEOUT_S)
            daemon.registrar.register(replace(told, annotations={RECORD: "false"}))
            assert not one.tracer.is_recorded(cgroup.path.stat().st_ino)
            assert disk.is_alive()
            done.set()
            disk.join()
            kept(daemon)
            assert [*daemon.archive.directory.glob("*.trace")] == []
            assert states(daemon) == {}


def test_a_lost_file_of_a_trace_that_is_recorded_again_is_no_loss(node) -> None:
    one = node()
    with Cgroup() as cgroup, one.daemon() as daemon:
        trace_id = one.add(daemon, cgroup.path).id
        daemon.archiver._settle(Changes(written=(), gone=(), lost=(trace_id,)))
        assert states(daemon) == {trace_id: State.RECORDING}


def test_secrets_in_labels_are_blotted_out_wherever_they_go(node, tmp_path) -> None:
    one = node()
    labels = Labels.of({"app.db-password": "hunter2", "route": "http://me:hunter2@db/x", "tier": "web"})
    wanted = Labels.of({"app.db-password": "*******", "route": "http://me:*******@db/x", "tier": "web"})
    with Cgroup() as cgroup, one.daemon() as daemon:
        trace = daemon.registrar.add(Registration(Names("web", labels=labels), cgroup=f"/{cgroup.path.name}"))
        assert names_of(daemon.queries.get(trace.id)[0].facts).labels == wanted
        assert all(b"hunter2" not in file.read_bytes() for file in (tmp_path / "live").iterdir())
        daemon.end(trace.id)
        kept(daemon)
        assert all(b"hunter2" not in file.read_bytes() for file in (tmp_path / "state").iterdir())
        info, _ = unpack(daemon.queries.dump(trace.id, lambda: True))
        assert info.labels == dict(wanted.pairs)


def test_a_recording_begins_though_no_descriptors_are_left_to_look_at_files(node, caplog, monkeypatch) -> None:
    def fails(cgroup: Path) -> OpenFiles:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(recordings_module, "read_open_files", fails)
    one = node()
    with Cgroup() as cgroup, one.daemon() as daemon:
        trace = one.add(daemon, cgroup.path)
        assert states(daemon) == {trace.id: State.RECORDING}
        assert "Too many open files" in caplog.text
        assert daemon.queries.snapshot(trace.id, lambda: True)
