# SPDX-License-Identifier: Apache-2.0
"""The plugin's side of an NRI session: its first request, and its answers to the runtime's requests.

Theory of operation::

    the plugin             the runtime
    RegisterPlugin     ->
                       <-  the answer; Configure
    the wanted events  ->
                       <-  Synchronize, once or more often: all pods and containers
    empty              ->
                       <-  the events, each of which waits for its answer
    empty              ->

The runtime holds up a container until it gets an answer, and does not start the container if the answer is an error. So
every request is answered; an empty answer means success without changes to the container. The module does no I/O.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Protobuf

from traceloop_daemon.errors import NriError
from traceloop_daemon.nri.wire import PLUGIN, REQUEST, RESPONSE, RUNTIME, Message, Reader, encode
from traceloop_proto import nri_pb2 as pb

PLUGIN_NAME: Final = "traceloop"
_INDEX: Final = "90"  # after plugins that change containers
_RUNTIME_SERVICE: Final = "nri.pkg.api.v1alpha1.Runtime"
_REGISTRATION_STREAM: Final = 1  # a client's streams are odd
_OBJECTS_MAX: Final = 1 << 16
_SHOWN_MAX: Final = 200
_METHODS: Final = {
    "RunPodSandbox": pb.EVENT_RUN_POD_SANDBOX,
    "RemovePodSandbox": pb.EVENT_REMOVE_POD_SANDBOX,
    "StartContainer": pb.EVENT_START_CONTAINER,
    "RemoveContainer": pb.EVENT_REMOVE_CONTAINER,
}
EVENTS: Final = sum(1 << (event - 1) for event in _METHODS.values())
_log = logging.getLogger(__name__)


class Listener(Protocol):
    """The receiver of the runtime's reports. Its exceptions pass through `receive`."""

    def synchronize(self, runtime: str, pods: Sequence[pb.PodSandbox], containers: Sequence[pb.Container]) -> None:
        """Reports all pods and containers; the session is established. runtime: the runtime's name and version."""

    def event(self, event: int, pod: pb.PodSandbox, container: pb.Container) -> None:
        """Reports one of EVENTS. container: empty in events of a pod."""


class Session:
    """The state of one connection, from its first byte to its last."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._reader = Reader()
        self._runtime = ""
        self._pods: list[pb.PodSandbox] = []
        self._containers: list[pb.Container] = []

    def begin(self) -> bytes:
        """Returns the first bytes to send."""
        asked = pb.RegisterPluginRequest(plugin_name=PLUGIN_NAME, plugin_idx=_INDEX)
        request = pb.Request(service=_RUNTIME_SERVICE, method="RegisterPlugin", payload=asked.SerializeToString())
        return encode(Message(RUNTIME, _REGISTRATION_STREAM, REQUEST, request.SerializeToString()))

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Takes received bytes and yields each answer to send as soon as it is known. Raises NriError."""
        for message in self._reader.feed(data):
            if (message.connection, message.kind) == (PLUGIN, REQUEST):
                answer = pb.Response(payload=self._answer(message).SerializeToString())
                yield encode(Message(PLUGIN, message.stream, RESPONSE, answer.SerializeToString()))
            elif (message.connection, message.kind) == (RUNTIME, RESPONSE):
                self._registered(message)

    @staticmethod
    def _registered(message: Message) -> None:
        try:
            status = pb.Response.FromString(message.payload).status
        except DecodeError as error:
            raise NriError("the runtime's answer is not a valid protobuf") from error
        if status.code:
            raise NriError(f"the runtime refused the plugin: {ascii(status.message)[:_SHOWN_MAX]}")

    def _answer(self, message: Message) -> Protobuf:
        method = "a request"
        try:
            request = pb.Request.FromString(message.payload)
            method = ascii(request.method)[:_SHOWN_MAX]
            answer = _ANSWERS.get(request.method)
            if answer is not None:
                return answer(self, request.payload)
            if request.method in _METHODS:
                told = pb.EventRequest.FromString(request.payload)
                self._listener.event(_METHODS[request.method], told.pod, told.container)
        except DecodeError:
            _log.warning("NRI: %s could not be decoded and is ignored: it is not the expected protobuf", method)
        return pb.Response()

    def _configure(self, payload: bytes) -> Protobuf:
        asked = pb.ConfigureRequest.FromString(payload)
        self._runtime = ascii(f"{asked.runtime_name} {asked.runtime_version}".strip())[1:-1][:_SHOWN_MAX]
        return pb.ConfigureResponse(events=EVENTS)

    def _synchronize(self, payload: bytes) -> Protobuf:
        part = pb.SynchronizeRequest.FromString(payload)
        part.DiscardUnknownFields()  # environments and mounts, which are most of it
        self._pods += part.pods
        self._containers += part.containers
        if len(self._pods) + len(self._containers) > _OBJECTS_MAX:
            raise NriError(f"the runtime reported more than {_OBJECTS_MAX} pods and containers")
        if not part.more:
            pods, self._pods = self._pods, []
            containers, self._containers = self._containers, []
            self._listener.synchronize(self._runtime, pods, containers)
        return pb.SynchronizeResponse(more=part.more)

    def _state_change(self, payload: bytes) -> Protobuf:
        told = pb.StateChangeEvent.FromString(payload)
        if told.event in _METHODS.values():
            self._listener.event(told.event, told.pod, told.container)
        return pb.Response()


_ANSWERS: Final[dict[str, Callable[[Session, bytes], Protobuf]]] = {
    "Configure": Session._configure,  # noqa: SLF001
    "Synchronize": Session._synchronize,  # noqa: SLF001
    "StateChange": Session._state_change,  # noqa: SLF001
}
