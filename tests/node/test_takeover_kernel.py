# SPDX-License-Identifier: Apache-2.0
"""One daemon's recorder after another over the same rings: what ended in between, and what was only half done."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from recorder import TIMEOUT_S, Cgroup, cgroup2_mount

from traceloop_bpf.loader import BELOW
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Recording, Tracer
from traceloop_daemon.archive.directory import Changes, FileArchive
from traceloop_daemon.archive.retention import Limits
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording import recordings
from traceloop_daemon.recording.feed import Feed
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.registration import Target
from traceloop_daemon.recording.registry import State, Trace
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.registering.targets import Targets
from traceloop_daemon.service.recorder import Recorder
from traceloop_daemon.settings.keys import Config
from traceloop_daemon.system.file_readers import FileReaders
from traceloop_daemon.system.loop import Loop
from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo, unpack
from traceloop_decode.open_files import OpenFiles

pytestmark = pytest.mark.kernel

NOBODYS_SLOT = 3000


class Node:
    """A recorder in the kernel, an archive and a runtime directory, which daemons come and go over."""

    def __init__(self, tracer: Tracer, directory: Path, limits: Limits) -> None:
        self.tracer, self._directory, self._limits = tracer, directory, limits
        self._recordings: dict[int, Recording] = {}

    @contextmanager
    def daemon(self) -> Iterator[Recorder]:
        """From its start to its stop, after which another follows. Its loop does not turn: nothing ends by itself."""
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
            recorder = Recorder(
                *(loop, self.tracer, archive, Config(), mount),
                live=live,
                outlived=True,
                redactor=Redactor(),
                tally=Tally(),
                feed=Feed(),
                readers=readers,
            )
            stack.callback(recorder.close)
            recorder.take_over([(trace, self._recordings.get(trace.slot)) for trace in live.read()])
            yield recorder
            self._recordings = {
                trace.recording.slot.number: trace.recording for trace in recorder.list() if trace.recording
            }

    def add(self, recorder: Recorder, cgroup: Path) -> Trace:
        mount = cgroup2_mount()
        assert mount is not None
        return recorder.registrar.add(Targets(mount).cgroup(str(cgroup), ""))

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


def states(recorder: Recorder) -> dict[str, State]:
    return {trace.id: trace.state for trace in recorder.list()}


def kept(recorder: Recorder) -> None:
    """Until the archiver has done all that it was told before."""
    done = threading.Event()
    recorder._archiver._work.put(done.set)
    assert done.wait(TIMEOUT_S)


def test_what_is_about_to_be_kept_does_not_go_for_what_was_kept_of_it_before(node) -> None:
    """A trace that a daemon kept when it stopped, and that ended since, is the newest, not the oldest."""
    one = node(Limits(max_traces=1))
    with Cgroup() as first, Cgroup() as second:
        with one.daemon() as recorder:
            older = one.add(recorder, first.path).id
        with one.daemon() as recorder:
            newer = one.add(recorder, second.path).id
            held = threading.Event()
            recorder._archiver._work.put(held.wait)  # the archiver is busy when both end
            for trace_id in (newer, older):
                recorder._recordings.end(recorder.get(trace_id), "the test says so")
            held.set()
            kept(recorder)
            assert states(recorder) == {older: State.ARCHIVED}
            assert recorder.snapshot(older, lambda: True)


def test_another_cgroup_of_the_same_path_is_another_container(node) -> None:
    one = node()
    with Cgroup() as cgroup:
        with one.daemon() as recorder:
            former = one.add(recorder, cgroup.path).id
        cgroup.path.rmdir()
        cgroup.path.mkdir()
        with one.daemon() as recorder:
            assert not one.tracer.is_recorded(cgroup.path.stat().st_ino)
            again = one.add(recorder, cgroup.path).id
            kept(recorder)
            assert states(recorder) == {former: State.ARCHIVED, again: State.RECORDING}


def test_a_cgroup_of_the_same_path_that_is_recorded_as_another(node) -> None:
    """It came before the first one's end was noticed: the daemon that follows knows the one from the other."""
    one = node()
    with Cgroup() as cgroup:
        with one.daemon() as recorder:
            former = one.add(recorder, cgroup.path).id
            cgroup.path.rmdir()
            cgroup.path.mkdir()
            again = one.add(recorder, cgroup.path).id
        (cgroup.path / "child").mkdir()
        with one.daemon() as recorder:
            kept(recorder)
            assert states(recorder) == {former: State.ARCHIVED, again: State.RECORDING}


