# SPDX-License-Identifier: Apache-2.0
"""The gRPC service: traceloop.v1.Recorder over a Recorder. Status codes are chosen here and nowhere else.

It is served at two sockets: one for those who may ask, where all that changes something is refused, and one for those
who may do both. `Front` stands before the first, so that no member of the group can take from others what they need;
the second has threads of its own.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc

from traceloop_bpf.run_times import NotTimed
from traceloop_daemon.errors import (
    AlreadyRecorded,
    AmbiguousTrace,
    NoSuchTrace,
    RegistrationError,
    TraceDamaged,
    TraceGone,
)
from traceloop_daemon.recording.feed import Feed, TooManyListeners
from traceloop_daemon.recording.registration import Target
from traceloop_daemon.recording.registry import Trace
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.registering.targets import Targets
from traceloop_daemon.service.calls import THREADS, Calls
from traceloop_daemon.service.front import Front
from traceloop_daemon.service.interceptors import AskingOnly, Readable, details_of
from traceloop_daemon.service.messages import change_message, run_times_reply, stats_reply, trace_message
from traceloop_daemon.service.recorder import Recorder
from traceloop_daemon.service.stats import Gatherer
from traceloop_daemon.system.sockets import CONTROL, INNER, QUERIES, is_served, private
from traceloop_proto import recorder_pb2 as pb
from traceloop_proto import recorder_pb2_grpc as pb_grpc

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
"""What one connection may ask for. Clients connect again after those that were idle."""

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
        context.abort(code, details_of(str(error)))


class Service:
    """Serves at QUERIES and CONTROL in a directory, until it is closed."""

    def __init__(self, servicer: RecorderService, runtime_dir: Path, tally: Tally) -> None:
        self._servicer = servicer
        # What libprotobuf writes to stderr when it takes the beginning of a request for the whole of it.
        warnings.filterwarnings("ignore", "Unexpected end-group tag", RuntimeWarning)
        self._control_path = runtime_dir / CONTROL
        self._inner = runtime_dir / INNER
        _make_private(self._inner)
        inner = self._inner / QUERIES
        calls = Calls(tally)
        self._asking = self._serve(inner, THREADS, [calls, Readable(), AskingOnly()], _ASKING_OPTIONS)
        self._control = self._serve(self._control_path, _CONTROL_THREADS, [Readable()])
        self._front = Front(runtime_dir / QUERIES, inner, tally, sweep=calls.end_overdue)

    def mend(self) -> list[str]:
        """Listens anew if nobody does at one of its paths: returns that, or both. Raises OSError."""
        gone = self._front.mend()
        if not is_served(self._control_path):
            # gRPC cannot listen at one more path once it serves.
            self._control.stop(_GRACE_S).wait()
            self._control = self._serve(self._control_path, _CONTROL_THREADS, [Readable()])
            gone.append(str(self._control_path))
        return gone

    def close(self) -> None:
        """Answers what is being asked, and takes the sockets away."""
        self._servicer.close()
        for stopped in [server.stop(_GRACE_S) for server in (self._asking, self._control)]:
            stopped.wait()
        self._front.close()
        (self._inner / QUERIES).unlink(missing_ok=True)
        self._inner.rmdir()

    def _serve(
        self,
        path: Path,
        threads: int,
        interceptors: Sequence[grpc.ServerInterceptor],
        options: Sequence[tuple[str, int]] = (),
    ) -> grpc.Server:
        pool = ThreadPoolExecutor(threads, thread_name_prefix=path.stem)
        server = grpc.server(pool, interceptors=interceptors, options=options)
        pb_grpc.add_RecorderServicer_to_server(self._servicer, server)  # type: ignore[no-untyped-call]
        try:
            with private():
                server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise OSError(f"cannot listen at {path}: {error}") from error
        server.start()
        return server


def _make_private(directory: Path) -> None:
    # What a daemon that was killed left there, too.
    directory.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    for left in directory.iterdir():
        left.unlink()
