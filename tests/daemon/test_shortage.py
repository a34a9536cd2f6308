# SPDX-License-Identifier: Apache-2.0
"""The daemon without a free descriptor, or with a step that fails: it goes on, and tries again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from descriptors import no_descriptors

from traceloop_bpf import bpfcalls
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.naming.births import Recogniser
from traceloop_daemon.naming.names import Names, Registration
from traceloop_daemon.recording.ends import Ends, Watch
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.registering.running import Running
from traceloop_daemon.succession.adoption import Succession
from traceloop_daemon.succession.guard import Guard
from traceloop_daemon.system import textfile as textfile_module
from traceloop_daemon.system.file_readers import FileReaders
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.system.mending import Mender
from traceloop_daemon.system.systemd import ServiceManager
from traceloop_daemon.system.textfile import Textfile


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


class Traces:
    @contextmanager
    def locked(self) -> Iterator[None]:
        yield


def container(mount: Path, letter: str) -> Path:
    path = mount / (letter * 64)
    path.mkdir()
    (path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    return path


def test_it_is_no_broken_recorder() -> None:
    tracer = object.__new__(Tracer)
    tracer._programs = SimpleNamespace(trouble=lambda: str(bpfcalls.about(0)))  # type: ignore[assignment]
    with no_descriptors():
        assert not tracer.trouble()
    tracer._programs = SimpleNamespace(trouble=lambda: str(bpfcalls.about(1 << 20)))  # type: ignore[assignment]
    assert "closed" in tracer.trouble()


def test_a_check_of_the_recorder_that_fails_is_made_again(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    def trouble() -> str:
        looks.append(1)
        if len(looks) == 1:
            raise ValueError("what no one thought of")
        loop.stop()
        return ""

    tracer = SimpleNamespace(trouble=trouble, tidy=lambda: None)
    losses = SimpleNamespace(look=lambda _tracer: None)
    made: Any = Guard(loop, SimpleNamespace(tracer=tracer), None, SimpleNamespace(is_over=True), None, losses=losses)  # type: ignore[arg-type]
    made._look()
    loop.run()
    assert len(looks) >= 2
    assert "please report it" in caplog.text


def test_whose_files_a_process_from_outside_has_is_not_asked(caplog: pytest.LogCaptureFixture) -> None:
    recordings: Any = object.__new__(Recordings)
    recordings._traces, recordings.mount = Traces(), Path("/nowhere")
    trace: Any = SimpleNamespace(id="t", recording=SimpleNamespace(tracer=None))
    with no_descriptors():
        assert not recordings._is_in(trace, os.getpid())
    assert "Too many open files" in caplog.text


def test_a_first_process_that_left_is_looked_for_again(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    """The process is asked for once more, a second later."""
    looks: list[int] = []
    headers = SimpleNamespace(head=1, init_pid=os.getpid(), exited=False)
    ring = SimpleNamespace(headers=lambda: headers, is_service=lambda: False)
    trace: Any = SimpleNamespace(id="t", recording=SimpleNamespace(ring=ring))

    def left(_trace: object, _pid: int) -> tuple[str, Path | None]:
        looks.append(1)
        if len(looks) == 1:
            raise OSError(24, "Too many open files")
        loop.stop()
        return "/elsewhere", None

    ends = Ends(loop, Traces())  # type: ignore[arg-type]
    ends.begin(trace, Watch(-1, os.pidfd_open(os.getpid())), lambda _trace: None, left)
    ends._look(ends._watches["t"], "test")
    loop.run()
    ends.end(trace)
    assert len(looks) == 2
    assert "Too many open files" in caplog.text


def test_what_runs_already(loop: Loop, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A container about which something fails costs itself alone, and no cgroup costs the daemon."""
    told: list[str] = []

    class Failing(Recogniser):
        def find(self, birth: Any, started: Any = None) -> Registration | None:
            if birth.path.startswith("/a"):
                raise ValueError("what no one thought of")
            return super().find(birth, started)

    for letter in "ab":
        container(tmp_path, letter)
    readers = FileReaders(loop)
    recogniser = Failing(tmp_path, (), (), tmp_path)

    def register(one: Registration) -> None:
        told.append(one.container_id[:1])
        loop.stop()

    running = Running(loop, tmp_path, recogniser, readers, register)
    with no_descriptors():
        running.take_up()
    assert "cannot be listed: [Errno 24]" in caplog.text
    running.take_up()
    loop.run()
    readers.close()
    assert told == ["b"]
    assert "please report it" in caplog.text