def test_a_container_that_fills_the_table_of_cgroups_does_not_stop_the_next_daemon(node, caplog) -> None:
    one = node()
    with Cgroup() as cgroup:
        with one.daemon() as recorder:
            trace_id = one.add(recorder, cgroup.path).id
        table = one.tracer._cgroups
        slots = range(NOBODYS_SLOT, NOBODYS_SLOT + BELOW // layout.BELOW_SHARE + 2)
        try:
            for slot in slots:
                table.add_below(range(slot << 40, (slot << 40) + layout.BELOW_SHARE), slot)
            (cgroup.path / "child").mkdir()
            with one.daemon() as recorder:
                assert states(recorder) == {trace_id: State.RECORDING}
                assert recorder.get(trace_id).recording.ring.headers().unrecorded.cgroups == 1
            assert f"{trace_id} is recorded only in part: without 1 cgroups below its own" in caplog.text
        finally:
            for slot in slots:
                table.sweep(slot)


def test_a_fault_of_the_archivers_costs_no_other_trace(node, caplog, monkeypatch) -> None:
    one = node()
    with Cgroup() as first, Cgroup() as second, one.daemon() as recorder:
        met, other = (one.add(recorder, cgroup.path).id for cgroup in (first, second))
        put = recorder._archive.put

        def faulty(info: TraceInfo, *rest: Any) -> Changes:
            if info.trace_id == met:
                raise ValueError("what no one thought of")
            return put(info, *rest)

        monkeypatch.setattr(recorder._archive, "put", faulty)
        for trace_id in (met, other):
            recorder._recordings.end(recorder.get(trace_id), "the test says so")
        kept(recorder)
        assert states(recorder) == {met: State.FROZEN, other: State.ARCHIVED}
        assert "please report it" in caplog.text
        assert recorder.snapshot(met, lambda: True)  # it is there still, and the next daemon tries again
    monkeypatch.undo()
    with one.daemon() as recorder:
        kept(recorder)
        assert states(recorder) == {met: State.ARCHIVED, other: State.ARCHIVED}


def test_secrets_in_labels_are_blotted_out_wherever_they_go(node, tmp_path) -> None:
    one = node()
    labels = Labels.of({"app.db-password": "hunter2", "route": "http://me:hunter2@db/x", "tier": "web"})
    wanted = Labels.of({"app.db-password": "*******", "route": "http://me:*******@db/x", "tier": "web"})
    with Cgroup() as cgroup, one.daemon() as recorder:
        trace = recorder.registrar.add(Target(f"/{cgroup.path.name}", Names("web", labels=labels)))
        assert recorder.get(trace.id).names.labels == wanted
        assert all(b"hunter2" not in file.read_bytes() for file in (tmp_path / "live").iterdir())
        recorder._recordings.end(trace, "the test says so")
        kept(recorder)
        assert all(b"hunter2" not in file.read_bytes() for file in (tmp_path / "state").iterdir())
        info, _ = unpack(recorder.dump(trace.id, lambda: True))
        assert info.labels == dict(wanted.pairs)


def test_a_recording_begins_though_no_descriptors_are_left_to_look_at_files(node, caplog, monkeypatch) -> None:
    def fails(cgroup: Path) -> OpenFiles:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(recordings, "read_open_files", fails)
    one = node()
    with Cgroup() as cgroup, one.daemon() as recorder:
        trace = one.add(recorder, cgroup.path)
        assert states(recorder) == {trace.id: State.RECORDING}
        assert "Too many open files" in caplog.text
        assert recorder.snapshot(trace.id, lambda: True)
