# SPDX-License-Identifier: Apache-2.0
"""The soak's containers of runc, run inside the lab at a steady rate until stdin ends.

    containers.py ROOT DIRECTORY HOOK SOCKET

ROOT: a root file system. DIRECTORY: for the bundles. Writes a JSON object per line to stdout: ``{"kind": …, "took_s": …}``
for a run that ended as expected, or ``{"fault": …}``. The containers of a kind run one after the other, in a cgroup of
the same path:

- `short`: has a new id each time.
- `loop`: has the same id each time and fails, by itself or after a child was killed.
- `forks`: starts 50 children.
- `exec`: a program that is executed in a container that lives for LIFE_S, and is then replaced under the same id.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from lab.bundle import hooks, make_bundle
from lab.runc import Runc

LIFE_S = 300
_PERIODS_S = {"short": 1.5, "loop": 3.0, "forks": 5.0, "exec": 4.0}
_SHORT = "echo hello >/tmp/a; cat /tmp/a /etc/passwd; ls -l /bin >/dev/null"
_FORKS = "n=0; while [ $n -lt 50 ]; do /bin/true & n=$((n + 1)); done; wait"
_LOOP = "cat /no/such/file; [ $(($(date +%s) % 2)) = 0 ] && exit 3; sh -c 'kill -SEGV $$'; exit 4"
_EXEC = "grep root /etc/passwd >/tmp/b; wc -c /tmp/b"


def say(**fields: object) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")  # a single write, because threads share the descriptor


class Containers:
    """The four kinds of containers, each in a thread."""

    def __init__(self, runc: Runc, root: Path, directory: Path, hook: Path, socket: str) -> None:
        self._runc, self._directory, self._ended = runc, directory, threading.Event()
        words = {"short": _SHORT, "loop": _LOOP, "forks": _FORKS, "lived": "cat"}
        for name, script in words.items():
            make_bundle(
                directory / name, root, ["sh", "-c", script], hooks=hooks(socket, hook=hook), cgroup=f"soak-{name}"
            )
        self._threads = [
            threading.Thread(target=self._repeat, args=(kind, one))
            for kind, one in {"short": self._short, "loop": self._loop, "forks": self._forks}.items()
        ]
        self._threads.append(threading.Thread(target=self._live))
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stops starting containers, and waits until all have ended."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, kind: str, one: Callable[[int], str]) -> None:
        for number in count():
            began_s = time.monotonic()
            try:
                fault = one(number)
            except Exception as error:  # noqa: BLE001 - any error is reported, and fails the soak
                fault = repr(error)
            took_s = time.monotonic() - began_s
            say(fault=f"{kind} {number}: {fault}") if fault else say(kind=kind, took_s=round(took_s, 4))
            if self._ended.wait(max(0.0, _PERIODS_S[kind] - took_s)):
                return

    def _short(self, number: int) -> str:
        ended = self._runc.run(self._directory / "short", f"short-{number}")
        return "" if ended.returncode == 0 and ended.stdout.startswith("hello\n") else str(ended)

    def _loop(self, _: int) -> str:
        ended = self._runc.run(self._directory / "loop", "loop")
        return "" if ended.returncode in (3, 4) else str(ended)

    def _forks(self, number: int) -> str:
        ended = self._runc.run(self._directory / "forks", f"forks-{number}")
        return "" if ended.returncode == 0 else str(ended)

    def _live(self) -> None:
        while not self._ended.is_set():
            with self._runc.start(self._directory / "lived", "lived") as process:
                process.stdin.write("\n")
                process.stdin.flush()
                process.stdout.readline()  # cat echoes the line: the container runs
                until_s = time.monotonic() + LIFE_S
                while time.monotonic() < until_s and not self._ended.is_set():
                    self._exec()
                process.communicate()

    def _exec(self) -> None:
        began_s = time.monotonic()
        try:
            self._runc("exec", "lived", "sh", "-c", _EXEC)
            say(kind="exec", took_s=round(time.monotonic() - began_s, 4))
        except Exception as error:  # noqa: BLE001 - as above
            say(fault=f"exec: {error!r}: {getattr(error, 'stderr', '')}")
        self._ended.wait(_PERIODS_S["exec"])


def main() -> None:
    root, directory, hook, socket = sys.argv[1:]
    with Runc(Path("/run/soak-runc")) as runc:
        containers = Containers(runc, Path(root), Path(directory), Path(hook), socket)
        sys.stdin.read()
        containers.end()


if __name__ == "__main__":
    main()
