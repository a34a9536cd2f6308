# SPDX-License-Identifier: Apache-2.0
"""The daemon as a plugin of an engine's Node Resource Interface, which connects and reconnects without end.

Everything runs in the loop's thread. Of each kind of failure (no permission, no engine, invalid message), only the
first is logged until the connection is established again. So an engine that is restarted or missing causes one line.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from traceloop_daemon.errors import NriError, RegistrationError
from traceloop_daemon.naming.names import Registration
from traceloop_daemon.nri.containers import of_container, of_sandbox
from traceloop_daemon.nri.session import Session
from traceloop_daemon.recording.journal import HOOK_REFUSED
from traceloop_daemon.system.loop import READABLE, Loop
from traceloop_proto import nri_pb2 as pb

_AGAIN_S: Final = 0.1
_AGAIN_MAX_S: Final = 10.0
_READ_BYTES: Final = 1 << 18
_RUNNING: Final = (pb.CONTAINER_RUNNING, pb.CONTAINER_PAUSED)
_KINDS: Final = (PermissionError, OSError, NriError)  # kinds of failures; the first that matches counts
_ACCESS: Final = "the daemon's user may not use it: /usr/share/doc/traceloop/nri.md says how to give it access"
_INTERNAL: Final = "internal error in traceloopd at a container that NRI reported: please report it"
_log = logging.getLogger(__name__)


class NriPlugin:
    """Registers the containers that an engine starts, and those running when the connection is established.

    register: may raise RegistrationError. removed: called with the id of a container that the engine removes.
    """

    def __init__(
        self,
        loop: Loop,
        path: Path,
        *,
        register: Callable[[Registration], None],
        removed: Callable[[str], None],
    ) -> None:
        """Schedules the first connection, which is made once the loop runs."""
        self._loop, self._path = loop, path
        self._register, self._removed = register, removed
        self._socket: socket.socket | None = None
        self._session = Session(self)
        self._known: set[str] = set()  # ids of containers that were registered or excluded
        self._wait_s = _AGAIN_S
        self._told: set[type[OSError | NriError]] = set()  # kinds logged since the connection was last established
        self._closed = False
        loop.call_later(0, self._connect)

    def close(self) -> None:
        """Disconnects for good. Recordings continue."""
        self._closed = True
        self._disconnect()

    # -- the connection

    def _connect(self) -> None:
        if self._closed:
            return
        with ExitStack() as stack:
            try:
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                stack.callback(peer.close)
                peer.connect(str(self._path))
                self._session = Session(self)
                peer.sendall(self._session.begin())
                self._loop.watch(peer.fileno(), READABLE, self._read)
            except OSError as error:
                self._lost(error)
                return
            stack.pop_all()
        self._socket = peer

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error)
            return
        if not data:
            self._lost(ConnectionError("the engine closed the connection"))
            return
        try:
            for answer in self._session.receive(data):
                self._socket.sendall(answer)  # a few bytes: there is room for them unless the engine reads nothing
        except (OSError, NriError) as error:
            self._lost(error)

    def _lost(self, error: OSError | NriError) -> None:
        self._disconnect()
        kind = next(kind for kind in _KINDS if isinstance(error, kind))
        if kind not in self._told:
            self._told.add(kind)
            why = _ACCESS if kind is PermissionError else str(error)
            _log.warning("no NRI at %s: %s; containers that hooks do not register are not recorded", self._path, why)
        self._loop.call_later(self._wait_s, self._connect)
        self._wait_s = min(2 * self._wait_s, _AGAIN_MAX_S)

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    # -- reports of the engine: an error of one container must not affect others

    def synchronize(self, runtime: str, pods: Sequence[pb.PodSandbox], containers: Sequence[pb.Container]) -> None:
        """Implements session.Listener: registers all running containers."""
        self._told.clear()
        self._wait_s = _AGAIN_S
        _log.info("NRI at %s: %s, %d containers", self._path, runtime or "a runtime without a name", len(containers))
        by_id = {pod.id: pod for pod in pods}
        self._known &= by_id.keys() | {container.id for container in containers}
        for pod in pods:
            self._sandbox(pod)
        for container in containers:
            if container.state in _RUNNING:
                self._container(by_id.get(container.pod_sandbox_id, pb.PodSandbox()), container)

    def event(self, event: int, pod: pb.PodSandbox, container: pb.Container) -> None:
        """Implements session.Listener: registers a started container, or reports a removed one."""
        if event == pb.EVENT_RUN_POD_SANDBOX:
            self._sandbox(pod)
        elif event == pb.EVENT_START_CONTAINER:
            self._container(pod, container, starting=True)
        else:
            gone = pod.id if event == pb.EVENT_REMOVE_POD_SANDBOX else container.id
            self._known.discard(gone)
            try:
                self._removed(gone)
            except Exception:  # noqa: BLE001 - as at a container that starts
                _log.exception(_INTERNAL)

    def _sandbox(self, pod: pb.PodSandbox) -> None:
        self._once(pod.id, lambda: of_sandbox(pod))

    def _container(self, pod: pb.PodSandbox, container: pb.Container, *, starting: bool = False) -> None:
        self._once(container.id, lambda: replace(of_container(pod, container), starting=starting))

    def _once(self, container_id: str, told: Callable[[], Registration]) -> None:
        # A container whose trace the user closed must not be recorded again when the engine is restarted.
        if container_id in self._known:
            return
        try:
            self._register(told())
        except RegistrationError as error:
            _log.warning("%s", error, extra={"MESSAGE_ID": HOOK_REFUSED})
        except Exception:  # noqa: BLE001 - one container's data must not end the recording of all others
            _log.exception(_INTERNAL)
        else:
            self._known.add(container_id)
