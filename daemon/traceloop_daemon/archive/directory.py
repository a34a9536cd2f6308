# SPDX-License-Identifier: Apache-2.0
"""Where the traces of ended containers are kept: a file each in one directory.

A file is whole or not there: it is written under another name, synced, and renamed. `archive_file` explains what is in
it, `file_names` how it is called, `retention` which ones go to make room.

Theory of operation: what is to be kept waits in memory until it is written, so a disk that is full or broken is only a
longer wait; from the first failure on where the next daemon finds it (`waiting`). The oldest that wait are dropped when
they are more than `memory_max_bytes`. One line of the log says that the wait began, one that it is over.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from traceloop_daemon.archive.closed_ids import ClosedIds
from traceloop_daemon.archive.file_names import SUFFIX, file_name
from traceloop_daemon.archive.kept_files import FileState, Kept, look_into, state_now
from traceloop_daemon.archive.retention import Limits, Space, expired
from traceloop_daemon.archive.waiting import Waiter, Waiting
from traceloop_daemon.errors import ConfigError, TraceDamaged, TraceGone
from traceloop_daemon.recording.journal import CANNOT_KEEP
from traceloop_daemon.system import own_lock
from traceloop_decode.archive_file import TraceInfo, TruncatedError, pack, unpack
from traceloop_decode.model import DecodeError

MEMORY_MAX_BYTES: Final = 64 << 20
_TEMPORARY: Final = ".new-"
_CLOSED_IDS: Final = "closed-ids"
_DIRECTORY_MODE: Final = 0o750
_FILE_MODE: Final = 0o640
_WRONG: Final = (FileState.MISSING, FileState.TRUNCATED, FileState.DAMAGED)
_RETRY_S: Final = 10.0
_OF_ONE_ALONE: Final = (errno.EFBIG, errno.EISDIR)  # what may keep one trace from being written, and no other
_LOOK_S: Final = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """What came of writing: the ids of traces that are in files now, and of those that went, each with the reason.

    lost: of those that waited in a file, which somebody removed. size_bytes: of the file that was put, written or not.
    """

    written: tuple[str, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the archive holds. dropped: traces that waited in memory in vain, since it was opened."""

    traces: int
    size_bytes: int
    waiting: int
    waiting_bytes: int
    dropped: int


