# SPDX-License-Identifier: Apache-2.0
"""The containers of crowd.py, run inside the lab: processes in cgroups, registered as the hook does it.

    crowd_containers.py SOCKET UNIT

Reads commands from stdin, one a line, and answers each with a JSON object on stdout.

- ``all N``: starts N containers that stay alive, each with a full ring. Answers how long each waited to be registered.
- ``sequence N``: runs N containers, one after the other. Answers how long that took.
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
    """A container whose process waits for its work."""

    def __init__(self, name: str) -> None:
        self.name, self.cgroup = name, _CGROUPS / name
        self.cgroup.mkdir()
        self.process = subprocess.Popen(
            ["sh", "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        (self.cgroup / "cgroup.procs").write_text(str(self.process.pid))
        self.waited_s = register(name, self.process.pid, "ok")

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


def main() -> None:
    """Executes the commands from stdin."""
    living: list[Container] = []
    number = 0
    for line in sys.stdin:
        command, *words = line.split()
        began_s = time.monotonic()
        answer: dict[str, Any] = {}
        if command == "all":
            for _ in range(int(words[0])):
                number += 1
                living.append(Container(f"crowd-{number}"))
                living[-1].work(_CALLS)
            answer["waited_s"] = [container.waited_s for container in living]
        elif command == "sequence":
            for _ in range(int(words[0])):
                number += 1
                one = Container(f"crowd-{number}")
                one.work(_FEW_CALLS)
                one.end()
        elif command == "restart":
            answer = disturb("restart")
        elif command == "kill":
            answer = disturb("kill", "--kill-whom=main", "--signal=KILL")
        elif command == "end":
            while living:
                living.pop().end()
        answer.setdefault("took_s", time.monotonic() - began_s)
        os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
