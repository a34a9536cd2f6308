# SPDX-License-Identifier: Apache-2.0
"""The node under test: the lab's systemd with traceloop installed, its load, and the kernel objects held for it."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.installed import HOOK, install
from lab.kernel_objects import KernelObject, held_by, wait_until_gone
from lab.service import SERVICE, SOCKET, Service
from lab.systemd import Systemd

HERE = Path(__file__).parent
STATE_DIR = "/var/lib/traceloop"
STATE_BYTES = 256 << 20
CLOCK, CLOCK_LIBRARY = "/run/chaos-clock", "/usr/lib/chaos/clock.so"
# Keeps all traces, so that they can be looked for; other tests cover removal for room. keep_free cannot be reached, in
# which case no trace is removed for it.
_SETTINGS = '[archive]\nmax_use = "100%"\nkeep_free = "100%"\nmax_traces = 1000000\n'
# More than begin in a second, up to which the stock grows by itself.
_STOCK = "[ring]\nspare = 48\n"
_UNIT = f"[Service]\nEnvironment=LD_PRELOAD={CLOCK_LIBRARY} CHAOS_CLOCK={CLOCK}\n"
_LATE = re.compile(r"cgroup /([0-9a-f]{64}) (is|was not) recorded.*(?:no ring was in stock|recorder was replaced).*")
PATIENCE_S = 120.0
_RATE = 10


class BrokenPromise(Exception):
    """A promise that the daemon broke; the message names it."""


@dataclass(frozen=True)
class Held:
    """The daemon's resources: entries of systemd's store, descriptors, and kernel objects by kind."""

    stored: int
    fds: int
    kinds: dict[str, int]


class Node:
    """A node on which the daemon runs once it is constructed. begins: containers' recordings: by "birth" or "hook"."""

    def __init__(self, lab: Systemd, build: Path, settings: str = _SETTINGS, *, begins: str = "birth") -> None:
        self.lab, self.service = lab, Service(lab)
        self.held: set[KernelObject] = set()
        """Objects that any daemon was seen to hold so far."""
        self._late: dict[str, bool] = {}
        self._since = lab.since_now()
        install(lab)
        for name, words in (("worker", ["-nostdlib", "-static"]), ("clock.so", ["-shared", "-fPIC"])):
            source = HERE / f"{name.removesuffix('.so')}.c"
            subprocess.run(["gcc", "-O1", "-Wall", "-Werror", *words, "-o", build / name, source], check=True)
        lab.run("install", "-D", build / "clock.so", CLOCK_LIBRARY)
        lab.run("sh", "-c", f"head -c 4096 /dev/zero >{CLOCK}; mkdir -p {STATE_DIR}")
        lab.run("mount", "-t", "tmpfs", "-o", f"size={STATE_BYTES}", "state", STATE_DIR)
        lab.write("/etc/traceloop/traceloop.toml", f'{settings}{_STOCK}[record]\nfrom = "{begins}"\n')
        lab.write(f"/etc/systemd/system/{SERVICE}.d/chaos.conf", _UNIT)
        lab.run("systemctl", "daemon-reload")
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        self.load = Load(lab, build / "worker", begins)

    def wait_until_it_serves(self) -> None:
        """Waits until systemd calls the daemon active and the daemon answers."""
        end = time.monotonic() + PATIENCE_S
        while True:
            if self.service.property("ActiveState") == "active":
                answer = self.service.ctl("list", check=False)
                if answer.returncode == 0:
                    return
            if time.monotonic() > end:
                raise BrokenPromise(f"it does not serve {PATIENCE_S:g} s after the fault")

    def check(self, shown: list[str] | None) -> dict[str, Any]:
        """Runs check.py, which shows these containers' traces; returns its report."""
        script = str(HERE / "check.py")
        said = self.lab.run("python3", script, "/usr/lib/traceloop", stdin=json.dumps(shown), timeout_s=600)
        return json.loads(said.stdout)

    def wait_until_kept(self, containers: list[str]) -> dict[str, Any]:
        """Waits until the traces of these containers are archived; returns the report with the list."""
        end = time.monotonic() + PATIENCE_S
        while True:
            found = self.check(None)
            late = [
                trace["id"]
                for trace in found["list"]
                if trace["container_id"] in containers and trace["state"] in ("recording", "frozen")
            ]
            if not late:
                return found
            if time.monotonic() > end:
                raise BrokenPromise(f"still not in the archive after {PATIENCE_S:g} s: {late}")

    def late(self) -> dict[str, bool]:
        """Returns the containers that found no ring in stock: True if they are recorded from a later time."""
        since, self._since = self._since, self.lab.since_now()
        for entry in self.lab.journal(since, f"--unit={SERVICE}", "--output-fields=MESSAGE"):
            told = _LATE.fullmatch(entry["MESSAGE"])
            if told:
                self._late[told[1]] = told[2] == "is"
        return self._late

    def look(self) -> Held:
        """Returns what the daemon holds now."""
        pid = self.service.pid()
        objects = held_by(pid)
        self.held |= objects
        kinds = {kind: sum(each == kind for each, _ in objects) for kind in ("prog", "map", "link")}
        return Held(
            int(self.service.property("NFileDescriptorStore")), len(list(Path(f"/proc/{pid}/fd").iterdir())), kinds
        )

    def wait_until_held(self, wanted: Held, *, mended: bool) -> None:
        """Waits until the daemon holds the wanted amount again: a thread of it releases resources later.

        mended: the hook socket was put back at some time, and is in the store beside systemd's own.
        """
        fds = range(wanted.fds, wanted.fds + 1 + 3 * mended)
        wanted = replace(wanted, stored=wanted.stored + mended)
        end = time.monotonic() + PATIENCE_S
        found = None
        while time.monotonic() < end:
            with suppress(OSError):  # a descriptor was closed meanwhile
                found = self.look()
                if found.fds in fds and replace(found, fds=wanted.fds) == wanted:
                    return
            time.sleep(0.2)
        raise BrokenPromise(f"something leaks: {found}, it was {wanted}")

    def stop(self) -> None:
        """Stops the daemon; fails if anything is left in the kernel."""
        with suppress(OSError):
            self.look()
        self.lab.run("systemctl", "stop", SOCKET, SERVICE)
        wait_until_gone(self.held, timeout_s=PATIENCE_S)

    def step_clock(self, offset_s: int) -> None:
        """Sets the offset of the daemon's clock."""
        script = "import sys; open(sys.argv[1], 'r+b').write(int(sys.argv[2]).to_bytes(8, 'little', signed=True))"
        self.lab.run("python3", "-c", script, CLOCK, str(offset_s))


