# SPDX-License-Identifier: Apache-2.0
"""The gRPC service, traceloop.v1.Recorder. Status codes are chosen here and nowhere else.

The service has two sockets: one for members of the group, where every method that changes something is refused, and one
for root. Connections to the first pass through `Front`, so that no member can keep others out; the second has its own
threads.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc

from traceloop_bpf.run_times import NotTimed
from traceloop_daemon.archive.closer import Closer
from traceloop_daemon.archive.shipping import STATE, shipping
from traceloop_daemon.errors import (
    AlreadyRecorded,
    AmbiguousTrace,
    NoSuchTrace,
    RegistrationError,
    TraceDamaged,
    TraceGone,
)
from traceloop_daemon.recording.feed import Change, Feed, TooManyListeners
from traceloop_daemon.recording.registry import Sight
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.recording.trace import TraceView
from traceloop_daemon.registering.registrar import Registrar
from traceloop_daemon.registering.targets import Targets
from traceloop_daemon.service.access import Access
from traceloop_daemon.service.calls import THREADS, Calls
from traceloop_daemon.service.front import Front, uid_of
from traceloop_daemon.service.interceptors import AskingOnly, Readable, details_of
from traceloop_daemon.service.messages import change_message, run_times_reply, stats_reply, trace_message
from traceloop_daemon.service.queries import Queries
from traceloop_daemon.service.reflection import handlers
from traceloop_daemon.service.stats import Gatherer
from traceloop_daemon.system.sockets import CONTROL, INNER, PRIVATE_MODE, QUERIES, is_served, make_private_directory
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto import traceloop_pb2_grpc as pb_grpc

_CHUNK_BYTES: Final = 256 << 10
_CONTROL_THREADS: Final = 2
_GRACE_S: Final = 1.0
_RUN_TIMES_MAX_MS: Final = 60_000
_ASKING_OPTIONS: Final = (
    ("grpc.max_concurrent_streams", 32),
    ("grpc.max_connection_idle_ms", 60_000),
    ("grpc.max_receive_message_length", 512 << 10),
    ("grpc.max_metadata_size", 8 << 10),
)
"""Limits of one connection. Clients reconnect when an idle connection was closed."""

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


class Methods(pb_grpc.RecorderServicer):
    """The methods of traceloop.proto, which documents them."""

    def __init__(
        self,
        queries: Queries,
        closer: Closer,
        registrar: Registrar,
        targets: Targets,
        gatherer: Gatherer,
        *,
        tally: Tally,
        feed: Feed,
        access: Access | None,
    ) -> None:
        """access: limits who asks; None: they are root, whom nothing limits."""
        self._access = access
        self._queries, self._closer = queries, closer
        self._registrar, self._targets, self._gatherer = registrar, targets, gatherer
        self._tally, self._feed = tally, feed

    def List(self, _request: pb.ListRequest, context: grpc.ServicerContext) -> pb.ListReply:  # noqa: N802
        with _statuses(context):
            traces = [self._message(trace) for trace in self._queries.list(self._sight(context))]
            return pb.ListReply(node=self._queries.node, traces=traces)

    def Get(self, request: pb.TraceRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            view, older = self._queries.get(request.id, self._sight(context))
            message = self._message(view)
            message.older, message.previous_id = len(older), older[0] if older else ""
            return message

    def Snapshot(  # noqa: N802
        self, request: pb.TraceRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.SnapshotChunk]:
        with _statuses(context):
            encoded = self._queries.snapshot(request.id, context.is_active, self._sight(context))
        self._tally.add(Counted.SNAPSHOTS)
        for at in range(0, len(encoded), _CHUNK_BYTES):
            yield pb.SnapshotChunk(data=encoded[at : at + _CHUNK_BYTES])

    def Dump(  # noqa: N802
        self, request: pb.TraceRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DumpChunk]:
        with _statuses(context):
            file = self._queries.dump(request.id, context.is_active, self._sight(context))
        self._tally.add(Counted.SNAPSHOTS)
        for at in range(0, len(file), _CHUNK_BYTES):
            yield pb.DumpChunk(data=file[at : at + _CHUNK_BYTES])

    def Close(self, request: pb.TraceRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            return self._message(self._closer.close(request.id))

    def Add(self, request: pb.AddRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            kind, word = _wanted(request, context)
            return self._message(self._registrar.add(self._targets.find(kind, word, request.name)))

    def Watch(self, _request: pb.WatchRequest, context: grpc.ServicerContext) -> Iterator[pb.Change]:  # noqa: N802
        sees = self._sight(context)
        with _statuses(context):
            listener = self._feed.listen()
        try:
            if not context.add_callback(listener.close):  # the client has gone
                return
            yield pb.Change(kind=pb.CHANGE_KIND_READY)
            while (change := listener.next()) is not None:
                if sees is None or change.trace is None or sees(change.trace.facts):
                    yield change_message(change, self._queries.node)
                elif change.missed:
                    yield change_message(Change(None, None, change.missed), self._queries.node)
        finally:
            self._feed.leave(listener)

    def close(self) -> None:
        """Ends the calls that follow changes."""
        self._feed.close()

    def Stats(self, _request: pb.StatsRequest, context: grpc.ServicerContext) -> pb.StatsReply:  # noqa: N802
        if self._sight(context) is not None:
            text = "the daemon's numbers are those of all namespaces: this user may read some namespaces' traces only"
            context.abort(grpc.StatusCode.PERMISSION_DENIED, text)
        with _statuses(context):
            return stats_reply(self._gatherer(), shipping(STATE))

    def RunTimes(self, request: pb.RunTimesRequest, context: grpc.ServicerContext) -> pb.RunTimesReply:  # noqa: N802
        if not 0 < request.for_ms <= _RUN_TIMES_MAX_MS:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"for_ms: 1 to {_RUN_TIMES_MAX_MS}, not {request.for_ms}")
        ended = threading.Event()
        if not context.add_callback(ended.set):  # the client has gone
            return pb.RunTimesReply()
        with _statuses(context):
            return run_times_reply(self._gatherer.run_times(lambda: ended.wait(request.for_ms / 1000)))

    def _sight(self, context: grpc.ServicerContext) -> Sight | None:
        return self._access.sight(uid_of(context.peer())) if self._access is not None else None

    def _message(self, trace: TraceView) -> pb.Trace:
        return trace_message(trace, self._queries.node)


def _wanted(request: pb.AddRequest, context: grpc.ServicerContext) -> tuple[str, str]:
    given = [(kind, getattr(request, kind)) for kind in Targets.KINDS if getattr(request, kind)]
    if len(given) != 1:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "give exactly one of cgroup, unit and container")
    return given[0]


@contextmanager
def _statuses(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except tuple(_STATUS) as error:
        code = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
        context.abort(code, details_of(str(error)))


class Server:
    """Serves at QUERIES and CONTROL in a directory, until it is closed."""

    def __init__(self, methods: Methods, runtime_dir: Path, tally: Tally, of_root: Methods | None = None) -> None:
        """methods: for members of the group. of_root: for root; None: the same."""
        self._methods, self._of_root = methods, of_root or methods
        # libprotobuf writes this warning to stderr when it takes the beginning of a request for the whole request.
        warnings.filterwarnings("ignore", "Unexpected end-group tag", RuntimeWarning)
        self._control_path = runtime_dir / CONTROL
        self._inner = runtime_dir / INNER
        make_private_directory(self._inner)
        for left in self._inner.iterdir():  # sockets of a daemon that was killed
            left.unlink()
        inner = self._inner / QUERIES
        calls = Calls(tally)
        self._asking = self._serve(methods, inner, THREADS, [calls, Readable(), AskingOnly()], _ASKING_OPTIONS)
        self._control = self._serve_control()
        self._front = Front(runtime_dir / QUERIES, inner, tally, sweep=calls.end_overdue)

    def mend(self) -> list[str]:
        """Listens again at each path where no process listens, and returns these paths. Raises OSError."""
        gone = self._front.mend()
        if not is_served(self._control_path):
            # gRPC cannot add a path while it serves.
            self._control.stop(_GRACE_S).wait()
            self._control = self._serve_control()
            gone.append(str(self._control_path))
        return gone

    def close(self) -> None:
        """Ends calls in progress after a moment of grace, and removes the sockets."""
        self._methods.close()
        for stopped in [server.stop(_GRACE_S) for server in (self._asking, self._control)]:
            stopped.wait()
        self._front.close()
        self._control_path.unlink(missing_ok=True)
        (self._inner / QUERIES).unlink(missing_ok=True)
        self._inner.rmdir()

    def _serve_control(self) -> grpc.Server:
        # gRPC creates sockets with the umask's mode. So this one is created in a directory that no other user can
        # enter, and moved to its path when it is private.
        make_private_directory(self._inner)
        made = self._inner / CONTROL
        server = self._serve(self._of_root, made, _CONTROL_THREADS, [Readable()])
        made.chmod(PRIVATE_MODE)
        made.replace(self._control_path)
        return server

    def _serve(
        self,
        methods: Methods,
        path: Path,
        threads: int,
        interceptors: Sequence[grpc.ServerInterceptor],
        options: Sequence[tuple[str, int]] = (),
    ) -> grpc.Server:
        pool = ThreadPoolExecutor(threads, thread_name_prefix=path.stem)
        server = grpc.server(pool, interceptors=interceptors, options=options)
        pb_grpc.add_RecorderServicer_to_server(methods, server)  # type: ignore[no-untyped-call]
        server.add_generic_rpc_handlers(handlers())
        try:
            server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise OSError(f"cannot listen at {path}: {error}") from error
        server.start()
        return server
