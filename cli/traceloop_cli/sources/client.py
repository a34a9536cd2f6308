# SPDX-License-Identifier: Apache-2.0
"""The connection to the daemon: a stub of its service, and gRPC's errors as ours."""

from __future__ import annotations

import errno
import os.path
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import grpc

from traceloop_cli.errors import CliError, Denied, Failed, Unreachable
from traceloop_proto.recorder_pb2_grpc import RecorderStub

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S: Final = 30
_REFUSAL_S: Final = 0.2
_REFUSAL_MAX_BYTES: Final = 200
_SCHEME: Final = "unix:"
_CONTROL: Final = "control.sock"
_CHANNEL_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),  # a List of very many traces
)


def socket_path(address: str) -> str:
    """The path of ``unix:PATH`` or ``unix:///PATH``. Raises ValueError for anything else."""
    path = address.removeprefix(_SCHEME)
    if path == address or not path:
        raise ValueError(f"{address!r} is not of the form unix:PATH")
    return path.removeprefix("//") if path.startswith("///") else path


def control_address(address: str) -> str:
    """Where requests go that change something: the socket beside the one that is asked, for root alone."""
    return _SCHEME + os.path.join(os.path.dirname(socket_path(address)), _CONTROL)  # noqa: PTH118, PTH120 - as it is given


@contextmanager
def recorder(address: str) -> Iterator[RecorderStub]:
    """The daemon's service, to be called in the block; a call that fails there ends it with a CliError."""
    path = socket_path(address)
    with grpc.insecure_channel(_SCHEME + path, options=_CHANNEL_OPTIONS) as channel:
        try:
            yield RecorderStub(channel)  # type: ignore[no-untyped-call]
        except grpc.RpcError as error:
            raise _translated(error.code(), error.details() or "", path) from error


def _translated(code: grpc.StatusCode, details: str, path: str) -> CliError:
    if code == grpc.StatusCode.UNAVAILABLE:
        return _unavailable(path, details)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unreachable(f"the daemon at {path} gave no answer in {DEADLINE_S} s: see `journalctl -u traceloopd`")
    if code == grpc.StatusCode.CANCELLED:
        return Unreachable(f"the daemon at {path} ended its answer, which was not read in time: try again")
    if code == grpc.StatusCode.PERMISSION_DENIED:
        return Denied(details)
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return Failed(f"the daemon at {path} does not know this request: use the traceloopctl of its version")
    return Failed(details or f"the daemon at {path} failed ({code.name}): see `journalctl -u traceloopd`")


def _unavailable(path: str, details: str) -> CliError:
    # gRPC does not say why it could not connect: try it again by hand.
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
            refusal = _refusal(probe)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.EACCES, errno.EPERM):
            who = "root" if os.path.basename(path) == _CONTROL else "root or as a member of the group traceloop"  # noqa: PTH119
            return Denied(f"cannot use {path}: {reason}; run this as {who}")
        return Unreachable(
            f"no daemon at {path}: {reason}; start it (systemctl start traceloopd), "
            "or name its socket with --address unix:PATH"
        )
    if refusal:
        return Failed(refusal)
    return Unreachable(f"the daemon at {path} broke off: {details}; try again, and see `journalctl -u traceloopd`")


def _refusal(probe: socket.socket) -> str:
    # What the daemon says at once to who has too many connections, and to no one else.
    probe.settimeout(_REFUSAL_S)
    with suppress(OSError):
        said = probe.recv(_REFUSAL_MAX_BYTES).decode("utf-8", "replace")
        if said.endswith("\n"):
            return said.rstrip("\n")
    return ""
