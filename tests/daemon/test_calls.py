# SPDX-License-Identifier: Apache-2.0
"""Calls at the queries' socket: no kind waits for another, and each ends, whatever its client does or leaves undone."""

import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.service import calls
from traceloop_daemon.service.calls import LARGE, SMALL
from traceloop_daemon.service.grpc_service import Server
from traceloop_daemon.system.sockets import QUERIES
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto import traceloop_pb2_grpc as pb_grpc

TIMEOUT_S = 30
LARGER = 64 << 20  # more than sockets and gRPC buffer of an unread answer


class Answers(pb_grpc.RecorderServicer):
    """A service that answers at once, with large answers."""

    def __init__(self):
        self.ended = threading.Event()

    def List(self, _request, _context):  # noqa: N802
        return pb.ListReply(node="n", traces=[pb.Trace(cgroup="x" * LARGER)])

    def Stats(self, _request, _context):  # noqa: N802
        return pb.StatsReply(node="n")

    def Get(self, request, _context):  # noqa: N802
        return pb.Trace(id=request.id)

    def Snapshot(self, _request, context):  # noqa: N802
        context.add_callback(self.ended.set)
        for _ in range(LARGER >> 18):
            yield pb.SnapshotChunk(data=bytes(1 << 18))

    def close(self):
        pass


class Served:
    def __init__(self, directory):
        self.path, self.tally, self.answers = directory / QUERIES, Tally(), Answers()
        self.service = Server(self.answers, directory, self.tally)
        self.channels = []

    def stub(self):
        return pb_grpc.RecorderStub(self.channel())

    def channel(self):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        self.channels.append(grpc.insecure_channel(f"unix:{self.path}", options=options))
        return self.channels[-1]

    @property
    def under_way(self):
        return self.service._front._sweep.__self__._under_way

    def count(self, what):
        return self.tally.read()[0][what]

    def close(self):
        for channel in self.channels:
            channel.close()
        self.service.close()


@pytest.fixture
def served(monkeypatch):
    """A service with deadlines short enough for tests."""
    small, large = replace(SMALL, deadline_s=8.0), replace(LARGE, deadline_s=2.0)
    monkeypatch.setattr(calls, "SMALL", small)
    monkeypatch.setattr(calls, "LARGE", large)
    monkeypatch.setattr(calls, "KINDS", {"Snapshot": large})
    with tempfile.TemporaryDirectory(prefix="calls-") as directory:
        served = Served(Path(directory))
        yield served
        served.close()
        assert not list(Path(directory).iterdir())


def wait_until(holds):
    end_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_stopped_readers_are_refused_ended_and_keep_no_question_from_its_answer(served):
    most = LARGE.share.together  # root's share, as tests run as root
    streams = [served.stub().Snapshot(pb.TraceRequest(id="t")) for _ in range(most)]
    for stream in streams:
        next(stream)
    began_s = time.monotonic()
    with pytest.raises(grpc.RpcError) as refused:
        next(served.stub().Snapshot(pb.TraceRequest(id="t")))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "readers of traces: wait until one has ended" in refused.value.details()
    assert served.stub().Stats(pb.StatsRequest(), timeout=TIMEOUT_S).node == "n"
    assert time.monotonic() - began_s < 2
    wait_until(lambda: not served.under_way)
    assert served.count(Counted.CALLS_ENDED)
    assert served.answers.ended.wait(TIMEOUT_S)
    assert served.count(Counted.CALLS_REFUSED) == 1
    assert sum(len(chunk.data) for chunk in served.stub().Snapshot(pb.TraceRequest(id="t"))) == LARGER
    for stream in streams:
        with pytest.raises(grpc.RpcError):
            list(stream)


def test_questions_whose_request_never_comes_end_and_hold_up_no_other_kind(served):
    never = threading.Event()

    def nothing():
        never.wait(TIMEOUT_S)
        yield from ()

    most = SMALL.share.together
    slow = [
        served.channel().stream_unary("/traceloop.v1.Recorder/Get", bytes, pb.Trace.FromString).future(nothing())
        for _ in range(most)
    ]
    wait_until(lambda: len(served.under_way) == most)
    with pytest.raises(grpc.RpcError) as refused:
        served.stub().Get(pb.TraceRequest(id="t"), timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "questions under way" in refused.value.details()
    assert sum(len(chunk.data) for chunk in served.stub().Snapshot(pb.TraceRequest(id="t"))) == LARGER
    wait_until(lambda: not served.under_way)
    assert served.count(Counted.CALLS_ENDED)
    assert served.stub().Get(pb.TraceRequest(id="t"), timeout=TIMEOUT_S).id == "t"
    never.set()
    assert {one.exception(TIMEOUT_S).code() for one in slow} == {grpc.StatusCode.CANCELLED}


def test_a_call_without_a_request_is_refused(served):
    ask = served.channel().stream_unary("/traceloop.v1.Recorder/Get", bytes, pb.Trace.FromString)
    with pytest.raises(grpc.RpcError) as refused:
        ask(iter(()), timeout=TIMEOUT_S)
    assert (refused.value.code(), refused.value.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Get came without a request",
    )


def test_methods_that_change_something_stay_refused(served):
    with pytest.raises(grpc.RpcError) as refused:
        served.stub().Close(pb.TraceRequest(id="t"), timeout=TIMEOUT_S)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_too_many_streams_of_one_connection_wait_or_are_refused(served):
    """Streams beyond the limit of a connection are refused, as HTTP/2 allows, or wait with older versions of gRPC."""
    stub = served.stub()
    asked = [stub.Get.future(pb.TraceRequest(id=str(number)), timeout=TIMEOUT_S) for number in range(500)]
    errors = {number: error for number, one in enumerate(asked) if (error := one.exception()) is not None}
    assert {error.code() for error in errors.values()} <= {grpc.StatusCode.UNAVAILABLE}
    answered = [number for number in range(500) if number not in errors]
    assert len(answered) >= 16
    assert [asked[number].result().id for number in answered] == [str(number) for number in answered]
    assert stub.Get(pb.TraceRequest(id="after"), timeout=TIMEOUT_S).id == "after"
