# SPDX-License-Identifier: Apache-2.0
"""Collects failed calls: those alike, of one process, are one failure with a count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from traceloop_decode.causes import noise, subject
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.tables import open_file
from traceloop_decode.errnos import ERRNO
from traceloop_decode.model import Call
from traceloop_decode.syscalls import FORKS

_FAILURES_MAX: Final = 4096  # of different kinds; the oldest of those that happened once go first
_THERE_MAX: Final = 1 << 16
_OPEN_FILES_MAX: Final = 1 << 16
_INT: Final = 0xFFFFFFFF
# Those of connect(2) that may pass by themselves
_CONNECT_ERRORS: Final = (
    *("ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNRESET", "ECONNABORTED", "EADDRNOTAVAIL"),
    *("ENOENT", "EACCES"),
)
_SO_ERROR: Final = (1, 4)  # SOL_SOCKET, SO_ERROR
# Calls that take the lowest free number (alloc_fd() of fs/file.c), and fail with EMFILE if none below the limit is free
_TAKES_LOWEST: Final = frozenset(
    (
        *("open", "openat", "openat2", "creat", "socket", "accept", "accept4", "dup", "memfd_create", "pidfd_open"),
        *("epoll_create", "epoll_create1", "eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create"),
    )
)


class Held(NamedTuple):
    """The descriptors of a process, as far as they are known. files: how often each file is open, most frequent first.

    numbers: how many are known. below: all numbers below this one are in use, unless the limit was lower; 0: not known.
    """

    files: tuple[tuple[str, int], ...]
    numbers: int
    below: int


@dataclass(slots=True)
class Failure:
    """Failed calls of one process that are alike. error: ``ENOENT``. path, peer: "" where a call has none.

    first, last: the calls. held: of a process that may open no more files, what it had open when it failed first.
    """

    pid: int
    name: str
    error: str
    path: str
    peer: str
    first: Call
    last: Call
    count: int = 1
    held: Held | None = None

    @property
    def base(self) -> str:
        """The last name in the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def message(self) -> str:
        """The words of strerror(3) for the error."""
        return MESSAGES.get(self.error, self.error)


MESSAGES: Final = dict(ERRNO.values())


class Failures:
    """The failed calls of a trace, without those that only probe."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, str, str, str, str], Failure] = {}
        self._connecting: dict[Opened | tuple[int, int], Call] = {}
        self._not_searched: set[str] = set()
        self._there: dict[str, None] = {}  # paths that were found, and their last names

    def __iter__(self) -> Iterator[Failure]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def fail(self, call: Call) -> None:
        """Observes a call that returned an error, or that seccomp refused."""
        number = -call.result if call.result is not None else 0
        error = ERRNO[number][0] if number in ERRNO else ""
        if error == "EISCONN" and call.name == "connect":
            self.connected(call)
        if error == "EINPROGRESS" and call.registers:
            self._connecting[_socket(call)] = call
            if len(self._connecting) > _OPEN_FILES_MAX:
                del self._connecting[next(iter(self._connecting))]
        if error in noise.QUIET and not (call.by_seccomp or (error == "EAGAIN" and call.name in FORKS)):
            return
        path = subject.path(call)
        peer = "" if path else subject.peer(call)
        if not call.by_seccomp and noise.is_probe(call, error, path or peer) and call.name not in FORKS:
            return
        self._note(call, error, path, peer)

    def succeed(self, call: Call) -> None:
        """Observes a call that named a path and found it."""
        path = subject.path(call)
        for name in (path, path.rstrip("/").rpartition("/")[2]) if path else ():
            self._there.pop(name, None)
            self._there[name] = None
            if len(self._there) > _THERE_MAX:
                del self._there[next(iter(self._there))]

    def was_found(self, name: str) -> bool:
        """Tells whether a path, or a file of this name in any directory, was found or executed."""
        return name in self._there

    def was_not_searched(self, path: str) -> bool:
        """Tells whether a call that only asks about a path was refused: so a directory on the way to it is."""
        return path in self._not_searched

    def connected(self, call: Call) -> None:
        """Observes a connect that succeeded: the process reached the peer after all."""
        if noise.sends_nothing(call):
            return
        peer = subject.peer(call)
        for error in _CONNECT_ERRORS if peer else ():
            self._found.pop((call.pid, "connect", error, "", peer), None)

    def option(self, call: Call) -> None:
        """Observes getsockopt: it tells how a connection that was begun ended."""
        if len(call.registers) < 4 or call.registers[1:3] != _SO_ERROR:
            return
        data = next((item.data for item in call.items.get(3, ()) if item.out), b"")
        number = int.from_bytes(data[:4], "little")
        begun = self._connecting.pop(_socket(call), None)
        if begun is not None and not number:
            self.connected(begun)
        elif begun is not None and number in ERRNO and not _is_connected(call):
            whole = begun._replace(result=-number, end_ns=call.ts_ns)
            self._note(whole, ERRNO[number][0], "", subject.peer(begun))

    def _note(self, call: Call, error: str, path: str, peer: str) -> None:
        if error == "EACCES" and call.name in noise.STATS and len(self._not_searched) < _FAILURES_MAX:
            self._not_searched.add(path)
        key = call.pid, call.name, error, path, peer or ("" if path else subject.descriptor(call))
        failure = self._found.pop(key, None)
        if failure is None:
            if len(self._found) >= _FAILURES_MAX:
                del self._found[next(iter(self._found))]
            failure = Failure(call.pid, call.name, error, path or ("" if peer else key[4]), peer, call, call)
            if error in ("EMFILE", "ENFILE"):
                failure.held = _held(call)
        else:
            failure.count += 1
            failure.last = call
        self._found[key] = failure


def _socket(call: Call) -> Opened | tuple[int, int]:
    # The open file, as another may get its number; the number only where the file is not known.
    return open_file(call, call.registers[0] & _INT) or (call.pid, call.registers[0])


def _is_connected(call: Call) -> bool:
    known = call.files.before.get(call.registers[0] & _INT) if call.files is not None else None
    return known is not None and known.socket is not None and known.socket.remote != ""


def _held(call: Call) -> Held:
    counts: dict[str, int] = {}
    count = highest = 0
    for fd in range(_OPEN_FILES_MAX if call.files is not None else 0):
        known = call.files.before.get(fd) if call.files is not None else None
        if known is None:
            continue
        count, highest = count + 1, fd
        if known.text:
            name = subject.bare(known.text)
            counts[name] = counts.get(name, 0) + 1
    below = highest + 1 if count and call.name in _TAKES_LOWEST and call.request is None else 0
    return Held(tuple(sorted(counts.items(), key=lambda one: -one[1])), count, below)
