# SPDX-License-Identifier: Apache-2.0
"""Containers without a runtime: a process in a real cgroup, registered with a real daemon as the hook does it."""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab import pod_annotations
from workload import cgroup

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lab import Daemon

# Sleeps in read(2) until it is told how much to do; ends when its standard input is closed.
_PROGRAM: Final = "while read calls; do dd if=/dev/zero of=/dev/null bs=64 count=$calls status=none; echo; done"


@dataclass(frozen=True, slots=True)
class Container:
    """A container, as a runtime knows it."""

    id: str
    process: subprocess.Popen[str]

    def work(self, calls: int) -> None:
        """Makes `calls` reads and as many writes of 64 bytes."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(calls, file=self.process.stdin, flush=True)
        self.process.stdout.readline()


@contextmanager
def container(name: str) -> Iterator[Container]:
    """Creates a container that no daemon knows; on exit its process has ended and its cgroup is removed."""
    with cgroup(name) as path:
        process = subprocess.Popen(["sh", "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            (path / "cgroup.procs").write_text(str(process.pid))
            yield Container(path.name, process)
        finally:
            process.communicate()


@contextmanager
def containers(count: int, name: str) -> Iterator[list[Container]]:
    """Creates `count` containers."""
    with ExitStack() as exits:
        yield [exits.enter_context(container(f"{name}-{number}")) for number in range(count)]


def register(daemon: Daemon, new: Sequence[Container], **annotations: str) -> list[float]:
    """Registers all containers at once; returns each one's wait from connection to answer, in milliseconds."""
    messages = [b"start\n" + _state(one, annotations) for one in new]
    waited_ms = []
    with selectors.DefaultSelector() as answers, ExitStack() as exits:
        for message in messages:
            hook = exits.enter_context(socket.socket(socket.AF_UNIX))
            began_s = time.perf_counter()
            hook.connect(str(daemon.hook_socket))
            hook.sendall(message)
            hook.shutdown(socket.SHUT_WR)
            answers.register(hook, selectors.EVENT_READ, (hook, began_s))
        while answers.get_map():
            for key, _ in answers.select():
                hook, began_s = key.data
                answer = hook.recv(4096)
                waited_ms.append((time.perf_counter() - began_s) * 1000)
                if answer != b"ok\n":
                    raise SystemExit(f"not registered: {answer!r}")
                answers.unregister(hook)
    return waited_ms


def _state(one: Container, annotations: Mapping[str, str]) -> bytes:
    state = {
        "ociVersion": "1.0.2",
        "id": one.id,
        "status": "creating",
        "pid": one.process.pid,
        "bundle": f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{one.id}",
        "annotations": {**pod_annotations(one.id), **annotations},
    }
    return json.dumps(state).encode()
