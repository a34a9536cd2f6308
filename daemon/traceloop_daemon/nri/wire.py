# SPDX-License-Identifier: Apache-2.0
"""NRI's bytes <-> messages: connections that share one socket, and ttrpc's messages in each of them.

A frame is the connection's number and the data's length, four bytes each, then the data (github.com/containerd/nri,
pkg/net/multiplex). The data of one connection, joined, are ttrpc messages: length, stream, type, flags (four, four, one
and one byte), then a protobuf (github.com/containerd/ttrpc, channel.go). All numbers are big-endian.

Pure: no I/O. Any bytes give messages, or one NriError, after which the socket is of no use.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from traceloop_daemon.errors import NriError

PLUGIN: Final = 1
"""The connection on which the runtime asks."""
RUNTIME: Final = 2
"""The connection on which the plugin asks."""
REQUEST: Final = 1
RESPONSE: Final = 2
MESSAGE_MAX_BYTES: Final = 4 << 20
"""Of a protobuf; NRI splits what would be longer."""

_FRAME: Final = struct.Struct(">II")
_HEADER: Final = struct.Struct(">IIBB")
_FRAME_MAX_BYTES: Final = _HEADER.size + MESSAGE_MAX_BYTES
# A frame's data must fit into the buffer of the runtime's reader (bufio.Reader's, in Go), or it ends the connection.
SENT_MAX_BYTES: Final = 4096 - _HEADER.size


@dataclass(frozen=True, slots=True)
class Message:
    """One protobuf. stream: ties an answer to its question. kind: REQUEST, RESPONSE, or another, which is not known."""

    connection: int
    stream: int
    kind: int
    payload: bytes


def encode(message: Message) -> bytes:
    """One message in one frame."""
    assert len(message.payload) <= SENT_MAX_BYTES
    header = _HEADER.pack(len(message.payload), message.stream, message.kind, 0)
    return _FRAME.pack(message.connection, len(header) + len(message.payload)) + header + message.payload


class Reader:
    """Takes bytes as they come, gives the messages that they complete."""

    def __init__(self) -> None:
        self._trunk = bytearray()
        self._data: dict[int, bytearray] = {PLUGIN: bytearray(), RUNTIME: bytearray()}

    def feed(self, data: bytes) -> list[Message]:
        """In the order in which they end. Raises NriError."""
        self._trunk += data
        messages = []
        while len(self._trunk) >= _FRAME.size:
            connection, length = _FRAME.unpack_from(self._trunk)
            if length > _FRAME_MAX_BYTES:
                raise NriError(f"a frame of {length} bytes, of which {_FRAME_MAX_BYTES} are allowed")
            end = _FRAME.size + length
            if len(self._trunk) < end:
                break
            if connection in self._data:  # others are left out, as NRI's own reader does
                self._data[connection] += self._trunk[_FRAME.size : end]
                messages += self._messages(connection, self._data[connection])
            del self._trunk[:end]
        return messages

    @staticmethod
    def _messages(connection: int, data: bytearray) -> list[Message]:
        messages = []
        at = 0
        while len(data) - at >= _HEADER.size:
            length, stream, kind, _ = _HEADER.unpack_from(data, at)
            if length > MESSAGE_MAX_BYTES:
                raise NriError(f"a message of {length} bytes, of which {MESSAGE_MAX_BYTES} are allowed")
            begin = at + _HEADER.size
            if len(data) < begin + length:
                break
            at = begin + length
            messages.append(Message(connection, stream, kind, bytes(data[begin:at])))
        del data[:at]
        return messages
