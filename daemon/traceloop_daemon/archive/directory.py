# SPDX-License-Identifier: Apache-2.0
"""The archive: a directory with one file for each ended trace.

A file is complete or absent: it is written under another name, synced, and renamed. `archive_file` defines the format,
`file_names` the names, `retention` the rules by which files are removed to make room.

Theory of operation: a trace waits in memory until it is written, so a full or broken disk only makes the wait longer.
After the first failure it waits where the next daemon finds it (`waiting`). When waiting traces exceed
`memory_max_bytes`, the oldest are dropped. The log has one line when the wait begins and one when it is over.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from traceloop_daemon.archive.closed_ids import ClosedIds
from traceloop_daemon.archive.kept_files import FileState, Kept, look_into, state_now
from traceloop_daemon.archive.reasons import Reasons
from traceloop_daemon.archive.retention import CLOCK_SET_NS, Limits, Space, expired
from traceloop_daemon.archive.shipped import shipped_ids
from traceloop_daemon.archive.waiting import Waiter, Waiting
from traceloop_daemon.errors import ConfigError, TraceDamaged, TraceGone
from traceloop_daemon.recording.journal import CANNOT_KEEP
from traceloop_daemon.system import own_lock
from traceloop_daemon.system.whole_file import write_whole
from traceloop_decode.archive_file import TraceInfo, TruncatedError, pack, unpack
from traceloop_decode.file_names import SUFFIX, file_name
from traceloop_decode.model import DecodeError

MEMORY_MAX_BYTES: Final = 64 << 20
_TEMPORARY: Final = ".new-"
_CLOSED_IDS: Final = "closed-ids"
_DIRECTORY_MODE: Final = 0o750
_FILE_MODE: Final = 0o640
_WRONG: Final = (FileState.MISSING, FileState.TRUNCATED, FileState.DAMAGED)
_RETRY_S: Final = 10.0
_SINGLE_FILE_ERRORS: Final = (errno.EFBIG, errno.EISDIR)  # errors that do not concern the other files
_LOOK_S: Final = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """The effects of writing. written: ids of traces that are in files now. gone: ids of removed traces, with reasons.

    lost: ids of traces that waited in a file that someone removed. size_bytes: of the file given to `put`, even if it
    is not written yet.
    """

    written: tuple[str, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()
    lost: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Numbers of the archive. dropped: waiting traces that were dropped since the archive was opened."""

    traces: int
    size_bytes: int
    waiting: int
    waiting_bytes: int
    dropped: int