def test_what_runs_already_is_looked_for_again(loop: Loop, tmp_path: Path) -> None:
    """The annotations of a container whose files do not answer at once may exclude it."""
    told: list[Registration] = []
    looks: list[int] = []

    class Slow(Recogniser):
        def find(self, *_: object) -> Registration | None:
            looks.append(1)
            found = Registration(Names("web"), {"io.traceloop.record": "false"})
            return found if len(looks) > 2 else None

    def register(one: Registration) -> None:
        told.append(one)
        loop.stop()

    container(tmp_path, "a")
    readers = FileReaders(loop)
    Running(loop, tmp_path, Slow(tmp_path, (), (), tmp_path), readers, register).take_up()
    loop.run()
    readers.close()
    assert [one.annotations for one in told] == [{"io.traceloop.record": "false"}]


def test_systemd_is_told_again_what_it_could_not_be_told(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping that waits for the half of the watchdog's time once more may come too late."""
    manager, told = ServiceManager(), []
    manager._told, manager.watchdog_s = True, 1.6

    def notify(*states: str) -> None:
        told.append((time.monotonic(), states))
        if len(told) == 2:
            raise OSError(24, "Too many open files")
        if len(told) == 4:
            loop.stop()

    monkeypatch.setattr(manager, "notify", notify)
    texts = iter(["recording 0", "recording 1", "recording 1", "recording 1"])
    manager.ready(loop, lambda: next(texts, "recording 1"))
    loop.run()
    (_, ready), (_, changed), (_, again), (_, _) = told
    assert ready == ("READY=1", "STATUS=recording 0")
    assert changed == again[: len(changed)] == ("STATUS=recording 1",)
    failed_s = []

    def fail(*states: str) -> None:
        if "WATCHDOG=1" in states:
            failed_s.append(time.monotonic())
            if len(failed_s) == 2:
                loop.stop()
            raise OSError(24, "Too many open files")

    monkeypatch.setattr(manager, "notify", fail)
    loop.run()
    assert failed_s[1] - failed_s[0] < 1.6 / 2


def test_an_interval_longer_than_a_thread_can_wait_leaves_the_metrics_file(tmp_path: Path) -> None:
    written = threading.Event()
    textfile = Textfile(tmp_path / "node.prom", 1e12, lambda: written.set() or "a 1\n")  # type: ignore[func-returns-value]
    assert written.wait(30)
    textfile._thread.join(0.1)  # it would end at once
    assert textfile._thread.is_alive()
    textfile.close()


def test_a_disk_that_does_not_answer_holds_up_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(textfile_module, "_END_S", 0.1)
    begun, answer = threading.Event(), threading.Event()

    def text() -> str:
        begun.set()
        answer.wait(30)
        return "a 1\n"

    textfile = Textfile(tmp_path / "node.prom", 1.0, text)
    assert begun.wait(30)
    textfile.close()
    assert "is not removed" in caplog.text
    answer.set()
    textfile._thread.join()


def test_a_look_at_the_sockets_that_fails_is_made_again(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    def mend() -> list[str]:
        looks.append(1)
        if len(looks) == 2:
            loop.stop()
        raise RuntimeError("can't start new thread")

    Mender(loop, [SimpleNamespace(mend=mend)])
    loop.run()
    assert caplog.text.count("sockets are not looked at") == 1


def test_systemd_need_not_hear_of_the_stop(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def notify(*_: str) -> None:
        raise OSError(24, "Too many open files")

    manager = ServiceManager()
    monkeypatch.setattr(manager, "notify", notify)
    manager.stopping()
    assert "Too many open files" in caplog.text


def test_a_former_recorder_that_cannot_be_removed_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    removed: list[int] = []

    def fail() -> None:
        raise OSError(1, "Operation not permitted")

    olds = SimpleNamespace(remove=fail), SimpleNamespace(remove=lambda: removed.append(1))
    found: Any = SimpleNamespace(tracer=SimpleNamespace(about=1), old=olds)
    plan: Any = SimpleNamespace(about=lambda: 1)
    Succession(found, plan, Tally()).join()
    assert removed == [1]
    assert "please report it" in caplog.text


def test_a_process_that_cannot_be_watched_is_not_said_to_be_gone() -> None:
    with no_descriptors(), pytest.raises(RegistrationError, match="cannot be watched: Too many open files"):
        Watch.open(None, os.getpid())