class FileArchive:
    """The kept traces by id. Safe to use from several threads."""

    def __init__(
        self,
        directory: Path,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        memory_max_bytes: int = MEMORY_MAX_BYTES,
        now_ns: Callable[[], int] = time.time_ns,
        waiting_dir: Path | None = None,
    ) -> None:
        """Opens the directory for this archive alone, and makes it if need be. Raises ConfigError.

        waiting_dir: where what cannot be written outlives this process.
        """
        self.directory = directory
        self._limits, self._memory_max_bytes, self._now_ns = limits, memory_max_bytes, now_ns
        try:
            self._lock_fd = _locked(directory)
            self._closed = ClosedIds(directory / _CLOSED_IDS)
        except OSError as error:
            raise ConfigError(f"traces cannot be kept in {directory}: {error.strerror}; give --state-dir") from error
        self._lock = threading.Lock()  # of the dictionaries; not held while a trace is read or written
        self._writing = threading.RLock()  # one changes files at a time; taken before the other
        self._kept: dict[str, Kept] = {}  # oldest first, as the next
        self._waiting = Waiting(waiting_dir)
        self._failed = False
        self._late = self._dropped = self._dropped_before = 0

    def close(self) -> None:
        """Gives the directory free. What still waits in this process alone is lost, and the log says so."""
        for waiter in self._waiting:
            if waiter.path is not None and waiter.contents is None:
                _log.warning("%s waits in %s for the next daemon", waiter.trace_id, waiter.path.parent)
                continue
            lost = "lost %s: it was in memory, and %s could not be written until the end"
            _log.error(lost, waiter.trace_id, self.directory)
        self._waiting.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)

    # -- reading

    def scan(self) -> list[Kept]:
        """Finds what former daemons kept, oldest first, and removes what one that was killed left half written."""
        found = []
        for entry in os.scandir(self.directory):
            if entry.name.startswith(_TEMPORARY):
                with suppress(OSError):  # of a directory that cannot be written: the next start tries again
                    os.unlink(entry.path)  # noqa: PTH108
            elif entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                found.append(look_into(entry))
        with self._lock:
            waiting = self._waiting.find()
            again = {kept.trace_id for kept in waiting}  # which may lie in a file too, as they were earlier
            found = sorted((kept for kept in found if kept.trace_id not in again), key=lambda kept: kept.ended_ns)
            found += waiting
            self._kept = {kept.trace_id: replace(kept, info=None) for kept in found}  # it is the reader's to keep
        return found

    def closed_ids(self) -> tuple[str, ...]:
        """The ids of traces that were deleted or went, of former daemons too; oldest first, within a bound."""
        with self._lock:
            return tuple(self._closed)

    def states(self) -> dict[str, FileState]:
        """What has become of each trace, as far as the lengths of the files tell now."""
        with self._lock:  # before the look: what is written after it is not missing
            kept = list(self._kept.values())
        sizes = self._sizes()
        states = {one.trace_id: state_now(one, sizes.get(file_name(one.trace_id))) for one in kept}
        # What is wrong may be another file by now than the one that was asked for.
        return {trace_id: self.state(trace_id) if state in _WRONG else state for trace_id, state in states.items()}

    def state(self, trace_id: str) -> FileState:
        """What has become of one."""
        while True:
            with self._lock:
                kept = self._kept.get(trace_id)
            if kept is None:
                return FileState.MISSING
            try:
                state = state_now(kept, self._path(trace_id).stat().st_size)
            except OSError:
                state = state_now(kept, None)
            with self._lock:
                if self._kept.get(trace_id) is kept:  # else it was put anew meanwhile
                    return state

    def get(self, trace_id: str) -> bytes:
        """The encoded Snapshot. Raises TraceGone, TraceDamaged, OSError."""
        file = self.read(trace_id)
        try:
            _, snapshot = unpack(file)
        except DecodeError as error:
            truncated = isinstance(error, TruncatedError)
            self._found(trace_id, FileState.TRUNCATED if truncated else FileState.DAMAGED)
            raise TraceDamaged(f"trace {trace_id}: {self._path(trace_id)}: {error}") from error
        self._found(trace_id, FileState.WHOLE, len(file))
        return snapshot

    def read(self, trace_id: str) -> bytes:
        """The file's bytes, as they are. Raises TraceGone, OSError."""
        with self._lock:
            waiting = self._waiting.get(trace_id)
        if waiting is not None:
            with suppress(FileNotFoundError):  # it has been written meanwhile
                return waiting.read()
        path = self._path(trace_id)
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise TraceGone(f"trace {trace_id}: its file {path} is gone") from error

    def usage(self) -> Usage:
        """How much is kept now."""
        with self._lock:
            size_bytes = sum(one.size_bytes for one in self._kept.values())
            return Usage(len(self._kept), size_bytes, len(self._waiting), self._waiting.size_bytes, self._dropped)

    # -- writing

    def put(self, info: TraceInfo, encoded: bytes, live: Collection[str] = ()) -> Changes:
        """Keeps a trace, in the place of what was kept under its id. live: the ids of traces that may not go."""
        file = pack(info, encoded)
        kept = Kept(info.trace_id, FileState.WAITING, len(file), info.ended_ns or self._now_ns(), None)
        with self._lock:
            self._kept.pop(info.trace_id, None)  # so that it becomes the newest
            self._kept[info.trace_id] = kept
            self._waiting.put(info.trace_id, file)
        return replace(self.tend(live), size_bytes=len(file))

    def tend(self, live: Collection[str] = ()) -> Changes:
        """Writes what waits, and lets go what must: to be called at start, and every `tend_after_s` without a `put`."""
        written: list[str] = []
        gone: list[tuple[str, str]] = []
        lost: list[str] = []
        with self._writing:
            failures: list[OSError] = []
            try:
                self._make_room(live, gone, failures)
                self._write_waiting(written, lost, failures)
                with self._lock:
                    self._closed.flush()
            except OSError as error:
                failures.append(error)
            if failures:
                self._fails(failures[0])
                gone += self._drop_waiting(live)
                with self._lock:
                    self._waiting.save()
            else:
                self._works_again()
        return Changes(tuple(written), tuple(gone), tuple(lost))

    @property
    def tend_after_s(self) -> float:
        """When `tend` is to be called again."""
        return _RETRY_S if self._failed else _LOOK_S

    def delete(self, trace_id: str) -> None:
        """Removes a trace, if it is kept, and remembers its id. Raises OSError: it is still there."""
        with self._writing:
            self._remove(self._path(trace_id))
            with self._lock:
                self._kept.pop(trace_id, None)
                self._waiting.remove(trace_id)
                self._closed.add(trace_id)
                with suppress(OSError):  # `tend` tries again, and says so
                    self._closed.flush()

    @staticmethod
    def _remove(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            if os.path.lexists(path):  # a read-only file system says the same of a file that never was
                raise

    def _make_room(self, live: Collection[str], gone: list[tuple[str, str]], failures: list[OSError]) -> None:
        self.directory.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)  # someone may have removed it
        system = os.statvfs(self.directory)
        with self._lock:
            kept = list(self._kept.values())
            to_come = self._waiting.size_bytes
        space = Space(system.f_blocks * system.f_frsize, system.f_bavail * system.f_frsize - to_come)
        used_bytes = sum(one.size_bytes for one in kept)
        _log.debug("%d traces of %d bytes are kept, %d bytes are free", len(kept), used_bytes, space.free_bytes)
        for trace_id, reason in expired(kept, self._limits, space, self._now_ns(), live):
            try:
                self.delete(trace_id)
            except OSError as error:  # one that cannot be removed does not save the others
                failures.append(OSError(error.errno, f"{error.strerror}: {error.filename}"))
            else:
                gone.append((trace_id, reason))

    def _write_waiting(self, written: list[str], lost: list[str], failures: list[OSError]) -> None:
        with self._lock:
            waiting = list(self._waiting)
        for waiter in waiting:
            try:
                self._write(waiter)
            except OSError as error:
                if waiter.is_gone():
                    _log.error("lost %s: someone removed %s", waiter.trace_id, waiter.path)
                    lost.append(waiter.trace_id)
                    with self._lock:
                        self._waiting.remove(waiter.trace_id)
                        del self._kept[waiter.trace_id]
                    continue
                failures.append(error)
                if error.errno not in _OF_ONE_ALONE:
                    return
            else:
                written.append(waiter.trace_id)

    def _write(self, waiter: Waiter) -> None:
        trace_id = waiter.trace_id
        fd, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=self.directory)
        try:
            with os.fdopen(fd, "wb") as writer:
                writer.write(waiter.read())
                writer.flush()
                os.fchmod(fd, _FILE_MODE)
                os.fsync(fd)
            Path(temporary).replace(self._path(trace_id))
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise
        directory_fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory_fd)
        finally:
            os.close(directory_fd)
        with self._lock:
            if self._waiting.get(trace_id) is waiter:  # else another was put in its place meanwhile
                self._waiting.remove(trace_id)
                self._kept[trace_id] = replace(self._kept[trace_id], state=FileState.WHOLE)

    def _drop_waiting(self, live: Collection[str]) -> list[tuple[str, str]]:
        dropped = []
        with self._lock:
            while self._waiting.size_bytes > self._memory_max_bytes:
                trace_id = next(iter(self._waiting)).trace_id
                self._waiting.remove(trace_id)
                self._kept.pop(trace_id, None)
                if trace_id in live:  # of when a daemon stopped: it is recorded on
                    continue
                self._closed.add(trace_id)
                self._dropped += 1
                reason = f"memory_max, {self._memory_max_bytes} bytes, as {self.directory} cannot be written"
                dropped.append((trace_id, reason))
        return dropped

    def _fails(self, error: OSError) -> None:
        if not self._failed:
            self._failed, self._late, self._dropped_before = True, 0, self._dropped
            _log.error(
                "cannot write to %s: %s: traces stay in memory, at most %d bytes of them, until it works again",
                *(self.directory, error.strerror, self._memory_max_bytes),
                extra={"MESSAGE_ID": CANNOT_KEEP},
            )
        with self._lock:
            self._late = max(self._late, len(self._waiting))

    def _works_again(self) -> None:
        if self._failed:
            self._failed = False
            _log.info(
                "writing to %s again: up to %d traces waited in memory, %d more were dropped",
                *(self.directory, self._late, self._dropped - self._dropped_before),
            )

    def _found(self, trace_id: str, state: FileState, size_bytes: int | None = None) -> None:
        # size_bytes: of a whole one; it may have been found cut off, and mended since.
        with self._lock:
            kept = self._kept.get(trace_id)
            if kept is not None and kept.state is not FileState.WAITING:
                size_bytes = kept.size_bytes if size_bytes is None else size_bytes
                self._kept[trace_id] = replace(kept, state=state, size_bytes=size_bytes)

    def _sizes(self) -> dict[str, int]:
        # One by one they take four times as long.
        found = {}
        with suppress(OSError), os.scandir(self.directory) as entries:  # what cannot be seen is missing
            for entry in entries:
                with suppress(OSError):
                    found[entry.name] = entry.stat().st_size
        return found

    def _path(self, trace_id: str) -> Path:
        return self.directory / file_name(trace_id)


def _locked(directory: Path) -> int | None:
    directory.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
    try:
        return own_lock.lock(directory)
    except BlockingIOError as error:
        raise ConfigError(
            f"another traceloopd keeps its traces in {directory}: stop it, or give --state-dir"
        ) from error
