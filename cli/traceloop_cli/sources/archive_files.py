# SPDX-License-Identifier: Apache-2.0
"""Archive files that a user names, read without a daemon."""

from __future__ import annotations

import sys
from typing import BinaryIO, Final

from traceloop_cli.errors import Failed
from traceloop_cli.sources.file_errors import cannot_read
from traceloop_decode.archive_file import (
    HEAD_READ_BYTES,
    TraceInfo,
    TruncatedError,
    check,
    head_size,
    read_head,
    unpack,
)
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import Snapshot
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.trace_message import trace_message

STANDARD: Final = "-"
"""Name that stands for standard input or output."""


def read(path: str) -> bytes:
    """Reads an archive file, or standard input: as many bytes as its head says, and one more if there are more.

    Returns only the leading bytes of anything that is not an archive. Raises Failed.
    """
    try:
        if path == STANDARD:
            return _read(sys.stdin.buffer)
        with open(path, "rb") as file:  # noqa: PTH123 - loading pathlib takes 3 ms
            return _read(file)
    except OSError as error:
        raise cannot_read(path, error) from error


def _read(file: BinaryIO) -> bytes:
    start = file.read(HEAD_READ_BYTES)
    try:
        start += file.read(max(0, head_size(start) - len(start)))
        size = read_head(start).file_size
    except DecodeError:  # the caller's decoding fails on the same bytes, and reports it
        return start
    return start + file.read(max(0, size - len(start)) + 1)


def opened(file: bytes, name: str) -> tuple[TraceInfo, bytes]:
    """Returns an archive file's information and its encoded Snapshot. name: for messages. Raises Failed."""
    try:
        return unpack(file)
    except DecodeError as error:
        raise Failed(f"{name}: {error}") from error


def snapshot(encoded: bytes, name: str) -> Snapshot:
    """Decodes a Snapshot. name: for messages. Raises Failed."""
    try:
        return Snapshot.decode(encoded)
    except DecodeError as error:
        raise Failed(f"{name}: {error}") from error


def described(file: bytes, name: str) -> tuple[TraceInfo, pb.Trace]:
    """Returns an archive file's information, and the message that a daemon would send about the file.

    name: for messages. Raises Failed.
    """
    try:
        info = read_head(file).info
    except DecodeError as error:
        raise Failed(f"{name}: {error}") from error
    message = trace_message(info, state=pb.STATE_ARCHIVED, size_bytes=len(file))
    try:
        check(file)
    except TruncatedError:
        message.state = pb.STATE_TRUNCATED
    except DecodeError:
        message.state = pb.STATE_ERROR
    return info, message
