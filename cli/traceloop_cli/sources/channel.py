# SPDX-License-Identifier: Apache-2.0
"""A gRPC channel to one daemon's socket on this machine, and gRPC's errors translated into CliError."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from traceloop_cli.errors import Ambiguous, CliError, Denied, Failed, NoMatch, Unreachable
from traceloop_cli.sources.addresses import Local, Remote
from traceloop_cli.sources.grpc_import import grpc
from traceloop_cli.sources.unavailable import cut_off, unavailable
from traceloop_proto.traceloop_pb2_grpc import RecorderStub

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S: Final = 30
_SCHEME: Final = "unix:"
_PATH_MAX_BYTES: Final = 107  # unix(7)
_KINDS: Final = {grpc.StatusCode.NOT_FOUND: NoMatch, grpc.StatusCode.FAILED_PRECONDITION: Ambiguous}
_ESCAPES: Final = {ord(char): f"%{ord(char):02X}" for char in "%?#"}
_CHANNEL_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),  # a List of very many traces
)


@contextmanager
def channel(path: str, where: Local | Remote) -> Iterator[RecorderStub]:
    """Yields a stub of the daemon at a socket of this machine; a call that fails inside the block raises a CliError.

    where: the daemon's place, for messages.
    """
    with grpc.insecure_channel(_target(path), options=_CHANNEL_OPTIONS) as opened:
        try:
            yield RecorderStub(opened)  # type: ignore[no-untyped-call]
        except grpc.RpcError as error:
            host = where.host if isinstance(where, Remote) else None
            raise _translated(error.code(), error.details() or "", where.path, host) from error


def _target(path: str) -> str:
    # gRPC takes it for a URI, and for several paths if it has commas, even escaped ones.
    length = len(path.encode())
    if length > _PATH_MAX_BYTES or "," in path:
        why = "gRPC takes a comma for the end of a path"
        if length > _PATH_MAX_BYTES:
            why = f"its path is longer than the {_PATH_MAX_BYTES} bytes of a socket's"
        raise Unreachable(f"no daemon at {path}: {why}; name its socket with --address unix:PATH")
    return _SCHEME + path.translate(_ESCAPES)


def _translated(code: grpc.StatusCode, details: str, path: str, host: str | None) -> CliError:
    if host is not None:
        path = f"{path} on {host}"
    if code == grpc.StatusCode.UNAVAILABLE:
        return unavailable(path, details) if host is None else cut_off(path, details)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unreachable(f"the daemon at {path} did not answer within {DEADLINE_S} s: see `journalctl -u traceloopd`")
    if code == grpc.StatusCode.CANCELLED:
        return Unreachable(f"the daemon at {path} cancelled its answer, which was not read in time: try again")
    if code == grpc.StatusCode.PERMISSION_DENIED:
        return Denied(details)
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return Failed(f"the daemon at {path} does not know this request: use the traceloopctl of the same version")
    kind = _KINDS.get(code, Failed)
    return kind(details or f"the daemon at {path} failed ({code.name}): see `journalctl -u traceloopd`")
