# SPDX-License-Identifier: Apache-2.0
"""Reasons of traces: the daemon passes a file on, takes one line of text from whoever answers, and keeps it."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from signal import SIGKILL

import pytest
from archives import INFO, encoded_snapshot, info

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.explaining import Explainer
from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.archive.owed import Owed
from traceloop_daemon.archive.trace_info import trace_of
from traceloop_daemon.recording.feed import Feed, Happened
from traceloop_daemon.recording.journal import TRACE_EXPLAINED, TRACE_UNEXPLAINED
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.recording.traces import Traces
from traceloop_decode.file_names import file_name

REASON = "cat could not open /etc/x: it does not exist."
WAIT_S = 30


class Node:
    """A daemon's archive, its traces, and a socket where `answer` answers: it gets a file's content."""

    def __init__(self, directory: Path, answer: Callable[[bytes], bytes] | None, told_after_s: float = WAIT_S) -> None:
        self.path, self.answer, self.asked = directory / "s", answer, 0
        self.archive = FileArchive(directory / "state", now_ns=lambda: INFO.ended_ns)
        self.traces, self.feed = Traces("n", LiveTraces(directory / "live")), Feed()
        kept = [trace_of(one) for one in self.archive.scan()]
        reasons = self.archive.reasons()
        with self.traces.locked() as registry:
            for trace in kept:
                trace.reason = reasons.get(trace.id, "")
            registry.load(kept, ())
        self.listener: socket.socket | None = None
        if answer is not None:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.listener.bind(str(self.path))
            self.listener.listen()
            threading.Thread(target=self._serve, daemon=True).start()
        self.tally = Tally()
        self.explainer = Explainer(
            self.path,
            *(self.archive, self.traces, self.feed, self.tally),
            owed=Owed(directory / "owed"),
            deadline_s=WAIT_S,
            told_after_s=told_after_s,
        )

    def _serve(self) -> None:
        assert self.listener is not None
        assert self.answer is not None
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:  # it is closed
                return
            with connection:
                _, fds, _, _ = socket.recv_fds(connection, 100, 1)
                self.asked += 1
                with os.fdopen(fds[0], "rb") as file:
                    answer = self.answer(file.read())
                if answer:
                    connection.send(answer)

    def ended(self, trace_id: str = INFO.trace_id) -> bool:
        """Tells that a container failed; returns whether an entry about the reason follows."""
        kept = Kept(trace_id, FileState.WHOLE, 0, INFO.ended_ns, info(trace_id))
        return self.explainer.follows(trace_of(kept).view())

    def counts(self) -> tuple[int, int]:
        """Returns how often the reason of a trace was asked for, and how many of these times in vain."""
        counted, _ = self.tally.read()
        return counted[Counted.REASONS_ASKED], counted[Counted.REASONS_FAILED]

    def archived(self, trace_id: str = INFO.trace_id) -> None:
        self.archive.put(info(trace_id), encoded_snapshot())
        with self.traces.locked() as registry:
            (kept,) = (one for one in self.archive.scan() if one.trace_id == trace_id)
            registry.load([trace_of(kept)], ())
        self.explainer.archived(trace_id)

    def reason(self, trace_id: str = INFO.trace_id) -> str:
        return self.traces.view(trace_id).reason

    def close(self) -> None:
        self.explainer.close()
        if self.listener is not None:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.path.unlink()
        self.archive.close()


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="explaining-") as path:  # the path of a unix socket is short (unix(7))
        yield Path(path)


@contextmanager
def node(
    directory: Path, answer: Callable[[bytes], bytes] | None = None, told_after_s: float = WAIT_S
) -> Iterator[Node]:
    with ExitStack() as stack:
        yield stack.enter_context(closing(Node(directory, answer, told_after_s)))


class Told(logging.Handler):
    """Keeps what the daemon logs, and waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()

    def wait(self, text: str) -> logging.LogRecord:
        def found() -> list[logging.LogRecord]:
            return [record for record in self.records if text in record.getMessage()]

        with self._changed:
            assert self._changed.wait_for(found, WAIT_S), [record.getMessage() for record in self.records]
            return found()[0]

    def errors(self) -> list[tuple[str, str]]:
        """Returns the message ids and texts of the entries that `journalctl -p err` shows."""
        return [
            (getattr(record, "MESSAGE_ID", ""), record.getMessage())
            for record in self.records
            if record.levelno >= logging.ERROR
        ]


@pytest.fixture
def log() -> Iterator[Told]:
    logger, told = logging.getLogger("traceloop_daemon"), Told()
    level = logger.level
    logger.addHandler(told)
    logger.setLevel(logging.DEBUG)
    yield told
    logger.removeHandler(told)
    logger.setLevel(level)