class Load:
    """The process load.py inside the lab."""

    def __init__(self, lab: Systemd, worker: Path, begins: str) -> None:
        self._process = lab.start("python3", HERE / "load.py", worker, HOOK, begins)
        self._changed = threading.Condition()
        self._said: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []
        """Containers that have ended and were not yet taken."""
        threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    def run(self, rate: float = _RATE) -> None:
        """Starts containers at this rate per second from now on."""
        self._tell(f"run {rate}")

    def pause(self) -> list[dict[str, Any]]:
        """Stops starting containers, and waits for their ends; returns those that ended since the last time."""
        self._tell("pause")
        self._wait("paused")
        return self.take_ended()

    def take_ended(self) -> list[dict[str, Any]]:
        """Returns the containers that ended since the last time."""
        with self._changed:
            ended, self.ended = self.ended, []
        return ended

    def begin_busy(self) -> dict[str, Any]:
        self._tell("busy")
        return self._wait("id")

    def busy_calls(self) -> tuple[int, float]:
        """Returns how many calls the busy container has made, and when that was read."""
        self._tell("calls")
        said = self._wait("calls")
        return said["calls"], said["ts_s"]

    def end_busy(self) -> dict[str, Any]:
        """Ends the busy container; returns its report."""
        self._tell("end")
        return self._wait("sleeps")

    def _tell(self, command: str) -> None:
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def _wait(self, key: str) -> dict[str, Any]:
        with self._changed:
            found: list[dict[str, Any]] = []

            def there() -> bool:
                found[:] = [said for said in self._said if key in said]
                return bool(found)

            if not self._changed.wait_for(there, PATIENCE_S):
                raise BrokenPromise(f"the load does not answer with {key!r}")
            self._said.remove(found[0])
            return found[0]

    def _read(self) -> None:
        for line in self._process.stdout:
            said = json.loads(line)
            with self._changed:
                many = said.get("name", "").startswith("many") or "fault" in said
                (self.ended if many else self._said).append(said)
                self._changed.notify_all()
