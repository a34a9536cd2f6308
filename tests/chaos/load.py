# SPDX-License-Identifier: Apache-2.0
"""The node's containers, run inside the lab: many short-lived ones, and a busy one.

    load.py WORKER HOOK FROM

FROM: what the daemon records containers from, "birth" or "hook", as in its settings.

Reads commands from stdin, one a line, and writes JSON objects to stdout, one a line.

- `run RATE`: starts RATE containers a second from now on. `pause`: stops that; writes ``{"paused": true}`` when all have
  ended.
- `busy`: starts a container that makes BURST calls in each PERIOD_NS, 125,000 a second; writes it as one that has ended,
  with ``calls`` null. `calls`: writes how many calls it has made, ``{"calls": n}``. `end`: ends it after a prime number
  of calls.

Writes each container that has ended as ``{"name": …, "id": …, "born": …, "calls": a prime, "sleeps": …, "status": …,
"hook": the hook's stderr, "hook_status": …, "hook_s": …, "deadline_s": …}``.

A container is a process in a cgroup of its own that runs worker.c. By hooks: it waits until the real hook, which runs
outside the cgroup, is done, as runc's init does. By births: the cgroup's name is an id, as engines make it; the process
enters the cgroup and then executes the program, as a runtime's does; a hook runs for every second container.
"""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from struct import Struct
from typing import Any

CGROUPS = Path("/sys/fs/cgroup")
BURST, PERIOD_NS = 1250, 10_000_000
PRIMES = (2, 101, 499, 997, 1999, 4999, 9973)
MORE_THAN_A_RING = 49_999
FOREVER = (1 << 64) - 1
# A patient hook must get its answer, whatever happens; the other half have the deadline that engines use.
DEADLINES_S = (2.0, 30.0)
_PAGE = Struct("<QQQQQqq")  # struct page of worker.c
_STOP_AT = 16


def say(**fields: Any) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")  # a single write, because threads share the descriptor


def next_prime(least: int) -> int:
    number = least | 1
    while any(number % divisor == 0 for divisor in range(3, int(number**0.5) + 1, 2)):
        number += 2
    return number


@dataclass
class Hook:
    status: int
    said: str
    took_s: float


class Container:
    """A container in its cgroup, from its registration to its end. deadline_s: its hook's; 0: it has none."""

    def __init__(self, name: str, deadline_s: float) -> None:
        self.name, self.deadline_s, self.born = name, deadline_s, sys.argv[3] == "birth"
        self.id = sha256(name.encode()).hexdigest() if self.born else name
        self._page_path = Path(f"/tmp/{name}.page")
        self._page_path.write_bytes(bytes(4096))
        with self._page_path.open("r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)
        self.cgroup = CGROUPS / self.id
        self.cgroup.mkdir()
        words = [sys.argv[1], self._page_path]
        enter = ["/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', self.cgroup / "cgroup.procs"] if self.born else []
        self.process = subprocess.Popen([*enter, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.read(1)
        if not self.born:
            # Nothing announces that a process has entered a call, and an earlier registration would record that entry.
            while not Path(f"/proc/{self.process.pid}/syscall").read_text().startswith("0 "):
                time.sleep(0.001)
            (self.cgroup / "cgroup.procs").write_text(str(self.process.pid))
        self.hook = self.run_hook("start", self.process.pid) if deadline_s else Hook(0, "", 0.0)

    def run_hook(self, stage: str, pid: int) -> Hook:
        state = {"ociVersion": "1.0.2", "id": self.id, "pid": pid, "bundle": "/", "annotations": {}}
        began = time.monotonic()
        ended = subprocess.run(
            [sys.argv[2], stage, "--deadline", str(self.deadline_s)],
            input=json.dumps(state),
            capture_output=True,
            text=True,
            check=False,
        )
        return Hook(ended.returncode, ended.stderr, time.monotonic() - began)

    def begin(self, stop: int, burst: int = 0) -> None:
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        _PAGE.pack_into(self.page, 0, 0, 0, stop, burst, PERIOD_NS, now // 10**9, now % 10**9)
        self.process.stdin.write(b"g")
        self.process.stdin.flush()

    def calls(self) -> int:
        return _PAGE.unpack_from(self.page)[0]

    def stop_after(self, calls: int) -> None:
        self.page[_STOP_AT : _STOP_AT + 8] = calls.to_bytes(8, "little")

    def end(self) -> None:
        """Waits for the process's end, and reports it."""
        self.process.communicate()
        calls, sleeps, *_ = _PAGE.unpack_from(self.page)
        self.cgroup.rmdir()
        self.page.close()
        self._page_path.unlink()
        self.tell(calls, sleeps, self.process.returncode)

    def tell(self, calls: int | None, sleeps: int, status: int | None) -> None:
        hook = {"hook": self.hook.said, "hook_status": self.hook.status, "hook_s": round(self.hook.took_s, 3)}
        who = {"name": self.name, "id": self.id, "born": self.born}
        say(**who, calls=calls, sleeps=sleeps, status=status, deadline_s=self.deadline_s, **hook)


class Many:
    """Containers that end soon."""

    def __init__(self) -> None:
        self._running = threading.Event()
        self._rate = 1.0
        self._threads = ThreadPoolExecutor(400)
        self._lives: list[Any] = []
        self._numbers = 0
        threading.Thread(target=self._start, daemon=True).start()

    def run(self, rate: float) -> None:
        self._rate = rate
        self._running.set()

    def pause(self) -> None:
        self._running.clear()
        while self._lives:
            self._lives.pop().result()
        say(paused=True)

    def _start(self) -> None:
        due_s = 0.0
        while self._running.wait():
            now_s = time.monotonic()
            due_s = max(due_s, now_s - 1)  # catches up on late starts, within bounds
            if now_s < due_s:
                time.sleep(due_s - now_s)
                continue
            due_s += 1 / self._rate
            self._numbers += 1
            self._lives.append(self._threads.submit(self._live, self._numbers))

    def _live(self, number: int) -> None:
        chance = Random(number)
        try:
            hooked = sys.argv[3] == "hook" or number % 2
            container = Container(f"many-{number}", DEADLINES_S[number // 2 % 2] if hooked else 0.0)
            container.begin(MORE_THAN_A_RING if number % 16 == 0 else chance.choice(PRIMES))
            container.end()
            if hooked and number % 3 == 0:
                container.run_hook("stop", 0)
        except OSError as error:
            say(fault=f"many-{number}: {error!r}")


def main() -> None:
    many, busy, number = Many(), None, 0
    for line in sys.stdin:
        command, *words = line.split()
        if command == "run":
            many.run(float(words[0]))
        elif command == "pause":
            many.pause()
        elif command == "busy":
            number += 1
            busy = Container(f"busy-{number}", 30.0)
            busy.begin(FOREVER, BURST)
            busy.tell(None, 0, None)
        elif command == "calls":
            say(calls=busy.calls(), ts_s=time.monotonic())
        elif command == "end":
            busy.stop_after(next_prime(busy.calls() + 100_000))
            busy.end()


if __name__ == "__main__":
    main()
