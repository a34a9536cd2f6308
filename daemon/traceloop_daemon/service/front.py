# SPDX-License-Identifier: Apache-2.0
"""The front of traceloop.sock: limits each user's connections, and passes their bytes on to gRPC.

gRPC accepts every connection, and does not ask which user connects. So gRPC listens where only the daemon can connect,
and this thread listens at the path that members of the group use. It asks the kernel for the peer's uid (SO_PEERCRED,
unix(7)) and refuses users that have their share. After a client has sent the preface of HTTP/2 (RFC 9113, 3.4), its
connection is passed on to gRPC, from an address that contains the uid (`uid_of`). Each direction has one buffer. A
source is not read while its buffer has bytes; if none of them can be passed on for `_STALLED_MAX_S`, the connection
ends. Bytes beyond a user's allowance wait in the user's socket.

grpcio does not serve here: its interceptors see calls, not the connections that were accepted for them.
"""

from __future__ import annotations

import logging
import math
import os
import resource
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final

from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.service.peers import ROOT, Allowances, Complaints, Share, Taken
from traceloop_daemon.system.sockets import bind_private, is_served, share

_UCRED: Final = Struct("=iII")  # pid, uid, gid; unix(7), SO_PEERCRED
_BACKLOG: Final = 256
_TOGETHER: Final = 256
_EACH_PART: Final = 4
"""The divisor of all members' connections that gives the most for one user."""
_FDS_PART: Final = 24
"""Three descriptors per connection, of members and of root: connections use a quarter of the process's limit."""
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PREFACE_MAX_S: Final = 10.0
_STALLED_MAX_S: Final = 30.0
_BUFFER_BYTES: Final = 64 << 10
_SAID_PER_S: Final = 8 << 10
_SAID_MOST: Final = 32 << 10
_CONNECTING: Final = 1 << 8
"""The cost of a connection, in bytes of the user's allowance."""
_LAST_WORDS_S: Final = 0.5
_TICK_S: Final = 0.05
_SWEEP_S: Final = 1.0
_ACCEPT_MAX: Final = 64  # refusals per tick
_IN, _OUT, _HUP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR
_log = logging.getLogger(__name__)


def uid_of(peer: str) -> int:
    """Returns the uid of a connection through a Front. peer: as ServicerContext.peer() has it."""
    return int(Path(peer).name)


