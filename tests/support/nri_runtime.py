# SPDX-License-Identifier: Apache-2.0
"""The runtime's side of NRI, as far as tests need it. Writes and reads frames without the daemon's code."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from traceloop_proto import nri_pb2 as pb

PLUGIN, RUNTIME = 1, 2
SILENCE_MAX_S = 20


class Runtime:
    """A listening runtime; `accept` returns the next connection of a plugin."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(SILENCE_MAX_S)

    def accept(self) -> Connection:
        return Connection(self._listener.accept()[0])

    def close(self) -> None:
        self._listener.close()
        self.path.unlink()


class Connection:
    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        peer.settimeout(SILENCE_MAX_S)
        self._stream = -1

    def send(self, connection: int, stream: int, kind: int, payload: bytes, *, frame_bytes: int = 1 << 22) -> None:
        """Sends a message. frame_bytes: the size at which it is cut into frames."""
        data = struct.pack(">IIBB", len(payload), stream, kind, 0) + payload
        for at in range(0, len(data), frame_bytes):
            part = data[at : at + frame_bytes]
            self.peer.sendall(struct.pack(">II", connection, len(part)) + part)

    def receive(self) -> tuple[int, int, int, bytes]:
        """Returns a message's connection, stream, kind and payload; raises EOFError if the plugin closed it."""
        connection, size = struct.unpack(">II", self._exactly(8))
        length, stream, kind, flags = struct.unpack(">IIBB", self._exactly(10))
        assert (size, flags) == (10 + length, 0), "one message a frame"
        return connection, stream, kind, self._exactly(length)

    def ask(self, method: str, payload: bytes, *, frame_bytes: int = 1 << 22) -> bytes:
        """Sends a request to the plugin's service; returns the payload of its answer, which must be a success."""
        self._stream += 2
        request = pb.Request(service="nri.pkg.api.v1alpha1.Plugin", method=method, payload=payload)
        self.send(PLUGIN, self._stream, 1, request.SerializeToString(), frame_bytes=frame_bytes)
        connection, stream, kind, answer = self.receive()
        assert (connection, stream, kind) == (PLUGIN, self._stream, 2)
        response = pb.Response.FromString(answer)
        assert not response.HasField("status"), response
        return response.payload

    def register(self, code: int = 0) -> pb.RegisterPluginRequest:
        """Reads the plugin's registration and answers it."""
        connection, stream, kind, payload = self.receive()
        assert (connection, stream % 2, kind) == (RUNTIME, 1, 1)
        request = pb.Request.FromString(payload)
        assert (request.service, request.method) == ("nri.pkg.api.v1alpha1.Runtime", "RegisterPlugin")
        status = pb.Status(code=code, message="no plugins here\n") if code else None
        self.send(RUNTIME, stream, 2, pb.Response(status=status).SerializeToString())
        return pb.RegisterPluginRequest.FromString(request.payload)

    def establish(self, *, pods: Iterable[pb.PodSandbox] = (), containers: Iterable[pb.Container] = ()) -> None:
        """Performs the handshake: registration, Configure and Synchronize."""
        self.register()
        asked = pb.ConfigureRequest(runtime_name="containerd", runtime_version="v9")
        self.ask("Configure", asked.SerializeToString())
        self.ask("Synchronize", pb.SynchronizeRequest(pods=pods, containers=containers).SerializeToString())

    def close(self) -> None:
        self.peer.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.peer.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data
