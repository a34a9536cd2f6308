# SPDX-License-Identifier: Apache-2.0
"""The kubelet's part of Kubernetes' CRI, as far as tests need it: pods on the host's network, and containers in them.

Messages are written by field numbers (k8s.io/cri-api, pkg/apis/runtime/v1/api.proto): a dict of numbers, whose values
are numbers, texts, dicts, or lists of these.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc

_SERVICE = "/runtime.v1.RuntimeService/"
_NODE = 2  # NamespaceMode: the host's
_EXITED = 2  # ContainerState
_DEADLINE_S = 60

Fields = dict[int, Any]


class Cri:
    """A client of the socket at `path`. cgroup: the parent of pods' cgroups, at the top of each hierarchy."""

    def __init__(self, path: Path, *, cgroup: str = "traceloop-test") -> None:
        self._channel = grpc.insecure_channel(f"unix:{path}")
        self._cgroup = cgroup

    def close(self) -> None:
        self._channel.close()

    def call(self, method: str, fields: Fields) -> dict[int, list[Any]]:
        stub = self._channel.unary_unary(_SERVICE + method)
        return decode(stub(encode(fields), timeout=_DEADLINE_S))

    def ready(self) -> bool:
        """Returns whether the CRI plugin answers."""
        try:
            self.call("Version", {})
        except grpc.RpcError:
            return False
        return True

    def exit_code(self, container_id: str) -> int | None:
        """Returns a container's exit code, or None while it runs."""
        (status,) = self.call("ContainerStatus", {1: container_id})[1]
        fields = decode(status)
        return int(fields.get(7, [0])[0]) if fields.get(3, [0])[0] == _EXITED else None

    def run_pod(
        self,
        name: str,
        *,
        namespace: str = "default",
        uid: str = "u-1",
        handler: str = "",
        annotations: Mapping[str, str] = MappingProxyType({}),
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> Pod:
        """Creates a pod with its sandbox."""
        options = {1: {1: _NODE}}
        config: Fields = {
            1: {1: name, 2: uid, 3: namespace, 4: 0},
            6: _pairs(labels),
            7: _pairs(annotations),
            8: {1: f"/{self._cgroup}/{name}", 2: options},
        }
        (pod_id,) = self.call("RunPodSandbox", {1: config, 2: handler})[1]
        return Pod(self, pod_id.decode(), config)


class Pod:
    def __init__(self, cri: Cri, pod_id: str, config: Fields) -> None:
        self._cri, self.id, self._config = cri, pod_id, config

    def run(self, name: str, image: str, command: Sequence[str], *, attempt: int = 0) -> str:
        """Creates and starts a container with the annotations and labels that kubelet sets; returns its id."""
        container_id = self.create(name, image, command, attempt=attempt)
        self._cri.call("StartContainer", {1: container_id})
        return container_id

    def create(self, name: str, image: str, command: Sequence[str], *, attempt: int = 0) -> str:
        annotations = _pairs({"io.kubernetes.container.restartCount": str(attempt)})
        labels = _pairs({"io.kubernetes.container.name": name, "of": name})
        security = {2: {3: {1: _NODE}}}
        config: Fields = {
            1: {1: name, 2: attempt},
            2: {1: image},
            3: [*command],
            9: labels,
            10: annotations,
            15: security,
        }
        request = {1: self.id, 2: config, 3: self._config}
        made: bytes = self._cri.call("CreateContainer", request)[1][0]
        return made.decode()

    def wait(self, container_id: str) -> int:
        """Waits for a container's end by polling, as the CRI offers nothing else; returns its exit code."""
        deadline_s = time.monotonic() + _DEADLINE_S
        while True:
            if (code := self._cri.exit_code(container_id)) is not None:
                return code
            assert time.monotonic() < deadline_s, f"container {container_id} does not end"
            time.sleep(0.02)

    def remove(self) -> None:
        self._cri.call("StopPodSandbox", {1: self.id})
        self._cri.call("RemovePodSandbox", {1: self.id})


def _pairs(texts: Mapping[str, str]) -> list[Fields]:
    return [{1: name, 2: text} for name, text in texts.items()]


def encode(fields: Fields) -> bytes:
    """Encodes fields in protobuf's wire format."""
    return b"".join(
        _encode_one(number, one)
        for number, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    )


def decode(data: bytes) -> dict[int, list[Any]]:
    """Decodes a message into values by field number: integers, or undecoded bytes."""
    found: dict[int, list[Any]] = {}
    value: int | bytes
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
        elif key & 7 == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[key & 7]
            value, at = data[at : at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def _encode_one(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    data = encode(value) if isinstance(value, dict) else str(value).encode()
    return _number(number << 3 | 2) + _number(len(data)) + data


def _number(value: int) -> bytes:
    return bytes(_septets(value))


def _septets(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at