class Front:
    """Listens at `path`, for root and the group; gRPC listens at `inner`. The methods may be called from any thread."""

    def __init__(self, path: Path, inner: Path, tally: Tally, sweep: Callable[[], None]) -> None:
        """Begins to listen. sweep: called once a second. Raises OSError."""
        self._path, self._inner, self._tally, self._sweep = path, inner, tally, sweep
        together = min(_TOGETHER, max(_EACH_PART, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _FDS_PART))
        self._taken = Taken(Share(together // _EACH_PART, together))
        self._allowances = Allowances(_SAID_PER_S, _SAID_MOST)
        self._complaints = Complaints(_log.warning)
        self._epoll = select.epoll()
        self._by_fd: dict[int, _Connection] = {}
        self._silenced: set[_Connection] = set()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake_fd, _IN)
        self._until_s = math.inf
        self._listener = _listen(path)
        self._next: socket.socket | None = None
        self._epoll.register(self._listener, _IN)
        self._accepting = True
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)
        self._thread.start()

    def mend(self) -> list[str]:
        """Listens again at the path if nobody does, and returns the path then. Raises OSError."""
        if self._next is not None or is_served(self._path):
            return []
        self._path.unlink(missing_ok=True)
        self._next = _listen(self._path)
        os.eventfd_write(self._wake_fd, 1)
        return [str(self._path)]

    def close(self) -> None:
        """Passes on gRPC's last bytes, ends all connections, and removes the socket."""
        self._until_s = time.monotonic() + _LAST_WORDS_S
        os.eventfd_write(self._wake_fd, 1)
        self._thread.join()
        for connection in set(self._by_fd.values()):
            self._end(connection)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        self._epoll.close()
        os.close(self._wake_fd)

    # -- in the thread

    def _run(self) -> None:
        sweep_s = time.monotonic()
        while time.monotonic() < self._until_s:
            if self._until_s < math.inf and not any(one.inner for one in self._by_fd.values()):
                return
            hurried = self._silenced or not self._accepting or self._until_s < math.inf
            found = self._epoll.poll(_TICK_S if hurried else _SWEEP_S)
            for fd, events, connection in [(fd, events, self._by_fd.get(fd)) for fd, events in found]:
                if fd == self._wake_fd:
                    self._surely(self._woken)
                elif fd == self._listener.fileno():
                    self._surely(self._accept_all)
                elif connection is not None and self._by_fd.get(fd) is connection:  # else another's has this number now
                    self._turn(connection, hung_up=events & _HUP and fd)
            self._surely(self._hear_again)
            if time.monotonic() >= sweep_s:
                sweep_s = time.monotonic() + _SWEEP_S
                self._surely(self._end_overdue)
                self._surely(self._sweep)

    def _surely(self, step: Callable[[], None]) -> None:
        # The thread serves everyone, so it goes on whatever happens.
        try:
            step()
        except OSError as error:
            self._complaints.add(os.getuid(), "traceloop.sock could not be served as it should", str(error))
        except Exception:  # noqa: BLE001 - as above
            _log.exception("internal error in traceloopd: please report it")

    def _woken(self) -> None:
        os.eventfd_read(self._wake_fd)
        if self._next is not None:
            if self._accepting:
                self._epoll.unregister(self._listener)
            self._listener.close()
            self._listener, self._next = self._next, None
            self._accepting = False

    def _accept_all(self) -> None:
        refused = 0
        while refused < _ACCEPT_MAX:
            try:
                peer, _ = self._listener.accept()
            except BlockingIOError:
                break
            except OSError as error:  # no descriptors are left
                self._complaints.add(os.getuid(), "a connection to traceloop.sock could not be accepted", str(error))
                refused = _ACCEPT_MAX
                break
            refused += not self._accept(peer)
        if refused:  # so that a client that connects again and again has to wait
            self._epoll.unregister(self._listener)
            self._accepting = False

    def _accept(self, peer: socket.socket) -> bool:
        peer.setblocking(False)  # noqa: FBT003
        _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        self._allowances.spend(uid, _CONNECTING)
        if (why := self._taken.take(uid)) is not None:
            self._tally.add(Counted.CONNECTIONS_REFUSED)
            self._complaints.add(uid, "a connection to traceloop.sock was refused", f"{why} already")
            with suppress(OSError):  # not HTTP/2, so that gRPC's clients fail at once and do not retry
                peer.send(f"{why} connections already: end some, then try again\n".encode())
            peer.close()
            return False
        try:
            self._epoll.register(peer, 0)
        except OSError as error:  # the kernel has no memory, or allows no more watches
            self._complaints.add(uid, "a connection to traceloop.sock could not be accepted", str(error))
            self._taken.give_back(uid)
            peer.close()
            return False
        connection = _Connection(peer, uid)
        self._by_fd[peer.fileno()] = connection
        self._watch(connection)
        return True

    def _turn(self, connection: _Connection, *, hung_up: int) -> None:
        try:
            if hung_up == connection.client.fileno():
                self._end(connection)  # nobody is left to read an answer
                return
            if hung_up:
                self._leave_inner(connection)
            if connection.inner is None and not self._begin(connection):
                return
            self._pass_on(connection)
            if connection.down.is_over:
                self._end(connection)
            else:
                self._watch(connection)
        except OSError:  # the client or gRPC has closed its side
            self._end(connection)
        except Exception as error:  # noqa: BLE001 - one client's bytes must not end the connections of all others
            _log.exception("a connection is closed: internal error in traceloopd: please report it")
            self._complaints.add(connection.uid, "a connection to traceloop.sock was ended", repr(error))
            self._end(connection)

    def _pass_on(self, connection: _Connection) -> None:
        if not connection.inner_hung_up:
            try:
                said = connection.up.move(heard=self._may_speak(connection))
                self._allowances.spend(connection.uid, said)
            except (BrokenPipeError, ConnectionResetError):
                self._leave_inner(connection)
        connection.down.move()
        while connection.inner_hung_up and connection.down.is_open and not connection.down.waiting:
            connection.down.move()

    def _leave_inner(self, connection: _Connection) -> None:
        # gRPC has closed the connection: its last bytes are still to be passed on.
        assert connection.inner is not None
        self._epoll.unregister(connection.inner)
        connection.inner_hung_up = True

    def _may_speak(self, connection: _Connection) -> bool:
        if connection.uid == ROOT or not self._allowances.is_spent(connection.uid):
            return True
        self._silenced.add(connection)
        return False

    def _hear_again(self) -> None:
        if not self._accepting:
            self._epoll.register(self._listener, _IN)
            self._accepting = True
        for connection in [one for one in self._silenced if not self._allowances.is_spent(one.uid)]:
            self._silenced.discard(connection)
            self._turn(connection, hung_up=0)

    def _begin(self, connection: _Connection) -> bool:
        # Returns whether the client has sent the preface of HTTP/2, and is connected to gRPC now.
        said = connection.client.recv(len(_PREFACE) - len(connection.first))
        connection.first += said
        if connection.first != _PREFACE:
            if not said or not _PREFACE.startswith(connection.first):
                self._end(connection)
            return False
        inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.inner = inner
        inner.setblocking(False)  # noqa: FBT003
        name = self._inner.parent / str(connection.uid)
        inner.bind(str(name))
        name.unlink()  # gRPC still gets this address as the peer's
        inner.connect(str(self._inner))
        self._by_fd[inner.fileno()] = connection
        self._epoll.register(inner, 0)
        connection.up, connection.down = _Way(connection.client, inner), _Way(inner, connection.client)
        connection.up.waiting += connection.first
        return True

    def _watch(self, connection: _Connection) -> None:
        # Waits only for events that let the connection proceed.
        if connection.inner is None:
            self._epoll.modify(connection.client, _IN)
            return
        up, down = connection.up, connection.down
        silenced = connection in self._silenced
        hears, tells = up.is_open and not up.waiting and not silenced, bool(down.waiting)
        self._epoll.modify(connection.client, hears * _IN | tells * _OUT)
        if not connection.inner_hung_up:
            hears, tells = down.is_open and not down.waiting, bool(up.waiting)
            self._epoll.modify(connection.inner, hears * _IN | tells * _OUT)

    def _end_overdue(self) -> None:
        now_s = time.monotonic()
        for connection in set(self._by_fd.values()):
            if connection.inner is None:
                if now_s - connection.began_s > _PREFACE_MAX_S:
                    self._end(connection)
            elif any(way.waiting and now_s - way.moved_s > _STALLED_MAX_S for way in (connection.up, connection.down)):
                why = f"nothing was read for {_STALLED_MAX_S:g} s"
                self._complaints.add(connection.uid, "a connection to traceloop.sock was ended", why)
                self._end(connection)
        self._allowances.forget_silent()

    def _end(self, connection: _Connection) -> None:
        self._silenced.discard(connection)
        for one in (connection.client, connection.inner):
            if one is not None:
                self._by_fd.pop(one.fileno(), None)
                one.close()  # which takes it out of the epoll set
        self._taken.give_back(connection.uid)


