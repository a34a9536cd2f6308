# SPDX-License-Identifier: Apache-2.0
"""Asks a running containerd which configuration its CRI plugin loaded, as `crictl info` does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import grpc

from traceloop_cli.errors import Failed
from traceloop_proto.cri_pb2 import StatusRequest, StatusResponse

_STATUS: Final = "/runtime.v1.RuntimeService/Status"
_ANSWER_S: Final = 10
_OPTIONS: Final = (("grpc.enable_http_proxy", 0),)


def base_runtime_specs(socket: Path) -> dict[str, str] | None:
    """Returns the path of each runtime's specification, empty if it has none; None if no CRI plugin answers.

    Raises PermissionError, and Failed if the answer is malformed.
    """
    if socket.exists() and not os.access(socket, os.W_OK, effective_ids=True):
        raise PermissionError(socket)
    with grpc.insecure_channel(f"unix:{socket}", options=_OPTIONS) as channel:
        ask = channel.unary_unary(
            _STATUS, request_serializer=StatusRequest.SerializeToString, response_deserializer=StatusResponse.FromString
        )
        try:
            info = ask(StatusRequest(verbose=True), timeout=_ANSWER_S).info
        except grpc.RpcError:
            return None
    try:
        runtimes = json.loads(info["config"])["containerd"]["runtimes"]
        return {str(name): str(one["baseRuntimeSpec"]) for name, one in runtimes.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failed(f"containerd does not tell which configuration it loaded ({error!r})") from error
