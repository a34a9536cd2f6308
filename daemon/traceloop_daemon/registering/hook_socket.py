# SPDX-License-Identifier: Apache-2.0
"""The hook socket: reads hooks' messages, passes them to a handler, and answers each in one line.

A hook's container waits for the answer, so the socket never waits for a hook: connections are read as bytes arrive, and
closed if the message is not complete in time. Files that a message needs are read in other threads meanwhile.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Final

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.recording.journal import HOOK_REFUSED
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.registering.oci import MESSAGE_MAX_BYTES
from traceloop_daemon.system.loop import READABLE, Loop
from traceloop_daemon.system.sockets import bind_private, is_served
from traceloop_decode.safe_text import utf8

_UCRED: Final = Struct("=iII")  # pid, uid, gid; unix(7), SO_PEERCRED
_BACKLOG: Final = 1024
_READ_BYTES: Final = 1 << 16
_SILENCE_MAX_S: Final = 10.0
_PAUSE_S: Final = 0.1
_log = logging.getLogger(__name__)

Rest = Callable[[], "Deferred | None"]
Deferred = Callable[[Callable[[Rest], None]], None]
"""Work that takes time: called with a function, which it calls in the loop's thread with the rest of the work."""


class HookSocket:
    """Accepts messages from root alone. `handle` is called with each message; raises RegistrationError to refuse it.

    If `handle` returns a Deferred, the hook is answered after the deferred work is done.
    """

    def __init__(
        self,
        loop: Loop,
        path: Path,
        handle: Callable[[bytes], Deferred | None],
        tally: Tally,
        *,
        fds: Sequence[int] = (),
        keep: Callable[[int], None] | None = None,
    ) -> None:
        """Listens at `path`, or at the listening sockets `fds` that systemd passed; their path stays after `close`.

        keep: stores the descriptor of a socket that `mend` makes, so that the socket outlives this process.
        """
        self._loop, self._handle, self._path, self._tally = loop, handle, path, tally
        self._connections: set[_Connection] = set()
        self._listeners: list[socket.socket] = []
        self._paused: set[socket.socket] = set()  # listeners that are not watched for a moment
        self._complained = False
        self._own, self._keep = not fds, keep
        for listener in [socket.socket(fileno=os.dup(fd)) for fd in fds] or [_listen(path)]:
            self._watch(listener)

    def mend(self) -> list[str]:
        """Listens again at the path if somebody removed it, and returns the path then. Raises OSError.

        After that, a socket that systemd passed is used neither by this daemon nor by the next ones.
        """
        if is_served(self._path):
            return []
        self._path.unlink(missing_ok=True)
        listener = _listen(self._path)
        self._own = self._keep is None
        if self._keep is not None:
            self._keep(listener.fileno())
        while self._listeners:
            former = self._listeners.pop()
            while self._accept(former):  # clients that connected before the path was removed
                pass
            self._unwatch(former)
            former.close()
        self._watch(listener)
        return [str(self._path)]

    def close(self) -> None:
        """Ends open connections, and removes the socket if it is this daemon's own."""
        for connection in list(self._connections):
            self._end(connection)
        for listener in self._listeners:
            self._unwatch(listener)
            listener.close()
        if self._own:
            self._path.unlink(missing_ok=True)

    def _watch(self, listener: socket.socket) -> None:
        listener.setblocking(False)  # noqa: FBT003
        self._listeners.append(listener)
        self._resume(listener)

    def _resume(self, listener: socket.socket) -> None:
        self._paused.discard(listener)
        if listener not in self._listeners:
            return
        try:
            self._loop.watch(listener.fileno(), READABLE, lambda: self._accept(listener))
        except OSError as error:  # the kernel has no memory, or allows no more watches
            self._resume_later(listener, error)

    def _unwatch(self, listener: socket.socket) -> None:
        if listener in self._paused:
            self._paused.discard(listener)
        else:
            self._loop.unwatch(listener.fileno())

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        # Out of descriptors. The listener stays readable: without a pause the loop would spin.
        self._loop.unwatch(listener.fileno())
        self._resume_later(listener, error)

    def _resume_later(self, listener: socket.socket, error: OSError) -> None:
        self._paused.add(listener)
        self._loop.call_later(_PAUSE_S, lambda: self._resume(listener))
        if not self._complained:  # once, until a hook is accepted again
            self._complained = True
            _log.error("cannot accept hooks: %s; retrying every %g s", error, _PAUSE_S)

    def _accept(self, listener: socket.socket) -> bool:
        # Returns whether a client was accepted.
        try:
            peer, _ = listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:  # the hook reports that there was no answer
            if listener not in self._paused:
                self._pause(listener, error)
            return False
        self._complained = False
        peer.setblocking(False)  # noqa: FBT003
        _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        connection = _Connection(peer)
        try:
            self._loop.watch(peer.fileno(), READABLE, lambda: self._read(connection))
        except OSError as error:  # the kernel has no memory, or allows no more watches
            _log.warning("a hook cannot be heard: %s", error)
            peer.close()
            return False
        self._connections.add(connection)
        if uid != 0:
            self._answer(connection, f"uid {uid} may not register containers, only root may")
        else:
            self._loop.call_later(_SILENCE_MAX_S, lambda: self._give_up(connection))
        return True

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            _log.warning("a hook disconnected before its message was read: %s", error)
            self._end(connection)
            return
        connection.message += data
        if data and len(connection.message) <= MESSAGE_MAX_BYTES:
            return
        self._carry_out(connection, lambda: self._handle(bytes(connection.message)))

    def _carry_out(self, connection: _Connection, work: Rest) -> None:
        try:
            deferred = work()
        except RegistrationError as error:
            self._answer(connection, str(error))
        except Exception as error:  # noqa: BLE001 - one container's message must not end the recording of all others
            _log.exception("a hook's message is refused: internal error in traceloopd: please report it")
            self._answer(connection, f"internal error in traceloopd: {type(error).__name__}: see its log; report it")
        else:
            if deferred is None:
                self._answer(connection, None)
            else:
                self._unwatch_hook(connection)  # at end of file the socket stays readable
                deferred(partial(self._carry_out, connection))

    def _give_up(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._answer(connection, f"no whole message within {_SILENCE_MAX_S:g} s")

    def _answer(self, connection: _Connection, error: str | None) -> None:
        if error is not None:
            _log.warning("%s", error, extra={"MESSAGE_ID": HOOK_REFUSED})
        try:
            said = "ok" if error is None else f"error: {error}"
            connection.socket.send(utf8(said) + b"\n")  # a cgroup's name may be any bytes
        except OSError as gone:
            _log.warning("a hook disconnected before it was answered: %s", gone)
        self._tally.hook_answered(time.monotonic() - connection.accepted_s, refused=error is not None)
        self._end(connection)

    def _end(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        self._unwatch_hook(connection)
        connection.socket.close()

    def _unwatch_hook(self, connection: _Connection) -> None:
        if connection.is_watched:
            connection.is_watched = False
            self._loop.unwatch(connection.socket.fileno())


def _listen(path: Path) -> socket.socket:
    listener = bind_private(path)
    listener.listen(_BACKLOG)
    return listener


class _Connection:
    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.accepted_s = time.monotonic()
        self.message = bytearray()
        self.is_watched = True
