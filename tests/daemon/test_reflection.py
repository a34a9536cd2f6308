# SPDX-License-Identifier: Apache-2.0
"""Server reflection at a real server's sockets, asked by gRPC's own client: it builds the methods from the answers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool

pytest.importorskip("grpc_reflection")
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest as Request
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Response

from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.service.grpc_service import Server
from traceloop_daemon.system.sockets import CONTROL, QUERIES
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto import traceloop_pb2_grpc as pb_grpc

TIMEOUT_S = 30
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]


class Answers(pb_grpc.RecorderServicer):
    def close(self) -> None:
        pass


@pytest.fixture(scope="module", params=[QUERIES, CONTROL])
def channel(request: pytest.FixtureRequest) -> Iterator[grpc.Channel]:
    with tempfile.TemporaryDirectory(prefix="reflection-") as directory:  # the path of a unix socket is short (unix(7))
        server = Server(Answers(), Path(directory), Tally())  # type: ignore[arg-type]
        with grpc.insecure_channel(f"unix:{directory}/{request.param}") as channel:
            yield channel
        server.close()


def asked(channel: grpc.Channel, *requests: Request, version: str = "v1") -> list[Response]:
    method = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        Request.SerializeToString,
        Response.FromString,
    )
    return list(method(iter(requests), timeout=TIMEOUT_S))


def test_a_client_without_the_proto_file_learns_each_method(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    assert list(database.get_services()) == ["traceloop.v1.Recorder"]
    service = DescriptorPool(database).FindServiceByName("traceloop.v1.Recorder")
    known = pb.DESCRIPTOR.services_by_name["Recorder"]
    assert [method.name for method in service.methods] == [method.name for method in known.methods]
    trace = service.methods_by_name["Get"].output_type
    assert [field.name for field in trace.fields] == [field.name for field in pb.Trace.DESCRIPTOR.fields]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_one_stream_answers_several_requests_in_order(channel: grpc.Channel, version: str) -> None:
    answers = asked(
        channel,
        Request(list_services="*", host="h"),
        Request(file_by_filename=pb.DESCRIPTOR.name),
        Request(file_containing_symbol="traceloop.v1.Recorder.List"),
        version=version,
    )
    assert [answer.WhichOneof("message_response") for answer in answers] == [
        "list_services_response",
        "file_descriptor_response",
        "file_descriptor_response",
    ]
    assert (answers[0].valid_host, answers[0].original_request.list_services) == ("h", "*")
    assert answers[1].file_descriptor_response == answers[2].file_descriptor_response
    assert list(answers[1].file_descriptor_response.file_descriptor_proto) == [pb.DESCRIPTOR.serialized_pb]


def test_what_is_not_there_is_not_found(channel: grpc.Channel) -> None:
    requests = [
        Request(file_by_filename="/etc/shadow"),
        Request(file_containing_symbol="traceloop.v1.Nothing"),
        Request(file_containing_symbol="google.protobuf.FileDescriptorProto"),
        Request(file_containing_symbol="\N{SNOWMAN}" * 1000),
        Request(all_extension_numbers_of_type="traceloop.v1.Trace"),
        Request(),
    ]
    assert [answer.error_response.error_code for answer in asked(channel, *requests)] == [NOT_FOUND] * len(requests)


def test_a_request_that_is_none_is_refused(channel: grpc.Channel) -> None:
    method = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    with pytest.raises(grpc.RpcError) as raised:
        list(method(iter([Request(list_services="*").SerializeToString(), b"\xff\xff\xff"]), timeout=TIMEOUT_S))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
