# SPDX-License-Identifier: Apache-2.0
"""What is refused before the service sees it: requests that cannot be read, and what only root may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import grpc
from google.protobuf.message import DecodeError

_DETAILS_MAX_BYTES: Final = 2000
_ASKING: Final = frozenset(("List", "Get", "Snapshot", "Dump", "Stats", "Watch"))
"""The methods that change nothing. Whatever else there is or will be, root alone may call."""


def details_of(text: str) -> str:
    """A text as a status may carry it."""
    # gRPC sends it as a header, percent-encoded, of which a client takes 8 KiB in all.
    encoded = text.encode("utf-8", "backslashreplace")
    more = "..." if len(encoded) > _DETAILS_MAX_BYTES else ""
    return encoded[:_DETAILS_MAX_BYTES].decode("utf-8", "ignore") + more


class _Unreadable(str):
    # Why a request could not be read.
    __slots__ = ()


class Readable(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses what is no message of ours."""

    # grpcio would do it too; but 1.51 then never lets go of the call, and so of the connection's descriptor.
    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler], call: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """See grpc.ServerInterceptor."""
        handler = continuation(call)
        if handler is None or handler.request_deserializer is None:
            return handler

        def read(data: bytes) -> object:
            try:
                return handler.request_deserializer(data)
            except DecodeError as error:
                return _Unreadable(str(error))  # not the error itself: its frames keep the call, and its descriptor

        def check(request: object, context: grpc.ServicerContext) -> None:
            if isinstance(request, _Unreadable):
                text = f"the request is no {call.method} request of this version: {request}"
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, details_of(text))

        def answer(request: object, context: grpc.ServicerContext) -> object:
            check(request, context)
            return handler.unary_unary(request, context)

        def answers(request: object, context: grpc.ServicerContext) -> Iterator[object]:
            check(request, context)
            yield from handler.unary_stream(request, context)

        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(answers, read, handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(answer, read, handler.response_serializer)


class AskingOnly(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses what changes something."""

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
