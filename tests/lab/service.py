# SPDX-License-Identifier: Apache-2.0
"""traceloopd as an installed service of the lab's systemd, and queries about it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess, Popen
from typing import Any

from lab.installed import HOOK
from lab.systemd import Systemd

SERVICE, SOCKET = "traceloopd.service", "traceloopd-hook.socket"
RECORDING_STARTED, TRACE_FROZEN = "66ac31ccda27455ebf1a506a433f8f47", "a9c94cfb8f2f4f35803fcf88a53ae5e9"
RECORDING_PAUSED = "414791e14b1f4c77a354a21ccfcfeb92"
# A process in a cgroup of its own, which runs the hook before it continues
CONTAINER = """
mkdir -p "/sys/fs/cgroup/$1"
echo $$ >"/sys/fs/cgroup/$1/cgroup.procs"
said=$(printf '%s' "$2" | sed "s/\\"PID\\"/$$/" | "$3" start --wait 2>&1)
echo "$? $said"
exec cat
"""


class Service:
    """A lab with traceloop installed."""

    def __init__(self, lab: Systemd) -> None:
        self.lab = lab

    def ctl(self, *words: str, **settings: Any) -> CompletedProcess[str]:
        return self.lab.run("traceloopctl", *words, **settings)

    def traces(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.ctl("list", "-o", "json").stdout)
        return listed

    def property(self, name: str) -> str:
        """Returns a property of the unit; empty if systemctl leaves it out, as it does for some without a value."""
        return self.lab.unit(SERVICE).get(name, "")

    def pid(self) -> int:
        """Returns the daemon's pid in this machine's numbering."""
        return self.lab.outer_pid(int(self.property("MainPID")))

    @contextmanager
    def container(self, name: str, hook_says: str = r"0 ", **annotations: str) -> Iterator[Popen[str]]:
        """Runs a process that the hook registers; it ends with the block."""
        state = json.dumps({"ociVersion": "1.0.2", "id": name, "pid": "PID", "annotations": annotations})
        with self.lab.start("sh", "-euc", CONTAINER, "sh", f"test-{name}", state, HOOK) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert re.fullmatch(hook_says + "\n", said), said
            yield process

    @contextmanager
    def drop_in(self, text: str) -> Iterator[None]:
        """Changes the unit for the duration of the block; does not restart it."""
        path = f"/etc/systemd/system/{SERVICE}.d/test.conf"
        self.lab.write(path, text)
        self.lab.run("systemctl", "daemon-reload")
        try:
            yield
        finally:
            self.lab.run("rm", path)
            self.lab.run("systemctl", "daemon-reload")

    def wait_for_property(self, name: str, fits: Callable[[str], object]) -> None:
        """Waits by polling until a property of the unit fits: systemd announces changes on the bus only."""
        end = time.monotonic() + 30
        while not fits(value := self.property(name)):
            assert time.monotonic() < end, f"{name}={value}"
            time.sleep(0.05)


def running(lab: Systemd) -> Service:
    """Returns the service; starts it if a test has stopped it."""
    if lab.unit(SERVICE)["ActiveState"] != "active":
        lab.run("systemctl", "start", SOCKET, SERVICE)
    return Service(lab)
