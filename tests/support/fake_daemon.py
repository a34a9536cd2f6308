# SPDX-License-Identifier: Apache-2.0
"""A gRPC server that answers like the daemon, from made-up traces and written rings; and traceloopctl as its client."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any, Never, Protocol

import grpc
import pytest
from archives import INFO
from ringwriter import RingWriter, item

from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.trace import Trace
from traceloop_daemon.recording.traces import Traces
from traceloop_decode import layout
from traceloop_decode.archive_file import pack
from traceloop_decode.trace_facts import TraceFacts
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto import traceloop_pb2_grpc as pb_grpc

BIN = Path(sys.executable).parent / "traceloopctl"
TIMEOUT_S = 60
CHUNK_BYTES = 1000
WRITE, EXIT_GROUP = 1, 231
NAMED_BY = ("namespace", "pod", "container", "container_id")

BUSYBOX = pb.Trace(
    id="node1_default_mypod",
    node="node1",
    namespace="default",
    pod="mypod",
    pod_uid="d9a3",
    container="mypod",
    container_id="0123456789abcdef",
    image="busybox",
    restart_count=2,
    labels={"tier": "front", "app": "shop"},
    state=pb.STATE_FROZEN,
    started_ns=1_700_000_000_000_000_042,
    ended_ns=1_700_000_001_000_000_000,
    exit_code=1,
    events=1234,
    lost=34,
    size_bytes=1 << 20,
    cgroup="/mypod",
    capture=pb.CAPTURE_NO_PAYLOAD,
    ring_size_bytes=4 << 20,
    io_uring_setups=3,
    calls=1100,
    errors=7,
    read_bytes=4096,
    written_bytes=0,
    capabilities_granted=1 << 10 | 1,
    capabilities_refused=0,
    out_of_memory=0,
    memory_limit_bytes=64 << 20,
    memory_peak_bytes=60 << 20,
    oom_kills=0,
)
KILLED = pb.Trace(
    id="node1_default_other",
    node="node1",
    state=pb.STATE_RECORDING,
    started_ns=1_700_000_000_000_000_000,
    signal=9,
    size_bytes=512,
)


def written_ring(calls: int = 1, text: bytes = b"42\n") -> bytes:
    ring = RingWriter(1 << 20, 1 << 14)
    ring.name(7, 7, "b\x1bc")
    for _ in range(calls):
        written = item(1, layout.KIND_BUFFER, text)
        ring.enter(1, 7, WRITE, 1, 7415808, len(text), items=written)
        ring.exit(1, 7, WRITE, len(text))
    ring.enter(1, 7, EXIT_GROUP, 1)
    ring.task_exit(1, 7, 1 << 8)
    return ring.snapshot().encode()


CALL = r"00:00.000001000 cpu#1 pid 7 [b\33c] "  # the beginning of each line of written_ring
NO_DAEMON = ("--address", "unix:/nonexistent/socket")
FILE = pack(INFO, written_ring())


class Context(Protocol):
    """The used part of grpc.ServicerContext, which has no types."""

    def abort(self, code: grpc.StatusCode, details: str) -> Never: ...


class Ctl(Protocol):
    """Runs traceloopctl; returns its output, or its error message if it must fail with `status`.

    told: the pattern that what it writes to stderr must match where it does not fail.
    """

    def __call__(
        self, *words: str, status: int = 0, told: str = "", prefix: Sequence[str] = (), **settings: Any
    ) -> str: ...


class FakeDaemon(pb_grpc.RecorderServicer):
    """A daemon whose traces are constants. asked: the ids in requests so far."""

    def __init__(self) -> None:
        self.node = "node1"
        self.traces = [BUSYBOX, KILLED]
        self.snapshot = written_ring()
        self.file = FILE
        self.asked: list[str] = []
        """The ids of the traces that were sent."""
        self.changes: Callable[[], Iterable[pb.Change]] = tuple  # what Watch streams
        self.queued: Queue[pb.Change | None] = Queue()
        """Changes for `changes_of_queue`; None ends its stream."""

    def find(self, word: str, context: Context) -> pb.Trace:
        with (
            tempfile.TemporaryDirectory() as directory,
            Traces("node1", LiveTraces(Path(directory))).locked() as registry,
        ):
            for trace in self.traces:
                registry.put(Trace(TraceFacts(trace.id, **{name: getattr(trace, name) for name in NAMED_BY})))
            try:
                found = registry.found(word)
            except AmbiguousTrace as error:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            except NoSuchTrace as error:
                context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        (trace,) = (trace for trace in self.traces if trace.id == found.trace_id)
        told = pb.Trace()
        told.CopyFrom(trace)
        told.older, told.previous_id = len(found.older), (*found.older, "")[0]
        return told

    def List(self, _request: pb.ListRequest, _context: Context) -> pb.ListReply:  # noqa: N802
        return pb.ListReply(node=self.node, traces=self.traces)

    def Get(self, request: pb.TraceRequest, context: Context) -> pb.Trace:  # noqa: N802
        return self.find(request.id, context)

    def Snapshot(self, request: pb.TraceRequest, context: Context) -> Iterator[pb.SnapshotChunk]:  # noqa: N802
        self.asked.append(self.find(request.id, context).id)
        for at in range(0, len(self.snapshot), CHUNK_BYTES):
            yield pb.SnapshotChunk(data=self.snapshot[at : at + CHUNK_BYTES])

    def Dump(self, request: pb.TraceRequest, context: Context) -> Iterator[pb.DumpChunk]:  # noqa: N802
        self.asked.append(self.find(request.id, context).id)
        for at in range(0, len(self.file), CHUNK_BYTES):
            yield pb.DumpChunk(data=self.file[at : at + CHUNK_BYTES])

    def changes_of_queue(self) -> Iterator[pb.Change]:
        """Yields that the daemon is ready, then the changes that a test puts into `queued`."""
        yield pb.Change(kind=pb.CHANGE_KIND_READY)
        while (change := self.queued.get()) is not None:
            yield change

    def Watch(self, _request: pb.WatchRequest, _context: Context) -> Iterator[pb.Change]:  # noqa: N802
        yield from self.changes()

    def Close(self, request: pb.TraceRequest, context: Context) -> pb.Trace:  # noqa: N802
        found = self.find(request.id, context)
        self.traces = [trace for trace in self.traces if trace.id != found.id]
        return found

    def Add(self, request: pb.AddRequest, context: Context) -> pb.Trace:  # noqa: N802
        if request.cgroup == "/private":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "only root may add a cgroup\x1b[2J")
        if request.cgroup == "/twice":
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{request.cgroup} is recorded as x")
        return pb.Trace(id=f"node1_{request.name}")


@pytest.fixture
def path() -> Iterator[Path]:
    # Not in a test's own directory: the path of a unix socket has at most 107 bytes (unix(7)).
    with tempfile.TemporaryDirectory(prefix="tl-cli-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory, "traceloop.sock")


@pytest.fixture
def daemon(path: Path) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon()
    with serving(daemon, path, path.with_name("control.sock")):
        yield daemon


@contextmanager
def serving(daemon: FakeDaemon, *sockets: Path) -> Iterator[None]:
    """Serves a daemon at these sockets."""
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        pb_grpc.add_RecorderServicer_to_server(daemon, server)  # type: ignore[no-untyped-call]
        for socket_path in sockets:
            server.add_insecure_port(f"unix:{socket_path}")
        server.start()
        yield
        server.stop(None).wait()


@pytest.fixture
def ctl(path: Path) -> Ctl:
    def run(*words: str, status: int = 0, told: str = "", prefix: Sequence[str] = (), **settings: Any) -> str:
        command = [*prefix, str(BIN), *words]
        env = {**os.environ, "TRACELOOP_ADDRESS": f"unix:{path}"} | settings.pop("env", {})
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=env, **settings
        )
        assert ended.returncode == status, ended
        if status:
            assert re.fullmatch(r"traceloopctl: [ -~]+\n", ended.stderr)
            return str(ended.stderr).removeprefix("traceloopctl: ").rstrip("\n")
        assert re.fullmatch(told, ended.stderr), ended.stderr
        return str(ended.stdout)

    return run


def started(path: Path, *words: str, **settings: Any) -> subprocess.Popen[Any]:
    return subprocess.Popen([str(BIN), "--address", f"unix:{path}", *words], stderr=subprocess.PIPE, **settings)
