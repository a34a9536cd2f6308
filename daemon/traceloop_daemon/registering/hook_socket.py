# SPDX-License-Identifier: Apache-2.0
"""The hook socket: reads each message to its end, hands it on, answers in one line.

A hook's container waits for the answer, so nothing here waits for a hook: connections are read as bytes come, and one
that is silent for too long is closed. What a message needs to have read from files, others read meanwhile.
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
from traceloop_daemon.system.sockets import is_served, private

_UCRED: Final = Struct("=iII")  # pid, uid, gid; unix(7), SO_PEERCRED
_BACKLOG: Final = 1024
_READ_BYTES: Final = 1 << 16
_SILENCE_MAX_S: Final = 10.0
_PAUSE_S: Final = 0.1
_log = logging.getLogger(__name__)

Rest = Callable[[], "Deferred | None"]
Deferred = Callable[[Callable[[Rest], None]], None]
"""What cannot be done at once: is given what it calls, in the loop's thread, with what remains to be done."""


class HookSocket:
    """Listens for root alone. `handle` gets a whole message, and raises RegistrationError to refuse it.

    What it returns, if anything, is the rest of its work, and the hook is answered after that.
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
        """At `path`; or at listening sockets `fds` of someone else's there, whose path stays when this one closes.

        keep: takes the descriptor of one that `mend` makes to where it outlives this process.
        """
        self._loop, self._handle, self._path, self._tally = loop, handle, path, tally
        self._connections: set[_Connection] = set()
        self._listeners: list[socket.socket] = []
        self._paused: set[socket.socket] = set()  # listeners that are left alone for a moment
        self._complained = False
        self._own, self._keep = not fds, keep
        for listener in [socket.socket(fileno=os.dup(fd)) for fd in fds] or [_listen(path)]:
            self._watch(listener)

    def mend(self) -> list[str]:
        """Listens at its path if nobody does: returns the path then. Raises OSError.

        So it is where that was removed. The socket that systemd passed is none any more from then on, also for the
        daemons that follow.
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
            while self._accept(former):  # those who came before it was removed
                pass
            self._unwatch(former)
            former.close()
        self._watch(listener)
        return [str(self._path)]

    def close(self) -> None:
        """Ends what is open, and takes its own socket away."""
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
        if listener in self._listeners:
            self._loop.watch(listener.fileno(), READABLE, lambda: self._accept(listener))

    def _unwatch(self, listener: socket.socket) -> None:
        if listener in self._paused:
            self._paused.discard(listener)
        else:
            self._loop.unwatch(listener.fileno())

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        # Out of descriptors. It stays readable: without a pause the loop would do nothing but come back to it.
        self._loop.unwatch(listener.fileno())
        self._paused.add(listener)
        self._loop.call_later(_PAUSE_S, lambda: self._resume(listener))
        if not self._complained:  # once, until one is heard again
            self._complained = True
            _log.error("hooks cannot be heard: %s; it is tried again and again", error)

    def _accept(self, listener: socket.socket) -> bool:
        # Whether someone came.
        try:
            peer, _ = listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:  # the hook will tell its user that no one answered
            if listener not in self._paused:
                self._pause(listener, error)
            return False
        self._complained = False
        peer.setblocking(False)  # noqa: FBT003
        _, uid, _ = _UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        connection = _Connection(peer)
        self._connections.add(connection)
        self._loop.watch(peer.fileno(), READABLE, lambda: self._read(connection))
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
            _log.warning("a hook went away before its message was read: %s", error)
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
        except Exception as error:  # noqa: BLE001 - what one container brings must not end the recording of all others
            _log.exception("a hook's message met a fault of traceloopd's: please report it")
            self._answer(connection, f"this met a fault of traceloopd's: {type(error).__name__}; see its log")
        else:
            if deferred is None:
                self._answer(connection, None)
            else:
                self._unwatch_hook(connection)  # the end of its message can be read for ever
                deferred(partial(self._carry_out, connection))

    def _give_up(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._answer(connection, f"no whole message within {_SILENCE_MAX_S:g} s")

    def _answer(self, connection: _Connection, error: str | None) -> None:
        if error is not None:
            _log.warning("%s", error, extra={"MESSAGE_ID": HOOK_REFUSED})
        try:
            said = "ok" if error is None else f"error: {error}"
            connection.socket.send(said.encode("utf-8", "backslashreplace") + b"\n")  # a cgroup's name may be any bytes
        except OSError as gone:
            _log.warning("a hook did not wait for its answer: %s", gone)
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
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with private():
        listener.bind(str(path))
    listener.listen(_BACKLOG)
    return listener


class _Connection:
    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.accepted_s = time.monotonic()
        self.message = bytearray()
        self.is_watched = True
