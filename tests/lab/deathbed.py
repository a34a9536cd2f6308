# SPDX-License-Identifier: Apache-2.0
"""Containers that run this machine's own programs, recorded by a daemon: for deaths that busybox cannot die."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess, Popen, TimeoutExpired
from time import monotonic
from typing import Any

from patience import PATIENCE

from lab.bundle import hooks, make_bundle
from lab.daemon import Daemon
from lab.runc import Runc

DIRECTORIES = ("dev", "etc", "proc", "root", "sys", "tmp", "usr")
LINKS = ("bin", "lib", "lib64", "sbin")
FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n",
    "group": "root:x:0:\napp:x:1000:\n",
    "hosts": "127.0.0.1 localhost\n127.0.0.2 db.internal\n",
    "nsswitch.conf": "passwd: files\nhosts: files dns\n",
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n",
}
Change = Callable[[dict[str, Any]], None]
_HANGS_MAX_S = 120


class Deathbed:
    """A daemon, runc, and a root file system with this machine's /usr, read-only. The daemon's node is named `n`."""

    def __init__(self, directory: Path, daemon: Daemon, runc: Runc, *, hooked: bool = False) -> None:
        """hooked: containers have the hook; else the daemon records them from their births."""
        self.directory, self.daemon, self.runc = directory, daemon, runc
        self._hooks = hooks(daemon.hook_socket) if hooked else None
        self.root = directory / "root"
        for name in DIRECTORIES:
            (self.root / name).mkdir(parents=True)
        for name in LINKS:
            (self.root / name).symlink_to(f"usr/{name}")
        for name, text in FILES.items():
            (self.root / "etc" / name).write_text(text)

    def bundle(
        self, name: str, args: Sequence[str], *, binds: Mapping[Path, str] | None = None, change: Change | None = None
    ) -> Path:
        """Makes the bundle of a container in this machine's network. change: what to change in its configuration."""
        bundle = make_bundle(self.directory / name, self.root, args, hooks=self._hooks, binds=binds)
        path = bundle / "config.json"
        config = json.loads(path.read_text())
        config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro"]})
        namespaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [one for one in namespaces if one["type"] != "network"]
        if change is not None:
            change(config)
        path.write_text(json.dumps(config))
        return bundle

    def run(
        self, name: str, *args: str, binds: Mapping[Path, str] | None = None, change: Change | None = None
    ) -> CompletedProcess[str]:
        """Runs a container to its end, and waits until its trace is complete."""
        ended = self.runc.run(self.bundle(name, args, binds=binds, change=change), name)
        self.ended(name)
        return ended

    @contextmanager
    def started(
        self, name: str, *args: str, binds: Mapping[Path, str] | None = None, change: Change | None = None
    ) -> Iterator[Popen[str]]:
        """Starts a container, which the block must end; waits until its trace is complete."""
        with self.runc.start(self.bundle(name, args, binds=binds, change=change), name) as process:
            try:
                yield process
            except BaseException:
                self.runc("delete", "--force", name)
                raise
            process.communicate(timeout=60)
        self.ended(name)

    def ended(self, name: str) -> None:
        """Waits until the trace of a container is complete."""
        self.daemon.wait_for_log(lambda line: f"frozen n_{name} " in line)

    def hangs(self, name: str, process: Popen[str], for_s: float) -> None:
        """Waits until each thread of a container has been in one call for so long, however slowly it got there."""
        deadline, before = monotonic() + _HANGS_MAX_S * PATIENCE, self._threads(name)
        while monotonic() < deadline:
            try:
                status = process.wait(for_s)
            except TimeoutExpired:
                now = self._threads(name)
                if now == before and not any(call.startswith("running") for call, _ in now.values()):
                    return
                before = now
            else:
                raise AssertionError(f"{name} ended with {status} instead: {process.communicate()}")
        raise AssertionError(f"{name} did not hang: {before}")

    def _threads(self, name: str) -> dict[Path, tuple[str, str]]:
        # Of each thread the call that it is in, and how often it was switched to or from (proc(5)).
        found = {}
        for pid in json.loads(self.runc("ps", "--format", "json", name).stdout):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                switched = [line for line in (thread / "status").read_text().splitlines() if "ctxt_switches" in line]
                found[thread] = ((thread / "syscall").read_text(), " ".join(switched))
        return found
