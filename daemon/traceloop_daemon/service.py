# SPDX-License-Identifier: Apache-2.0
"""The gRPC service: traceloop.v1.Recorder over a Recorder. Status codes are chosen here and nowhere else.

It is served at two sockets, because gRPC does not say who calls: one for those who may ask, where all that changes
something is refused, and one for those who may do both.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.message import DecodeError

from traceloop_bpf.run_times import NotTimed
from traceloop_daemon.errors import (
    AlreadyRecorded,
    AmbiguousTrace,
    NoSuchTrace,
    RegistrationError,
    TraceDamaged,
    TraceGone,
)
from traceloop_daemon.feed import LISTENERS_MAX, Feed, TooManyListeners
from traceloop_daemon.messages import change_message, run_times_reply, stats_reply, trace_message
from traceloop_daemon.recorder import Recorder
from traceloop_daemon.registry import Trace
from traceloop_daemon.sockets import CONTROL, QUERIES, is_served, private, share
from traceloop_daemon.stats import Gatherer
from traceloop_daemon.tally import Counted, Tally
from traceloop_daemon.targets import Target, Targets
from traceloop_proto import recorder_pb2 as pb
from traceloop_proto import recorder_pb2_grpc as pb_grpc

_CHUNK_BYTES: Final = 256 << 10
_DETAILS_MAX_BYTES: Final = 2000
_THREADS: Final = 8 + LISTENERS_MAX  # each has one for as long as it listens
_CONTROL_THREADS: Final = 2
_GRACE_S: Final = 1.0
_RUN_TIMES_MAX_MS: Final = 60_000
_ASKING: Final = frozenset(("List", "Get", "Snapshot", "Dump", "Stats", "Watch"))
"""The methods that change nothing. Whatever else there is or will be, root alone may call."""

_STATUS: Final = {
    NoSuchTrace: grpc.StatusCode.NOT_FOUND,
    AmbiguousTrace: grpc.StatusCode.FAILED_PRECONDITION,
    AlreadyRecorded: grpc.StatusCode.ALREADY_EXISTS,
    RegistrationError: grpc.StatusCode.INVALID_ARGUMENT,
    TraceGone: grpc.StatusCode.NOT_FOUND,
    TraceDamaged: grpc.StatusCode.DATA_LOSS,
    NotTimed: grpc.StatusCode.FAILED_PRECONDITION,
    TooManyListeners: grpc.StatusCode.RESOURCE_EXHAUSTED,
    OSError: grpc.StatusCode.INTERNAL,
}


class RecorderService(pb_grpc.RecorderServicer):
    """The methods of recorder.proto, which says what they do."""

    def __init__(self, recorder: Recorder, targets: Targets, gatherer: Gatherer, tally: Tally, feed: Feed) -> None:
        self._recorder, self._targets, self._feed = recorder, targets, feed
        self._gatherer, self._tally = gatherer, tally

    def List(self, _request: pb.ListRequest, context: grpc.ServicerContext) -> pb.ListReply:  # noqa: N802
        with _statuses(context):
            traces = [self._message(trace) for trace in self._recorder.list()]
            return pb.ListReply(node=self._recorder.node, traces=traces)

    def Get(self, request: pb.TraceRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            return self._message(self._recorder.get(request.id))

    def Snapshot(  # noqa: N802
        self, request: pb.TraceRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.SnapshotChunk]:
        with _statuses(context):
            encoded = self._recorder.snapshot(request.id, context.is_active)
        self._tally.add(Counted.SNAPSHOTS)
        for at in range(0, len(encoded), _CHUNK_BYTES):
            yield pb.SnapshotChunk(data=encoded[at : at + _CHUNK_BYTES])

    def Dump(  # noqa: N802
        self, request: pb.TraceRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DumpChunk]:
        with _statuses(context):
            file = self._recorder.dump(request.id, context.is_active)
        self._tally.add(Counted.SNAPSHOTS)
        for at in range(0, len(file), _CHUNK_BYTES):
            yield pb.DumpChunk(data=file[at : at + _CHUNK_BYTES])

    def Close(self, request: pb.TraceRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            return self._message(self._recorder.close_trace(request.id))

    def Add(self, request: pb.AddRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            return self._message(self._recorder.registrar.add(self._target(request, context)))

    def Watch(self, _request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.Change]:  # noqa: N802
        with _statuses(context):
            listener = self._feed.listen()
        try:
            if not context.add_callback(listener.close):  # the client has gone
                return
            yield pb.Change(kind=pb.CHANGE_KIND_READY)
            while (change := listener.next()) is not None:
                yield change_message(change, self._recorder.node)
        finally:
            self._feed.leave(listener)

    def close(self) -> None:
        """Ends what would else go on."""
        self._feed.close()

    def Stats(self, _request: pb.StatsRequest, context: grpc.ServicerContext) -> pb.StatsReply:  # noqa: N802
        with _statuses(context):
            return stats_reply(self._gatherer())

    def RunTimes(self, request: pb.RunTimesRequest, context: grpc.ServicerContext) -> pb.RunTimesReply:  # noqa: N802
        if not 0 < request.for_ms <= _RUN_TIMES_MAX_MS:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"for_ms: 1 to {_RUN_TIMES_MAX_MS}, not {request.for_ms}")
        ended = threading.Event()
        if not context.add_callback(ended.set):  # the client has gone
            return pb.RunTimesReply()
        with _statuses(context):
            return run_times_reply(self._gatherer.run_times(lambda: ended.wait(request.for_ms / 1000)))

    def _target(self, request: pb.AddRequest, context: grpc.ServicerContext) -> Target:
        given = [word for word in ("cgroup", "unit", "container") if getattr(request, word)]
        if len(given) != 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "exactly one is to be given: cgroup, unit or container")
        find: Callable[[str, str], Target] = getattr(self._targets, given[0])
        return find(getattr(request, given[0]), request.name)

    def _message(self, trace: Trace) -> pb.Trace:
        return trace_message(trace, self._recorder.node)


@contextmanager
def _statuses(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except tuple(_STATUS) as error:
        code = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
        context.abort(code, _details(str(error)))


def _details(text: str) -> str:
    # gRPC sends it as a header, percent-encoded, of which a client takes 8 KiB in all.
    encoded = text.encode("utf-8", "backslashreplace")
    more = "..." if len(encoded) > _DETAILS_MAX_BYTES else ""
    return encoded[:_DETAILS_MAX_BYTES].decode("utf-8", "ignore") + more


class _Unreadable(str):
    # Why a request could not be read.
    __slots__ = ()


class _Readable(grpc.ServerInterceptor):  # type: ignore[misc]
    # Refuses what is no message of ours. grpcio would do it too; but 1.51 then never lets go of the call, and so of the
    # connection's descriptor.
    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler], call: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        handler = continuation(call)
        if handler is None or handler.request_deserializer is None:
            return handler

        def read(data: bytes) -> object:
            try:
                return handler.request_deserializer(data)
            except DecodeError as error:
                return _Unreadable(str(error))  # not the error itself: its frames keep the call, and its descriptor

        def check(request: object, context: grpc.ServicerContext) -> None:
            if isinstance(request, _Unreadable):
                text = f"the request is no {call.method} request of this version: {request}"
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, _details(text))

        def answer(request: object, context: grpc.ServicerContext) -> object:
            check(request, context)
            return handler.unary_unary(request, context)

        def answers(request: object, context: grpc.ServicerContext) -> Iterator[object]:
            check(request, context)
            yield from handler.unary_stream(request, context)

        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(answers, read, handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(answer, read, handler.response_serializer)


class _AskingOnly(grpc.ServerInterceptor):  # type: ignore[misc]
    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler], call: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        method = call.method.rpartition("/")[2]
        if method in _ASKING:
            return continuation(call)

        def refuse(_request: object, context: grpc.ServicerContext) -> None:
            text = f"{method} is for root alone: members of the group traceloop may only ask; run this as root"
            context.abort(grpc.StatusCode.PERMISSION_DENIED, _details(text))

        return grpc.unary_unary_rpc_method_handler(refuse)


class Service:
    """Serves at QUERIES and CONTROL in a directory, until it is closed."""

    def __init__(self, servicer: RecorderService, runtime_dir: Path) -> None:
        self._servicer = servicer
        self._queries, self._control = runtime_dir / QUERIES, runtime_dir / CONTROL
        self._servers: list[grpc.Server] = []
        # What libprotobuf writes to stderr when it takes the beginning of a request for the whole of it.
        warnings.filterwarnings("ignore", "Unexpected end-group tag", RuntimeWarning)
        self._open()

    def mend(self) -> list[str]:
        """Listens anew if nobody does at one of its paths: returns that, or both. Raises OSError."""
        gone = [str(path) for path in (self._queries, self._control) if not is_served(path)]
        if gone:
            self.close()  # gRPC cannot listen at one more path once it serves
            self._open()
        return gone

    def close(self) -> None:
        """Answers what is being asked, and takes the sockets away."""
        self._servicer.close()
        for stopped in [server.stop(_GRACE_S) for server in self._servers]:
            stopped.wait()
        self._servers.clear()

    def _open(self) -> None:
        asking = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"), interceptors=[_Readable(), _AskingOnly()]
        )
        threads = ThreadPoolExecutor(_CONTROL_THREADS, thread_name_prefix="control")
        control = grpc.server(threads, interceptors=[_Readable()])
        for server, path in ((asking, self._queries), (control, self._control)):
            pb_grpc.add_RecorderServicer_to_server(self._servicer, server)  # type: ignore[no-untyped-call]
            try:
                with private():
                    server.add_insecure_port(f"unix:{path}")
            except RuntimeError as error:
                raise OSError(f"cannot listen at {path}: {error}") from error
        share(self._queries)
        for server in (asking, control):
            server.start()
        self._servers = [asking, control]