def test_a_reason_is_told_kept_and_known_to_the_next_daemon(directory: Path, log: Told) -> None:
    got = []
    with node(directory, lambda file: got.append(file) or b"=" + REASON.encode()) as first:  # type: ignore[func-returns-value]
        listener = first.feed.listen()
        assert first.ended()
        first.archived()
        change = listener.next()
        assert change is not None
        assert change.trace is not None
        assert (change.happened, change.trace.reason) == (Happened.EXPLAINED, REASON)
        told = log.wait(REASON)
        assert got == [first.archive.read(INFO.trace_id)]
        assert told.getMessage() == f"{INFO.trace_id} exited with 42: {REASON}"
        assert told.levelno == logging.ERROR
        shown = {
            name: getattr(told, name) for name in ("MESSAGE_ID", "REASON", "EXIT_CODE", "POD", "NAME", "CONTAINER")
        }
        assert shown == {
            "MESSAGE_ID": TRACE_EXPLAINED,
            "REASON": REASON,
            "EXIT_CODE": "42",
            "POD": "mypod",
            "NAME": "default/mypod",
            "CONTAINER": "mypod",
        }
        assert first.counts() == (1, 0)
    (beside,) = (directory / "state").glob("*.cause")
    assert beside.read_text() == REASON + "\n"
    assert beside.stat().st_mode & 0o777 == 0o640
    with node(directory) as second:
        assert second.reason() == REASON
        second.archive.delete(INFO.trace_id)
        assert not beside.exists()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "not an answer"),
        (b"=a\nb", "not printable ASCII"),
        (b"=\x1b[2J", "not printable ASCII"),
        (b"=" + b"x" * 500, "a reason of"),
        (b"x" * 100_000, "a reason of"),
        (b"!damaged archive", "damaged archive"),
    ],
)
def test_an_answer_that_is_none_gives_no_reason_and_the_next_trace_has_one(
    directory: Path, log: Told, answer: bytes, said: str
) -> None:
    answers = [answer, b"=" + REASON.encode()]
    with node(directory, lambda _: answers.pop(0)) as daemon:
        for name in ("first", "second"):
            assert daemon.ended(name)
            daemon.archived(name)
        log.wait(f"second exited with 42: {REASON}")
        failed, found = log.errors()
        assert failed[0] == TRACE_UNEXPLAINED
        assert re.match(f"first exited with 42; its reason was not found: {daemon.path}: .*{said}", failed[1])
        assert found == (TRACE_EXPLAINED, f"second exited with 42: {REASON}")
        assert (daemon.reason("first"), daemon.reason("second")) == ("", REASON)
        assert daemon.counts() == (2, 1)
    assert [path.name for path in (directory / "state").glob("*.cause")] == ["second.cause"]


def test_an_empty_reason_is_no_entry_unless_the_container_failed(directory: Path, log: Told) -> None:
    answers = [b"=", b"=", b"=" + REASON.encode()]
    with node(directory, lambda _: answers.pop(0)) as daemon:
        daemon.archived("well")
        assert daemon.ended("unknown")
        daemon.archived("unknown")
        assert daemon.ended("failed")
        daemon.archived("failed")
        log.wait(REASON)
        assert daemon.reason("well") == daemon.reason("unknown") == ""
        assert daemon.counts() == (3, 0)
    assert not [record for record in log.records if "well" in record.getMessage() and record.levelno > logging.DEBUG]
    assert log.errors() == [
        (TRACE_UNEXPLAINED, "unknown exited with 42; its reason was not found: its calls tell none"),
        (TRACE_EXPLAINED, f"failed exited with 42: {REASON}"),
    ]


def test_where_nobody_answers_no_entry_follows(directory: Path, log: Told) -> None:
    with node(directory) as daemon:
        assert not daemon.ended()
        daemon.archived()
        assert log.wait("has no reason").levelno == logging.DEBUG
        assert daemon.counts() == (0, 0)
    assert not log.errors()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(directory / "s"))
    log.records.clear()
    with node(directory) as daemon:
        daemon.explainer.former()
        assert log.wait("has no reason").levelno == logging.DEBUG
        # The socket is there, and only asking tells that nobody listens.
        assert daemon.ended()
        daemon.archived()
        log.wait("its reason was not found")
        assert daemon.counts() == (0, 0)
    ((message_id, text),) = log.errors()
    assert (message_id, "Connection refused" in text) == (TRACE_UNEXPLAINED, True)