class _Way:
    # One direction, from one socket to the other through one buffer.
    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self._source, self._sink = source, sink
        self.waiting = bytearray()
        self.is_open = True
        self.is_over = False  # the end was passed on to the sink
        self.moved_s = time.monotonic()

    def move(self, *, heard: bool = True) -> int:
        # Passes on what it can, and returns how many bytes it read. Raises OSError.
        came = b""
        if heard and self.is_open and not self.waiting:
            with suppress(BlockingIOError):
                came = self._source.recv(_BUFFER_BYTES)
                self.is_open = bool(came)
                self.waiting += came
                self.moved_s = time.monotonic()
        if self.waiting:
            with suppress(BlockingIOError):
                del self.waiting[: self._sink.send(self.waiting)]
                self.moved_s = time.monotonic()
        if not self.is_open and not self.waiting and not self.is_over:
            self._sink.shutdown(socket.SHUT_WR)
            self.is_over = True
        return len(came)


class _Connection:
    up: _Way
    down: _Way

    def __init__(self, client: socket.socket, uid: int) -> None:
        self.client, self.uid = client, uid
        self.inner: socket.socket | None = None
        self.inner_hung_up = False
        self.first = b""
        self.began_s = time.monotonic()


def _listen(path: Path) -> socket.socket:
    listener = bind_private(path)
    try:
        share(path)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003
    listener.listen(_BACKLOG)
    return listener
