# SPDX-License-Identifier: Apache-2.0
"""A gRPC server that answers as the daemon does, from made-up traces and written rings; traceloopctl, which asks it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from archives import INFO
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.archive_file import pack
from traceloop_proto import recorder_pb2 as pb
from traceloop_proto import recorder_pb2_grpc as pb_grpc

BIN = Path(sys.executable).parent / "traceloopctl"
TIMEOUT_S = 60
CHUNK_BYTES = 1000
WRITE, EXIT_GROUP = 1, 231

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
)
KILLED = pb.Trace(
    id="node1_default_other",
    node="node1",
    state=pb.STATE_RECORDING,
    started_ns=1_700_000_000_000_000_000,
    signal=9,
    size_bytes=512,
)


def written_ring(calls=1, text=b"42\n"):
    ring = RingWriter(1 << 20, 1 << 14)
    ring.name(7, 7, "b\x1bc")
    for _ in range(calls):
        written = item(1, layout.KIND_BUFFER, text)
        ring.enter(1, 7, WRITE, 1, 7415808, len(text), items=written)
        ring.exit(1, 7, WRITE, len(text))
    ring.enter(1, 7, EXIT_GROUP, 1)
    ring.task_exit(1, 7, 1 << 8)
    return ring.snapshot().encode()


CALL = r"00:00.000001000 cpu#1 pid 7 [b\33c] "  # how the lines of written_ring begin
NO_DAEMON = ("--address", "unix:/nonexistent/socket")
FILE = pack(INFO, written_ring())


class Recorder(pb_grpc.RecorderServicer):
    """A daemon of values."""

    def __init__(self):
        self.traces = [BUSYBOX, KILLED]
        self.snapshot = written_ring()
        self.file = FILE

    def find(self, word, context):
        found = [trace for trace in self.traces if trace.id.startswith(word) or trace.container_id.startswith(word)]
        if len(found) > 1:
            names = ", ".join(trace.id for trace in found)
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION, f"{word} fits {len(found)} traces; give more of the id: {names}"
            )
        if not found:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no trace {word}: `traceloopctl list` shows those there are")
        return found[0]

    def List(self, _request, _context):  # noqa: N802
        return pb.ListReply(node="node1", traces=self.traces)

    def Get(self, request, context):  # noqa: N802
        return self.find(request.id, context)

    def Snapshot(self, request, context):  # noqa: N802
        self.find(request.id, context)
        for at in range(0, len(self.snapshot), CHUNK_BYTES):
            yield pb.SnapshotChunk(data=self.snapshot[at : at + CHUNK_BYTES])

    def Dump(self, request, context):  # noqa: N802
        self.find(request.id, context)
        for at in range(0, len(self.file), CHUNK_BYTES):
            yield pb.DumpChunk(data=self.file[at : at + CHUNK_BYTES])

    def Close(self, request, context):  # noqa: N802
        trace = self.find(request.id, context)
        self.traces.remove(trace)
        return trace

    def Add(self, request, context):  # noqa: N802
        if request.cgroup == "/private":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "only root may add a cgroup\x1b[2J")
        if request.cgroup == "/twice":
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{request.cgroup} is recorded as x")
        return pb.Trace(id=f"node1_{request.name}")


@pytest.fixture
def path():
    # Not in a test's own directory: the path of a unix socket has at most 107 bytes (unix(7)).
    with tempfile.TemporaryDirectory(prefix="tl-cli-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory, "traceloop.sock")


@pytest.fixture
def daemon(path):
    daemon = Recorder()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        pb_grpc.add_RecorderServicer_to_server(daemon, server)
        for socket_path in (path, path.with_name("control.sock")):
            server.add_insecure_port(f"unix:{socket_path}")
        server.start()
        yield daemon
        server.stop(None).wait()


@pytest.fixture
def ctl(path):
    def run(*words, status=0, prefix=(), **settings):
        command = [*prefix, str(BIN), *words]
        env = {**os.environ, "TRACELOOP_ADDRESS": f"unix:{path}"} | settings.pop("env", {})
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=env, **settings
        )
        assert ended.returncode == status, ended
        if status:
            assert re.fullmatch(r"traceloopctl: [ -~]+\n", ended.stderr)
            return ended.stderr.removeprefix("traceloopctl: ").rstrip("\n")
        assert ended.stderr == ""
        return ended.stdout

    return run


def started(path, *words, **settings):
    return subprocess.Popen([str(BIN), "--address", f"unix:{path}", *words], stderr=subprocess.PIPE, **settings)
