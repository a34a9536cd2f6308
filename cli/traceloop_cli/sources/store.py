# SPDX-License-Identifier: Apache-2.0
"""A store of archived traces behind the methods of a daemon's stub, so that each verb reads it as it reads a node.

traceloop-ship writes one object a trace, below any prefix::

    CLUSTER/DATE/NODE/BOOT/<trace id>.trace      an archive file; its name is as in the daemon's directory

A trace is found by its object's name. Listing reads the objects' names and sizes, and of each only the beginning, which
contains its head: all by two runs of rclone. The store is only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from traceloop_cli.errors import Failed, NoMatch
from traceloop_cli.remote import rclone
from traceloop_decode.archive_file import (
    HEAD_READ_BYTES,
    Head,
    TraceInfo,
    TruncatedError,
    check,
    head_size,
    read_head,
    unpack,
)
from traceloop_decode.file_names import SUFFIX, object_tail, trace_id_of
from traceloop_decode.model import DecodeError
from traceloop_decode.safe_text import encodable
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.trace_message import trace_message
from traceloop_proto.traceloop_pb2_grpc import RecorderStub

_JOBS: Final = 8
_TAIL_PARTS: Final = 3  # NODE/BOOT/FILE
_ATTEMPTS: Final = 2
_ALL: Final = f"*{SUFFIX}"


@dataclass(frozen=True, slots=True)
class _Object:
    path: str
    size_bytes: int

    @property
    def trace_id(self) -> str:
        return trace_id_of(self.path.rpartition("/")[2])

    @property
    def tail(self) -> str:
        return "/".join(self.path.split("/")[-_TAIL_PARTS:])


class StoreStub(RecorderStub):
    """The methods of RecorderStub that read. place: REMOTE:PREFIX, as rclone takes it."""

    def __init__(self, place: str) -> None:  # not the base's, which makes its methods
        self.place = place
        self._given: dict[str, tuple[_Object, Head | None]] = {}  # what `Get` told, by its id

    def List(self, request: pb.ListRequest, timeout: float) -> pb.ListReply:  # noqa: ARG002, N802 - gRPC's name
        """Returns all traces, oldest first. Raises Failed."""
        found = sorted(self._heads(self._objects()), key=lambda one: one[1].info.started_ns if one[1] else 0)
        return pb.ListReply(traces=[_message(one, head) for one, head in found])

    def Get(self, request: pb.TraceRequest, timeout: float) -> pb.Trace:  # noqa: ARG002, N802
        """Returns a trace, without an id the newest. Raises Failed; NoMatch if there is none."""
        one, head = self._found(request.id) if request.id else self._newest()
        message = _message(one, head)
        self._given[message.id] = one, head
        return message

    def Snapshot(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.SnapshotChunk]:  # noqa: ARG002, N802
        """Yields a trace's Snapshot. Raises Failed."""
        one, _ = self._found(request.id)
        try:
            yield pb.SnapshotChunk(data=unpack(self._read(one))[1])
        except DecodeError as error:
            raise Failed(f"{one.path}: {error}") from error

    def Dump(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.DumpChunk]:  # noqa: ARG002, N802
        """Yields a trace's archive file, even a damaged one. Raises Failed."""
        yield pb.DumpChunk(data=self._read(self._found(request.id)[0]))

    def __getattr__(self, name: str) -> None:
        raise Failed(f"{self.place} is an archive, which list, show, info and dump can read; ask a node for the rest")

    def _objects(self) -> list[_Object]:
        words = ("lsf", "-R", "--files-only", "--fast-list", "--format=sp", "--separator=\t", f"--include={_ALL}")
        lines = rclone.output(*words, self.place).decode("utf-8", "surrogateescape").split("\n")
        found = (line.partition("\t") for line in lines)
        objects = (_Object(path, int(size)) for size, _, path in found if size.isdecimal() and path.endswith(SUFFIX))
        return sorted(objects, key=lambda one: one.path)  # without names with a line break, which rclone may not escape

    def _newest(self) -> tuple[_Object, Head | None]:
        heads = self._heads(self._objects())
        if not heads:
            raise NoMatch(f"no trace in {self.place}: see `traceloopctl --archive {self.place} list`")
        return max(heads, key=lambda one: one[1].info.started_ns if one[1] else 0)

    def _found(self, word: str) -> tuple[_Object, Head | None]:
        if word in self._given:  # more than one may have this id
            return self._given[word]
        objects = self._objects()
        found = [one for one in objects if word in (one.path, one.trace_id)]
        found = found or [one for one in objects if one.trace_id.startswith(word)]
        heads = self._heads(found or objects)
        fitting = [(one, head) for one, head in heads if found or (head and head.info.container_id.startswith(word))]
        if not fitting:
            raise NoMatch(
                f"no trace {word} in {self.place}: `traceloopctl --archive {self.place} list` shows all traces"
            )
        if len(fitting) > 1:
            ids = [one.trace_id for one, _ in fitting]
            names = ids if len(set(ids)) == len(ids) else [one.path for one, _ in fitting]
            raise Failed(f"{word} fits {len(fitting)} traces; give more of the id: {', '.join(names)}")
        return fitting[0]

    def _read(self, one: _Object) -> bytes:
        # An answer that was cut off is asked for again.
        for _ in range(_ATTEMPTS):
            file = rclone.output("cat", f"{self.place.rstrip('/')}/{one.path}")
            try:
                check(file)
            except DecodeError:
                if len(file) == one.size_bytes:
                    return file  # damaged in the store as well
            else:
                return file
        raise Failed(f"{one.path}: {len(file)} bytes of {one.size_bytes} arrived: try again")

    def _heads(self, objects: Sequence[_Object]) -> list[tuple[_Object, Head | None]]:
        # A head is None if it cannot be read. One run of rclone reads all, in an order of its own.
        words = ("cat", f"--count={HEAD_READ_BYTES}", "--files-from-raw=-", self.place)
        read = rclone.output(*words, stdin=[one.path for one in objects]) if objects else b""
        heads = {_tail(head.info): head for head in _in_sequence(read)}
        with ThreadPoolExecutor(_JOBS) as pool:
            return list(
                zip(objects, pool.map(lambda one: heads.get(one.tail) or self._head(one), objects), strict=True)
            )

    def _head(self, one: _Object) -> Head | None:
        path, size = f"{self.place.rstrip('/')}/{one.path}", HEAD_READ_BYTES
        while True:
            start = rclone.output("cat", f"--count={size}", path)
            try:
                return read_head(start)
            except TruncatedError:
                if len(start) < size:
                    return None
                size = head_size(start)
            except DecodeError:
                return None


def _in_sequence(read: bytes) -> Iterator[Head]:
    # The beginnings of objects, one after the other: each is cut off at HEAD_READ_BYTES, or is whole as its head says.
    # Ends at one that is damaged, since the next could begin anywhere.
    at = 0
    while at < len(read):
        start = read[at : at + HEAD_READ_BYTES]
        size = HEAD_READ_BYTES
        try:
            head = read_head(start)
        except TruncatedError:  # a longer head: it is read alone
            pass
        except DecodeError:
            return
        else:
            size = min(size, head.file_size)
            yield head
        at += size


def _tail(info: TraceInfo) -> str:
    return object_tail(info.node, info.boot_id, info.trace_id)


def _message(one: _Object, head: Head | None) -> pb.Trace:
    if head is None:
        return pb.Trace(id=encodable(one.trace_id), state=pb.STATE_ERROR, size_bytes=one.size_bytes)
    state = pb.STATE_ARCHIVED
    try:
        head.check_size(one.size_bytes)
    except TruncatedError:
        state = pb.STATE_TRUNCATED
    except DecodeError:
        state = pb.STATE_ERROR
    return trace_message(head.info, state=state, size_bytes=one.size_bytes)