class FileArchive:
    """The archived traces by id. Safe to use from several threads."""

    def __init__(
        self,
        directory: Path,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        memory_max_bytes: int = MEMORY_MAX_BYTES,
        now_ns: Callable[[], int] = time.time_ns,
        *,
        waiting_dir: Path | None = None,
        ledger: Path | None = None,
    ) -> None:
        """Makes the directory if need be, and locks it for this archive. Raises ConfigError.

        waiting_dir: a directory for traces that cannot be written, whose files outlive this process.
        ledger: the names of shipped files (`shipped`).
        """
        self.directory, self._ledger = directory, ledger
        self._limits, self._memory_max_bytes, self._now_ns = limits, memory_max_bytes, now_ns
        try:
            self._lock_fd = _locked(directory)
            self._closed = ClosedIds(directory / _CLOSED_IDS)
        except OSError as error:
            raise ConfigError(f"traces cannot be kept in {directory}: {error.strerror}; give --state-dir") from error
        self._lock = threading.Lock()  # guards the dictionaries; not held while a trace is read or written
        self._writing = threading.RLock()  # one thread changes files at a time; taken before `_lock`
        self._kept: dict[str, Kept] = {}  # oldest first, as is `_waiting`
        self._waiting = Waiting(waiting_dir)
        self._temporary = directory / f"{_TEMPORARY}{os.getpid()}"
        self._reasons = Reasons(directory, self._temporary)
        self._failed = False
        self._late = self._dropped = self._dropped_before = self._set_ns = 0

    def close(self) -> None:
        """Unlocks the directory. Traces that still wait in this process's memory are lost, and logged."""
        for waiter in self._waiting:
            if waiter.path is not None and waiter.contents is None:
                _log.warning("%s waits in %s for the next daemon", waiter.trace_id, waiter.path.parent)
                continue
            lost = "lost %s: it was in memory, and %s could not be written before the daemon stopped"
            _log.error(lost, waiter.trace_id, self.directory)
        self._waiting.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)

    # -- reading

    def scan(self) -> list[Kept]:
        """Finds former daemons' traces, oldest first, and removes incomplete files that a killed daemon left."""
        found = []
        for entry in os.scandir(self.directory):
            if entry.name.startswith(_TEMPORARY):
                with suppress(OSError):  # the directory cannot be written: the next start tries again
                    os.unlink(entry.path)  # noqa: PTH108
            elif entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                kept = look_into(entry)
                if kept is not None:
                    found.append(kept)
        with self._lock:
            waiting = self._waiting.find()
            again = {kept.trace_id for kept in waiting}  # the directory may have an older file of each
            found = sorted((kept for kept in found if kept.trace_id not in again), key=lambda kept: kept.ended_ns)
            found += waiting
            self._kept = {kept.trace_id: replace(kept, info=None) for kept in found}  # the caller keeps the information
        return found

    def closed_ids(self) -> tuple[str, ...]:
        """Returns the ids of deleted and removed traces, those of former daemons included; oldest first, bounded."""
        with self._lock:
            return tuple(self._closed)

    def states(self) -> dict[str, FileState]:
        """Returns the state of each trace's file, by the files' current sizes."""
        with self._lock:  # before the sizes are read: a file that is written later is not missing
            kept = list(self._kept.values())
        sizes = self._sizes()
        states = {one.trace_id: state_now(one, sizes.get(file_name(one.trace_id))) for one in kept}
        # A file that looks wrong may have been replaced meanwhile.
        return {trace_id: self.state(trace_id) if state in _WRONG else state for trace_id, state in states.items()}

    def state(self, trace_id: str) -> FileState:
        """Returns the state of one trace's file, by its current size."""
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
                if self._kept.get(trace_id) is kept:  # otherwise it was put again meanwhile
                    return state

    def get(self, trace_id: str) -> bytes:
        """Returns a trace's encoded Snapshot. Raises TraceGone, TraceDamaged, OSError."""
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
        """Returns the bytes of a trace's file, unchecked. Raises TraceGone, OSError."""
        with self._lock:
            waiting = self._waiting.get(trace_id)
        if waiting is not None:
            with suppress(FileNotFoundError):  # it was written to the directory meanwhile
                return waiting.read()
        path = self._path(trace_id)
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise TraceGone(f"trace {trace_id}: its file {path} is gone") from error

    def open(self, trace_id: str) -> int:
        """Opens a trace's file for reading and returns its descriptor. Raises TraceGone, OSError."""
        path = self._path(trace_id)
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise TraceGone(f"trace {trace_id}: its file {path} is gone") from error

    def reasons(self) -> dict[str, str]:
        """Returns the reasons that are kept, by trace id, and removes those of traces that are gone. Call it at start.

        Raises OSError.
        """
        with self._writing:
            with self._lock:
                ids = list(self._kept)
            return self._reasons.find(ids)

    def usage(self) -> Usage:
        """Returns the current numbers of the archive."""
        with self._lock:
            size_bytes = sum(one.size_bytes for one in self._kept.values())
            return Usage(len(self._kept), size_bytes, len(self._waiting), self._waiting.size_bytes, self._dropped)

    # -- writing

    def put(self, info: TraceInfo, encoded: bytes, live: Collection[str] = ()) -> Changes:
        """Archives a trace, and replaces an older file of it. live: ids of traces that must not be removed."""
        file = pack(info, encoded)
        kept = Kept(info.trace_id, FileState.WAITING, len(file), info.ended_ns or self._now_ns(), None)
        with self._lock:
            self._kept.pop(info.trace_id, None)  # so that it becomes the newest
            self._kept[info.trace_id] = kept
            self._waiting.put(info.trace_id, file)
        return replace(self.tend(live), size_bytes=len(file))

    def put_reason(self, trace_id: str, reason: str) -> bool:
        """Keeps a trace's reason beside its file; returns False if the trace is gone. Raises OSError."""
        with self._writing:
            with self._lock:
                if trace_id not in self._kept:
                    return False
            self._reasons.put(trace_id, reason)
            return True

    def tend(self, live: Collection[str] = ()) -> Changes:
        """Makes room and writes waiting traces. Call it at start, and after `tend_after_s` without a `put`."""
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
        """The time without a `put` after which `tend` is to be called."""
        return _RETRY_S if self._failed else _LOOK_S

    def delete(self, trace_id: str) -> None:
        """Removes a trace, if it is archived, and remembers its id. Raises OSError if it cannot be removed."""
        with self._writing:
            self._remove(self._path(trace_id))
            self._reasons.remove(trace_id)
            with self._lock:
                self._kept.pop(trace_id, None)
                self._waiting.remove(trace_id)
                self._closed.add(trace_id)
                with suppress(OSError):  # `tend` tries again, and logs the error
                    self._closed.flush()

    @staticmethod
    def _remove(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            if os.path.lexists(path):  # a read-only file system gives this error for absent files too
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
        now_ns = self._now_ns()
        self._set_ns = self._set_ns or (now_ns if now_ns >= CLOCK_SET_NS else 0)
        fit = partial(expired, kept, self._limits, space, now_ns, live, set_ns=self._set_ns)
        gone_ids = list(fit())
        if gone_ids and self._ledger is not None:  # it is read only if something must go
            gone_ids = list(fit(shipped=shipped_ids(self._ledger)))
        for trace_id, reason in gone_ids:
            try:
                self.delete(trace_id)
            except OSError as error:  # the others are removed nevertheless
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
                if error.errno not in _SINGLE_FILE_ERRORS:
                    return
            else:
                written.append(waiter.trace_id)

    def _write(self, waiter: Waiter) -> None:
        trace_id = waiter.trace_id
        write_whole(self._path(trace_id), waiter.read(), _FILE_MODE, self._temporary, is_synced=True)
        with self._lock:
            if self._waiting.get(trace_id) is waiter:  # otherwise it was replaced meanwhile
                self._waiting.remove(trace_id)
                self._kept[trace_id] = replace(self._kept[trace_id], state=FileState.WHOLE)

    def _drop_waiting(self, live: Collection[str]) -> list[tuple[str, str]]:
        dropped = []
        with self._lock:
            while self._waiting.size_bytes > self._memory_max_bytes:
                trace_id = next(iter(self._waiting)).trace_id
                self._waiting.remove(trace_id)
                self._kept.pop(trace_id, None)
                if trace_id in live:  # the file is of an earlier time: the trace is still being recorded
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
        # size_bytes: of a whole file, which may have been truncated before and restored since.
        with self._lock:
            kept = self._kept.get(trace_id)
            if kept is not None and kept.state is not FileState.WAITING:
                size_bytes = kept.size_bytes if size_bytes is None else size_bytes
                self._kept[trace_id] = replace(kept, state=state, size_bytes=size_bytes)

    def _sizes(self) -> dict[str, int]:
        # A stat of each path takes four times as long.
        found = {}
        with suppress(OSError), os.scandir(self.directory) as entries:  # an unreadable file counts as missing
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
