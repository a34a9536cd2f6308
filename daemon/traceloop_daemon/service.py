# SPDX-License-Identifier: Apache-2.0
"""The gRPC service: traceloop.v1.Recorder over a Recorder. Status codes are chosen here and nowhere else."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc

from traceloop_daemon.errors import AlreadyRecorded, AmbiguousTrace, NoSuchTrace, RegistrationError
from traceloop_daemon.recorder import Recorder
from traceloop_daemon.registry import State, Trace
from traceloop_proto import recorder_pb2 as pb
from traceloop_proto import recorder_pb2_grpc as pb_grpc

GROUP: Final = "traceloop"
_CHUNK_BYTES: Final = 256 << 10
_THREADS: Final = 8

_STATUS: Final = {
    NoSuchTrace: grpc.StatusCode.NOT_FOUND,
    AmbiguousTrace: grpc.StatusCode.FAILED_PRECONDITION,
    AlreadyRecorded: grpc.StatusCode.ALREADY_EXISTS,
    RegistrationError: grpc.StatusCode.INVALID_ARGUMENT,
    OSError: grpc.StatusCode.INTERNAL,
}
_STATES: Final = {
    State.RECORDING: pb.STATE_RECORDING,
    State.FROZEN: pb.STATE_FROZEN,
    State.ARCHIVED: pb.STATE_ARCHIVED,
    State.CLOSED: pb.STATE_CLOSED,
    State.LOST: pb.STATE_LOST,
}


class RecorderService(pb_grpc.RecorderServicer):
    """The methods of recorder.proto, which says what they do."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

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
            encoded = self._recorder.snapshot(request.id)
        for at in range(0, len(encoded), _CHUNK_BYTES):
            yield pb.SnapshotChunk(data=encoded[at : at + _CHUNK_BYTES])

    def Close(self, request: pb.TraceRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            return self._message(self._recorder.close_trace(request.id))

    def Add(self, request: pb.AddRequest, context: grpc.ServicerContext) -> pb.Trace:  # noqa: N802
        with _statuses(context):
            return self._message(self._recorder.add(request.cgroup, request.name))

    def _message(self, trace: Trace) -> pb.Trace:
        message = pb.Trace(
            id=trace.id,
            node=self._recorder.node,
            namespace=trace.names.namespace,
            pod=trace.names.pod,
            pod_uid=trace.names.pod_uid,
            container=trace.names.container,
            container_id=trace.container_id,
            image=trace.names.image,
            state=_STATES[trace.state],
            started_ns=trace.started_ns,
            ended_ns=trace.ended_ns,
            events=trace.count.events,
            lost=trace.count.lost_events,
            size_bytes=trace.size_bytes,
            cgroup=trace.cgroup,
            restart_count=trace.names.restart_count,
        )
        if trace.status is not None and trace.status & 0x7F:
            message.signal = trace.status & 0x7F
        elif trace.status is not None:
            message.exit_code = trace.status >> 8 & 0xFF
        return message


@contextmanager
def _statuses(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except tuple(_STATUS) as error:
        code = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
        context.abort(code, str(error))


def serve(recorder: Recorder, path: Path) -> grpc.Server:
    """Serves at a socket for root and the group traceloop, where there is one, until the server is stopped."""
    server = grpc.server(ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"))
    pb_grpc.add_RecorderServicer_to_server(RecorderService(recorder), server)  # type: ignore[no-untyped-call]
    before = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{path}")
    finally:
        os.umask(before)
    try:
        os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
        path.chmod(0o660)
    except KeyError:  # no such group: root alone
        pass
    server.start()
    return server
