# SPDX-License-Identifier: Apache-2.0
"""Encodes and decodes NRI's wire format: connections that share one socket, with ttrpc messages in each.

A frame is the connection's number and the data's length, four bytes each, then the data (github.com/containerd/nri,
pkg/net/multiplex). The concatenated data of one connection are ttrpc messages: length, stream, type, flags (four, four,
one and one byte), then a protobuf (github.com/containerd/ttrpc, channel.go). All numbers are big-endian.

The module does no I/O. Any bytes give messages or one NriError, after which the socket cannot be used any more.

No Python package speaks ttrpc.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from traceloop_daemon.errors import NriError

PLUGIN: Final = 1
"""Number of the connection for the runtime's requests."""
RUNTIME: Final = 2
"""Number of the connection for the plugin's requests."""
REQUEST: Final = 1
RESPONSE: Final = 2
MESSAGE_MAX_BYTES: Final = 4 << 20
"""Maximum size of a protobuf; NRI splits longer ones."""

_FRAME: Final = struct.Struct(">II")
_HEADER: Final = struct.Struct(">IIBB")
_FRAME_MAX_BYTES: Final = _HEADER.size + MESSAGE_MAX_BYTES
# A frame's data must fit into the runtime's read buffer (Go's bufio.Reader), or the runtime closes the connection.
SENT_MAX_BYTES: Final = 4096 - _HEADER.size


@dataclass(frozen=True, slots=True)
class Message:
    """A protobuf. stream: ties an answer to its request. kind: REQUEST, RESPONSE, or an unknown kind."""

    connection: int
    stream: int
    kind: int
    payload: bytes


def encode(message: Message) -> bytes:
    """Encodes one message in one frame."""
    assert len(message.payload) <= SENT_MAX_BYTES
    header = _HEADER.pack(len(message.payload), message.stream, message.kind, 0)
    return _FRAME.pack(message.connection, len(header) + len(message.payload)) + header + message.payload


class Reader:
    """A decoder that takes bytes as they arrive and returns the messages that they complete."""

    def __init__(self) -> None:
        self._trunk = bytearray()
        self._data: dict[int, bytearray] = {PLUGIN: bytearray(), RUNTIME: bytearray()}

    def feed(self, data: bytes) -> list[Message]:
        """Takes bytes and returns the messages that are now complete, in order of their ends. Raises NriError."""
        self._trunk += data
        messages = []
        while len(self._trunk) >= _FRAME.size:
            connection, length = _FRAME.unpack_from(self._trunk)
            if length > _FRAME_MAX_BYTES:
                raise NriError(f"received a frame of {length} bytes, more than the allowed {_FRAME_MAX_BYTES}")
            end = _FRAME.size + length
            if len(self._trunk) < end:
                break
            if connection in self._data:  # other connections are ignored, as NRI's own reader does
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
                raise NriError(f"received a message of {length} bytes, more than the allowed {MESSAGE_MAX_BYTES}")
            begin = at + _HEADER.size
            if len(data) < begin + length:
                break
            at = begin + length
            messages.append(Message(connection, stream, kind, bytes(data[begin:at])))
        del data[:at]
        return messages
