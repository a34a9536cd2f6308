# SPDX-License-Identifier: Apache-2.0
"""Exercises the archive on file systems that cannot be written; test_archive_space.py runs each case in a namespace."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from archives import INFO

from traceloop_daemon.archive.directory import Changes, FileArchive
from traceloop_daemon.archive.kept_files import FileState
from traceloop_daemon.archive.retention import Limits
from traceloop_daemon.errors import TraceGone
from traceloop_daemon.recording.journal import CANNOT_KEEP
from traceloop_daemon.system import own_lock
from traceloop_decode.archive_file import unpack

SNAPSHOT = os.urandom(100_000)
LIMITS = Limits(max_use_bytes=1 << 30, keep_free_bytes=1 << 20)  # unreachable once the disk is filled


class Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.ids: list[str | None] = []  # one per line
        logging.getLogger().addHandler(self)
        logging.getLogger().setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.ids.append(getattr(record, "MESSAGE_ID", None))


def mounted(directory: Path) -> FileArchive:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", directory], check=True)
    return FileArchive(directory, LIMITS, now_ns=lambda: INFO.ended_ns)


def fill(directory: Path) -> Path:
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def put(archive: FileArchive, trace_id: str) -> Changes:
    return archive.put(replace(INFO, trace_id=trace_id), SNAPSHOT)


def states(archive: FileArchive) -> list[str]:
    return [state.value for state in archive.states().values()]


def full(directory: Path, log: Log) -> None:
    archive = mounted(directory)
    assert put(archive, "before").written == ("before",)
    filler = fill(directory)
    for number in range(3):
        assert put(archive, f"t{number}").written == ()
    assert states(archive) == ["whole", "waiting", "waiting", "waiting"]
    assert all(archive.get(f"t{number}") == SNAPSHOT for number in range(3))
    assert (archive.usage().waiting, archive.usage().dropped) == (3, 0)
    assert sorted(file.name for file in directory.iterdir() if file.name != own_lock.NAME) == ["before.trace", "filler"]
    assert archive.tend_after_s <= 10
    assert archive.tend().written == ()
    (line,) = log.lines
    assert f"cannot write to {directory}: No space left on device: traces stay in memory" in line
    archive.delete("t1")
    filler.unlink()
    assert put(archive, "t3").written == ("t0", "t2", "t3")
    assert states(archive) == ["whole"] * 4
    assert unpack((directory / "t0.trace").read_bytes())[1] == SNAPSHOT
    assert len(log.lines) == 2
    assert log.lines[1] == f"writing to {directory} again: up to 3 traces waited in memory, 0 more were dropped"
    assert log.ids == [CANNOT_KEEP, None]
    assert archive.tend_after_s > 10


def read_only(directory: Path, log: Log) -> None:
    archive = mounted(directory)
    put(archive, "before")
    subprocess.run(["mount", "-o", "remount,ro", directory], check=True)
    assert put(archive, "t0").written == ()
    assert archive.get("before") == archive.get("t0") == SNAPSHOT
    try:
        archive.delete("before")
    except OSError:
        assert archive.state("before") is FileState.WHOLE
    else:
        raise AssertionError
    put(archive, "t1")
    archive.delete("t1")
    assert archive.state("t1") is FileState.MISSING
    subprocess.run(["mount", "-o", "remount,rw", directory], check=True)
    assert archive.tend().written == ("t0",)
    assert archive.closed_ids() == ("t1",)
    assert ["Read-only file system" in line for line in log.lines] == [True, False]
    assert log.ids == [CANNOT_KEEP, None]


def too_large(directory: Path, log: Log) -> None:
    archive = mounted(directory)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    assert put(archive, "large").written == ()
    small = archive.put(replace(INFO, trace_id="small"), b"x")
    assert small.written == ("small",)  # the large one does not block it
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert archive.tend().written == ("large",)
    assert ["File too large" in line for line in log.lines] == [True, False]


def removed(directory: Path, log: Log) -> None:
    inner = directory / "inner"
    archive = FileArchive(inner, LIMITS, now_ns=lambda: INFO.ended_ns)
    put(archive, "before")
    subprocess.run(["rm", "-r", inner], check=True)
    assert put(archive, "t0").written == ("t0",)  # the archive makes the directory again
    assert states(archive) == ["missing", "whole"]
    subprocess.run(["rm", "-r", inner], check=True)
    inner.write_text("in its place")
    assert put(archive, "t1").written == ()
    assert states(archive) == ["missing", "missing", "waiting"]
    inner.unlink()
    assert archive.tend().written == ("t1",)
    assert len(log.lines) == 2


def bounded(directory: Path, log: Log) -> None:
    archive = mounted(directory)
    archive._memory_max_bytes = 350_000
    fill(directory)
    gone = [one for number in range(10) for one in put(archive, f"t{number}").gone]
    assert [trace_id for trace_id, _ in gone] == [f"t{number}" for number in range(7)]
    assert all(reason.startswith("memory_max, 350000 bytes") for _, reason in gone)
    usage = archive.usage()
    assert (usage.traces, usage.waiting, usage.dropped) == (3, 3, 7)
    assert usage.waiting_bytes <= 350_000
    try:
        archive.get("t0")
    except TraceGone:
        pass
    else:
        raise AssertionError
    assert archive.closed_ids()[:7] == tuple(f"t{number}" for number in range(7))
    assert len(log.lines) == 1
    (directory / "filler").unlink()
    assert archive.tend().written == ("t7", "t8", "t9")
    assert log.lines[1].endswith("7 more were dropped")
    archive.close()
    assert set(FileArchive(directory).closed_ids()) == {f"t{number}" for number in range(7)}


def never_again(directory: Path, log: Log) -> None:
    archive = mounted(directory)
    fill(directory)
    put(archive, "t0")
    archive.close()
    assert log.lines[1].startswith("lost t0: it was in memory")


def survives(directory: Path, log: Log) -> None:
    """A process dies with traces waiting; the next one writes them."""
    state_dir, waiting_dir = directory / "state", directory / "waiting"
    state_dir.mkdir()
    if not (child := os.fork()):
        archive = mounted_for_good(state_dir, waiting_dir)
        for number in range(3):
            put(archive, f"t{number}")
        archive.delete("t1")
        archive.put(replace(INFO, trace_id="t2"), b"later")
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert waiting_dir.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in waiting_dir.iterdir()} == dict.fromkeys(
        ("t0.trace", "t2.trace"), 0o600
    )
    (waiting_dir / ".new").write_text("half")
    newers = waiting_dir / "t9.trace"  # nothing that this version can read
    newers.write_text("another version's")
    archive = FileArchive(state_dir, LIMITS, now_ns=lambda: INFO.ended_ns, waiting_dir=waiting_dir)
    found = archive.scan()
    assert [(kept.trace_id, kept.state, kept.info and kept.info.node) for kept in found] == [
        ("t0", FileState.WAITING, INFO.node),
        ("t2", FileState.WAITING, INFO.node),
    ]
    assert (archive.get("t0"), archive.get("t2")) == (SNAPSHOT, b"later")
    assert archive.tend().written == ()
    archive.close()
    waits = [f"t{number} waits in {waiting_dir} for the next daemon" for number in (0, 2)]
    assert [line for line in log.lines if "waits in" in line] == waits
    archive = FileArchive(state_dir, LIMITS, now_ns=lambda: INFO.ended_ns, waiting_dir=waiting_dir)
    archive.scan()
    put(archive, "t3")
    (state_dir / "filler").unlink()
    assert archive.tend().written == ("t0", "t2", "t3")
    assert states(archive) == ["whole"] * 3
    assert unpack((state_dir / "t2.trace").read_bytes())[1] == b"later"
    assert newers.read_text() == "another version's"
    assert list(waiting_dir.iterdir()) == [newers]
    newers.unlink()
    archive.close()
    assert not waiting_dir.exists()


def mounted_for_good(state_dir: Path, waiting_dir: Path) -> FileArchive:
    mounted(state_dir).close()
    fill(state_dir)
    return FileArchive(state_dir, LIMITS, now_ns=lambda: INFO.ended_ns, waiting_dir=waiting_dir)


def bounded_there_too(directory: Path, log: Log) -> None:
    state_dir, waiting_dir = directory / "state", directory / "waiting"
    state_dir.mkdir()
    archive = mounted_for_good(state_dir, waiting_dir)
    for number in range(5):
        put(archive, f"t{number}")
    archive.close()
    archive = FileArchive(state_dir, LIMITS, 250_000, now_ns=lambda: INFO.ended_ns, waiting_dir=waiting_dir)
    archive.scan()
    # t0 is still being recorded: the file that a stopped daemon kept of it goes, a waiting trace of that id is not
    # written.
    assert [trace_id for trace_id, _ in archive.tend({"t0"}).gone] == ["t1", "t2"]
    assert sorted(file.name for file in waiting_dir.iterdir()) == ["t3.trace", "t4.trace"]
    assert archive.closed_ids() == ("t1", "t2")


def interfered(directory: Path, log: Log) -> None:
    """Somebody removes or replaces waiting traces: the others are written."""
    state_dir, waiting_dir = directory / "state", directory / "waiting"
    state_dir.mkdir()
    archive = mounted_for_good(state_dir, waiting_dir)
    for number in range(3):
        put(archive, f"t{number}")
    archive.close()
    archive = FileArchive(state_dir, LIMITS, now_ns=lambda: INFO.ended_ns, waiting_dir=waiting_dir)
    archive.scan()
    (state_dir / "filler").unlink()
    (waiting_dir / "t0.trace").unlink()
    (state_dir / "t1.trace").mkdir()
    changes = archive.tend()
    assert (changes.written, changes.lost) == (("t2",), ("t0",))
    assert states(archive) == ["waiting", "whole"]
    assert f"lost t0: someone removed {waiting_dir}/t0.trace" in log.lines
    (state_dir / "t1.trace").rmdir()
    assert archive.tend().written == ("t1",)


def nowhere_to_wait(directory: Path, log: Log) -> None:
    state_dir, waiting_dir = directory / "state", directory / "waiting"
    state_dir.mkdir()
    waiting_dir.write_text("in its place")
    archive = mounted_for_good(state_dir, waiting_dir)
    for number in range(2):
        put(archive, f"t{number}")
    assert archive.get("t0") == SNAPSHOT
    wanted = f"cannot write to {waiting_dir}: File exists: waiting traces are lost if this daemon dies"
    assert log.lines[1:] == [wanted]
    archive.close()
    assert log.lines[2].startswith("lost t0: it was in memory")


if __name__ == "__main__":
    case, path = sys.argv[1:]
    globals()[case](Path(path), Log())
