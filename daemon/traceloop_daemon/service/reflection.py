# SPDX-License-Identifier: Apache-2.0
"""gRPC's server reflection: tells tools such as grpcurl what the methods and messages of traceloop.proto are.

grpcio-reflection does the same, but is not in Debian 12. Both versions of the service have the same messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import grpc
from google.protobuf.descriptor_pool import Default

from traceloop_proto import reflection_pb2 as messages
from traceloop_proto import traceloop_pb2 as pb

METHOD: Final = "ServerReflectionInfo"
_SERVICES: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_FILE: Final = pb.DESCRIPTOR
_Request = messages.ServerReflectionRequest
_Response = messages.ServerReflectionResponse


def handlers() -> list[grpc.GenericRpcHandler]:
    """Returns the handlers of the service, for a server."""
    method = grpc.stream_stream_rpc_method_handler(
        _answers, messages.ServerReflectionRequest.FromString, messages.ServerReflectionResponse.SerializeToString
    )
    return [grpc.method_handlers_generic_handler(service, {METHOD: method}) for service in _SERVICES]


def _answers(requests: Iterable[_Request], _context: grpc.ServicerContext) -> Iterator[_Response]:
    for request in requests:
        answer = messages.ServerReflectionResponse(valid_host=request.host, original_request=request)
        kind = request.WhichOneof("message_request")
        if kind == "list_services":
            names = [service.full_name for service in _FILE.services_by_name.values()]
            answer.list_services_response.service.extend([messages.ServiceResponse(name=name) for name in names])
        elif _is_known(kind, request):
            answer.file_descriptor_response.file_descriptor_proto.append(_FILE.serialized_pb)
        else:
            answer.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
            answer.error_response.error_message = f"{_FILE.package} has no such file, symbol or extension"
        yield answer


def _is_known(kind: str | None, request: _Request) -> bool:
    if kind == "file_by_filename":
        return bool(request.file_by_filename == _FILE.name)
    if kind != "file_containing_symbol":
        return False
    return _has_symbol(request.file_containing_symbol) or _has_method(request.file_containing_symbol)


def _has_symbol(symbol: str) -> bool:
    try:
        found = Default().FindFileContainingSymbol(symbol)
    except KeyError:
        return False
    return bool(found.name == _FILE.name)


def _has_method(symbol: str) -> bool:
    # Not every version of protobuf finds a method by its name.
    service, _, method = symbol.rpartition(".")
    try:
        found = Default().FindServiceByName(service)
    except KeyError:
        return False
    return bool(found.file.name == _FILE.name and method in found.methods_by_name)
