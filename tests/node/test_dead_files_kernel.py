# SPDX-License-Identifier: Apache-2.0
"""The real daemon, and an engine's data on a FUSE file system whose server does not answer."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lab import Daemon
from recorded_cgroups import Cgroup

from traceloop_daemon.system.file_readers import _THREADS, DEADLINE_S

pytestmark = pytest.mark.kernel

DEADFUSE = Path(__file__).parents[1] / "lab/deadfuse.py"


class Host:
    """A daemon, and a docker whose data are on a dead disk. The containers are cgroups with a sleeping process."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._stack = stack
        data = directory / "data"
        self.bundle = directory / "bundle"
        data.mkdir()
        self.bundle.mkdir()
        config = {"root": {"path": f"{data}/overlay2/LAYER/merged"}}
        (self.bundle / "config.json").write_text(json.dumps(config))
        wrapper = ["unshare", "--mount", "--propagation=private", sys.executable, str(DEADFUSE), str(data)]
        self.daemon = stack.enter_context(Daemon(config='node = "n"\n', wrapper=wrapper))

    def start(self, container_id: str, bundle: str) -> float:
        """Registers a new container; returns the seconds until its hook is told that it is recorded."""
        cgroup = Cgroup()
        process = self._stack.enter_context(cgroup.start("sleep", "1000"))
        self._stack.enter_context(cgroup)  # ends the process
        while not (cgroup.path / "cgroup.procs").read_text():
            assert process.poll() is None
        return self.send("start", {"id": container_id, "pid": process.pid, "bundle": bundle})

    def send(self, stage: str, state: dict) -> float:
        """Sends a hook's message; returns the seconds until its answer, which must be a success."""
        began_s = time.monotonic()
        with socket.socket(socket.AF_UNIX) as hook:
            hook.settimeout(30)
            hook.connect(str(self.daemon.hook_socket))
            hook.sendall(f"{stage}\n{json.dumps(state)}".encode())
            hook.shutdown(socket.SHUT_WR)
            assert hook.recv(4096) == b"ok\n", self.daemon.log
        return time.monotonic() - began_s

    def names(self) -> list[str]:
        """Returns the names of all traces."""
        return sorted(trace["container"] for trace in json.loads(self.daemon.ctl("list", "-o", "json").stdout))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("needs /dev/fuse")
    with ExitStack() as stack:
        yield Host(tmp_path, stack)


def test_a_container_whose_engine_cannot_be_asked_is_recorded_and_no_other_waits(host):
    fits = "it is named from its hook's message alone"
    for number in range(_THREADS):
        assert host.start(f"dead-{number}", str(host.bundle)) >= DEADLINE_S
        host.daemon.wait_for_log(lambda line, of=f"container dead-{number}: ": of in line and fits in line)
        assert host.start(f"good-{number}", "") < DEADLINE_S
    assert host.start("no-thread-left", str(host.bundle)) < DEADLINE_S
    expected = [*(f"{how}-{number}" for how in ("dead", "good") for number in range(_THREADS)), "no-thread-left"]
    assert host.names() == expected
    assert host.send("stop", {"id": "dead-0"}) < DEADLINE_S
    host.daemon.stop()