def test_a_failure_is_one_error_although_no_answer_comes(directory: Path, log: Told) -> None:
    """Tells after a while what never reached the archive, and what waits when the daemon stops."""
    go_on = threading.Event()

    def slow(_: bytes) -> bytes:
        go_on.wait(WAIT_S)
        return b"=" + REASON.encode()

    with node(directory, slow, told_after_s=0.05) as daemon:
        assert daemon.ended("never-archived")
        log.wait("never-archived exited with 42; its reason was not found: no answer came within 0.05 s")
        assert daemon.ended()
        daemon.archived()
        go_on.set()
        log.wait(REASON)
    with node(directory, slow) as daemon:
        assert daemon.ended("stopped")
    told = [text.split()[0] for _, text in log.errors()]
    assert sorted(told) == sorted({"never-archived", INFO.trace_id, "stopped"})
    assert "stopped exited with 42; its reason was not found: the daemon stops" in {text for _, text in log.errors()}


def test_a_reason_that_comes_late_is_a_notice(directory: Path, log: Told) -> None:
    with node(directory, lambda _: b"=" + REASON.encode(), told_after_s=0.05) as daemon:
        assert daemon.ended()
        log.wait("its reason was not found")
        daemon.archived()
        late = log.wait(REASON)
        assert logging.INFO < late.levelno < logging.WARNING
    assert len(log.errors()) == 1


def test_a_daemon_that_stops_does_not_wait_and_the_next_one_asks_again(directory: Path, log: Told) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def never(_: bytes) -> bytes:
        asked.set()
        go_on.wait(WAIT_S)
        return b""

    with node(directory, never) as daemon:
        assert daemon.ended()
        daemon.archived()
        assert asked.wait(WAIT_S)
        daemon.explainer.close()
        assert daemon.reason() == ""
        assert daemon.counts() == (1, 0)
        assert [text for _, text in log.errors()] == [
            f"{INFO.trace_id} exited with 42; its reason was not found: the daemon stops"
        ]
        go_on.set()
    with node(directory, lambda _: b"=" + REASON.encode()) as following:
        listener = following.feed.listen()
        following.explainer.former()
        change = listener.next()
        assert change is not None
        assert change.happened is Happened.EXPLAINED
        assert following.reason() == REASON
    # It is no news any more.
    assert not [record for record in log.records if REASON in record.getMessage()]


@pytest.mark.parametrize("is_known", [False, True])
def test_what_a_killed_daemon_did_not_tell_the_next_one_does(directory: Path, log: Told, *, is_known: bool) -> None:
    if not (child := os.fork()):

        def killed(_: bytes) -> bytes:
            if is_known:
                daemon.archive.put_reason(INFO.trace_id, REASON)
            os.kill(os.getpid(), SIGKILL)
            return b""

        with node(directory, killed) as daemon:
            daemon.ended()
            daemon.archived()
            signal.pause()
    assert os.waitpid(child, 0)[1] == SIGKILL
    (directory / "s").unlink()
    assert [path.name for path in (directory / "owed").iterdir()] == [file_name(INFO.trace_id)]
    with node(directory, lambda _: b"=" + REASON.encode()) as following:
        assert following.reason() == (REASON if is_known else "")
        following.explainer.former()
        log.wait(REASON)
    assert log.errors() == [(TRACE_EXPLAINED, f"{INFO.trace_id} exited with 42: {REASON}")]
    assert not (directory / "owed").exists()
    with node(directory, lambda _: b"=" + REASON.encode()) as third:
        third.explainer.former()
    assert len(log.errors()) == 1


def test_a_trace_that_is_closed_meanwhile_leaves_nothing(directory: Path, log: Told) -> None:
    def close_it(_: bytes) -> bytes:
        daemon.archive.delete("closed")
        return b"=" + REASON.encode()

    answers = [close_it]
    with node(directory, lambda file: answers.pop()(file) if answers else b"=" + REASON.encode()) as daemon:
        for name in ("closed", "other"):
            assert daemon.ended(name)
            daemon.archived(name)
        log.wait(f"other exited with 42: {REASON}")
        assert daemon.reason("closed") == ""
    assert [text for _, text in log.errors()] == [f"{name} exited with 42: {REASON}" for name in ("closed", "other")]
    assert [path.name for path in (directory / "state").glob("*.cause")] == ["other.cause"]


def test_reasons_of_no_trace_are_removed_and_damaged_ones_are_said(directory: Path, log: Told) -> None:
    with node(directory, lambda _: b"=" + REASON.encode()) as daemon:
        daemon.archived()
        log.wait(REASON)
    (kept,) = (directory / "state").glob("*.cause")
    kept.write_text("a\x1b[2J\n")
    (directory / "state/gone.cause").write_text("x\n")
    with node(directory) as daemon:
        assert daemon.reason() == ""
        log.wait("not printable ASCII")
    assert [path.name for path in (directory / "state").glob("*.cause")] == [kept.name]
