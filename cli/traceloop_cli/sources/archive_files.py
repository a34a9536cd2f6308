# SPDX-License-Identifier: Apache-2.0
"""Archive files on this machine, for the verbs that do not need a daemon then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, Final

from traceloop_cli.display.traces import capture_name
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
from traceloop_proto import recorder_pb2 as pb

STANDARD: Final = "-"
"""A file of this name is standard input, or output."""

_SIGNAL_MASK: Final = 0x7F


def read(path: str) -> bytes:
    """The bytes of an archive file, or of standard input: as many as its head says, and one more where there are more.

    Of what is no archive, its beginning. Raises Failed.
    """
    try:
        if path == STANDARD:
            return _read(sys.stdin.buffer)
        with Path(path).open("rb") as file:
            return _read(file)
    except OSError as error:
        raise cannot_read(path, error) from error


def _read(file: BinaryIO) -> bytes:
    start = file.read(HEAD_READ_BYTES)
    try:
        start += file.read(max(0, head_size(start) - len(start)))
        size = read_head(start).file_size
    except DecodeError:  # so will say whoever takes it apart
        return start
    return start + file.read(max(0, size - len(start)) + 1)


def opened(file: bytes, name: str) -> tuple[TraceInfo, bytes]:
    """What an archive file holds: the information, and the encoded Snapshot. name: for messages. Raises Failed."""
    try:
        return unpack(file)
    except DecodeError as error:
        raise Failed(f"{name}: {error}") from error


def snapshot(encoded: bytes, name: str) -> Snapshot:
    """The Snapshot. name: for messages. Raises Failed."""
    try:
        return Snapshot.decode(encoded)
    except DecodeError as error:
        raise Failed(f"{name}: {error}") from error


def described(file: bytes, name: str) -> tuple[TraceInfo, pb.Trace]:
    """What the head of an archive file says, and what a daemon would say of the file. name: as above. Raises Failed."""
    try:
        info = read_head(file).info
    except DecodeError as error:
        raise Failed(f"{name}: {error}") from error
    message = _message(info, len(file))
    try:
        check(file)
    except TruncatedError:
        message.state = pb.STATE_TRUNCATED
    except DecodeError:
        message.state = pb.STATE_ERROR
    return info, message


def _message(info: TraceInfo, size_bytes: int) -> pb.Trace:
    message = pb.Trace(
        id=info.trace_id,
        node=info.node,
        namespace=info.namespace,
        pod=info.pod,
        pod_uid=info.pod_uid,
        container=info.container,
        container_id=info.container_id,
        image=info.image,
        state=pb.STATE_ARCHIVED,
        started_ns=info.started_ns,
        ended_ns=info.ended_ns,
        events=info.events,
        lost=info.lost,
        size_bytes=size_bytes,
        cgroup=info.cgroup,
        labels=info.labels,
        labels_left_out=info.labels_left_out,
        capture=capture_name(info.capture),
        ring_size_bytes=info.ring_size_bytes,
        io_uring_setups=info.io_uring_setups,
    )
    if info.restart_count is not None:
        message.restart_count = info.restart_count
    if info.status is not None and info.status & _SIGNAL_MASK:
        message.signal = info.status & _SIGNAL_MASK
    elif info.status is not None:
        message.exit_code = info.status >> 8 & 0xFF
    return message
