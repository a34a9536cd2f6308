# SPDX-License-Identifier: Apache-2.0
"""Reads a trace's bytes a second time, by a new way, if the way to the daemon is cut in the middle of them.

A way through other programs can end early: `kubectl exec` cuts streams, and says that all went well. gRPC notices it.
Only what changes nothing is asked again, and once: Snapshot and Dump. Chunks are kept until all have arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from traceloop_cli.sources.grpc_import import grpc
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.traceloop_pb2_grpc import RecorderStub

Connect = Callable[[], AbstractContextManager[RecorderStub]]
"""Makes a way to a daemon, which is open within the block."""
_Chunk = TypeVar("_Chunk")


def whole(stub: RecorderStub, connect: Connect, ask: Callable[[RecorderStub], Iterable[_Chunk]]) -> Iterator[_Chunk]:
    """Yields all chunks of a stream. stub: at the end of an open way. Raises what `ask` and `connect` raise."""
    try:
        chunks = list(ask(stub))
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        with connect() as another:
            chunks = list(ask(another))
    yield from chunks


class AgainStub(RecorderStub):
    """The methods of a stub, of which Snapshot and Dump are tried twice. connect: makes a way to the same daemon."""

    def __init__(self, stub: RecorderStub, connect: Connect) -> None:  # not the base's, which makes its methods
        self._stub, self._connect = stub, connect

    def Snapshot(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.SnapshotChunk]:  # noqa: N802 - gRPC's
        """Yields the chunks of a trace's Snapshot."""
        return whole(self._stub, self._connect, lambda stub: stub.Snapshot(request, timeout=timeout))

    def Dump(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.DumpChunk]:  # noqa: N802
        """Yields the chunks of a trace's archive file."""
        return whole(self._stub, self._connect, lambda stub: stub.Dump(request, timeout=timeout))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stub, name)
