# SPDX-License-Identifier: Apache-2.0
"""Refuses requests before they reach the service: invalid ones, and those that only root may make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import grpc
from google.protobuf.message import DecodeError

from traceloop_daemon.service.reflection import METHOD as REFLECTION
from traceloop_decode.safe_text import utf8

_DETAILS_MAX_BYTES: Final = 2000
_ASKING: Final = frozenset(("List", "Get", "Snapshot", "Dump", "Stats", "Watch", REFLECTION))
"""The methods that change nothing. Only root may call the others, future ones included."""


def details_of(text: str) -> str:
    """Shortens a text so that it fits into a status."""
    # gRPC sends it as a percent-encoded header; a client accepts 8 KiB of headers in all.
    encoded = utf8(text)
    more = "..." if len(encoded) > _DETAILS_MAX_BYTES else ""
    return encoded[:_DETAILS_MAX_BYTES].decode("utf-8", "ignore") + more


class _Unreadable(str):
    # The reason for which a request could not be read.
    __slots__ = ()


class Readable(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses requests that cannot be parsed."""

    # grpcio refuses them too, but 1.51 then keeps the call for ever, and with it the connection's descriptor.
    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler], call: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """See grpc.ServerInterceptor."""
        handler = continuation(call)
        if handler is None or handler.request_deserializer is None:
            return handler

        read, check = _reading(handler.request_deserializer, call.method)

        def answer(request: object, context: grpc.ServicerContext) -> object:
            check(request, context)
            return handler.unary_unary(request, context)

        def answers(request: object, context: grpc.ServicerContext) -> Iterator[object]:
            check(request, context)
            yield from handler.unary_stream(request, context)

        def exchange(requests: Iterator[object], context: grpc.ServicerContext) -> Iterator[object]:
            yield from handler.stream_stream((check(request, context) for request in requests), context)

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(exchange, read, handler.response_serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(answers, read, handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(answer, read, handler.response_serializer)


def _reading(
    parse: Callable[[bytes], object], method: str
) -> tuple[Callable[[bytes], object], Callable[[object, grpc.ServicerContext], object]]:
    # What reads requests, and what returns each or, if it could not be read, ends the call.
    def read(data: bytes) -> object:
        try:
            return parse(data)
        except DecodeError as error:
            return _Unreadable(str(error))  # not the error itself: its frames keep the call, and its descriptor

    def check(request: object, context: grpc.ServicerContext) -> object:
        if isinstance(request, _Unreadable):
            text = f"the request is no {method} request of this version: {request}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, details_of(text))
        return request

    return read, check


class AskingOnly(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses the methods that change something."""

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler], call: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """See grpc.ServerInterceptor."""
        method = call.method.rpartition("/")[2]
        if method in _ASKING:
            return continuation(call)

        def refuse(_request: object, context: grpc.ServicerContext) -> None:
            text = f"{method} is for root alone: members of the group traceloop may only ask; run this as root"
            context.abort(grpc.StatusCode.PERMISSION_DENIED, details_of(text))

        return grpc.unary_unary_rpc_method_handler(refuse)
