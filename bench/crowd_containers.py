# SPDX-License-Identifier: Apache-2.0
"""The containers of crowd.py, run inside the lab: processes in cgroups, registered as the hook does it, or born.

    crowd_containers.py SOCKET UNIT

Reads commands from stdin, one a line, and answers each with a JSON object on stdout.

- ``all N``: starts N containers that stay alive, each with a full ring. Answers how long each waited to be registered.
- ``sequence N``: runs N containers, one after the other. Answers how long that took.
- ``born N``: makes N cgroups whose names are ids, as engines make them, with a container in each, and ends these.
  Answers their ids, and how long it took to make them.
- ``restart``, ``kill``: restarts the unit, or kills its process, while a probe connects to the socket as a hook every
  20 ms. Answers the longest wait.
- ``end``: ends all containers.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

_CGROUPS = Path("/sys/fs/cgroup")
_PROGRAM = "read calls; dd if=/dev/zero of=/dev/null bs=64 count=$calls status=none; echo; read end"
_CALLS = 10_000  # reads, and as many writes: more than a ring holds
_FEW_CALLS = 100
_PROBE_S = 0.02
_AGAIN_S = 0.02
_NO_PID = (1 << 22) + 1


class Container:
    """A container whose process waits for its work. is_born: nobody registers it."""

    def __init__(self, name: str, *, is_born: bool = False) -> None:
        self.name, self.cgroup = name, _CGROUPS / name
        self.cgroup.mkdir()
        self.process = subprocess.Popen(
            ["sh", "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        (self.cgroup / "cgroup.procs").write_text(str(self.process.pid))
        self.waited_s = 0.0 if is_born else register(name, self.process.pid, "ok")

    def work(self, calls: int) -> None:
        """Makes `calls` reads and as many writes."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(calls, file=self.process.stdin, flush=True)
        self.process.stdout.readline()

    def end(self) -> None:
        """Ends the process and removes its cgroup."""
        self.process.communicate()
        self.cgroup.rmdir()


def register(name: str, pid: int, expected: str) -> float:
    """Sends the hook's message until the daemon answers; returns how long that took, in seconds."""
    message = b"start\n" + json.dumps({"ociVersion": "1.0.2", "id": name, "pid": pid, "bundle": "/"}).encode()
    began_s = time.monotonic()
    while True:
        answer = b""
        with socket.socket(socket.AF_UNIX) as hook:
            hook.connect(sys.argv[1])
            with suppress(ConnectionError):
                hook.sendall(message)
                hook.shutdown(socket.SHUT_WR)
                answer = hook.recv(4096)
        if answer:
            assert answer.startswith(expected.encode()), answer
            return time.monotonic() - began_s
        time.sleep(_AGAIN_S)


def disturb(*command: str) -> dict[str, Any]:
    """Runs the command while probes connect as hooks; returns the time to the first later answer and the longest."""
    waited_s: list[float] = []
    done = threading.Event()

    def probe() -> None:
        waited_s.append(register("probe", _NO_PID, "error: "))

    def probes() -> None:
        with ThreadPoolExecutor(500) as threads:
            while not done.wait(_PROBE_S):
                threads.submit(probe)

    prober = threading.Thread(target=probes)
    prober.start()
    time.sleep(0.2)
    began_s = time.monotonic()
    subprocess.run(["systemctl", *command, sys.argv[2]], check=True)
    probe()
    took_s = time.monotonic() - began_s
    done.set()
    prober.join()
    return {"took_s": took_s, "waited_s": max(waited_s)}


class Crowd:
    """The containers, by commands: each method but `main` is one, and returns its answer."""

    def __init__(self) -> None:
        self._living: list[Container] = []
        self._number = 0

    def main(self) -> None:
        """Executes the commands from stdin."""
        commands = {"all": self.all, "sequence": self.sequence, "born": self.born, "restart": self.restart}
        commands |= {"kill": self.kill, "end": self.end}
        for line in sys.stdin:
            command, *words = line.split()
            began_s = time.monotonic()
            answer = commands[command](*map(int, words))
            answer.setdefault("took_s", time.monotonic() - began_s)
            os.write(1, json.dumps(answer).encode() + b"\n")

    def all(self, count: int) -> dict[str, Any]:
        began = [self._begin() for _ in range(count)]
        self._living += began
        return {"waited_s": [container.waited_s for container in began]}

    def sequence(self, count: int) -> dict[str, Any]:
        for _ in range(count):
            self._number += 1
            one = Container(f"crowd-{self._number}")
            one.work(_FEW_CALLS)
            one.end()
        return {}

    def born(self, count: int) -> dict[str, Any]:
        began_s = time.monotonic()
        born = [Container(os.urandom(32).hex(), is_born=True) for _ in range(count)]
        took_s = time.monotonic() - began_s
        for one in born:
            one.work(_FEW_CALLS)
            one.end()
        return {"took_s": took_s, "ids": [one.name for one in born]}

    def restart(self) -> dict[str, Any]:
        return disturb("restart")

    def kill(self) -> dict[str, Any]:
        return disturb("kill", "--kill-whom=main", "--signal=KILL")

    def end(self) -> dict[str, Any]:
        while self._living:
            self._living.pop().end()
        return {}

    def _begin(self) -> Container:
        self._number += 1
        container = Container(f"crowd-{self._number}")
        container.work(_CALLS)
        return container


if __name__ == "__main__":
    Crowd().main()
