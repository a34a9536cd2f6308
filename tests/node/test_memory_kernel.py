# SPDX-License-Identifier: Apache-2.0
"""The real daemon when memory is short: it records as many containers as fit, and nothing is killed."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from lab import Daemon
from lab.memory import MemoryCgroup
from recorded_cgroups import Cgroup

from traceloop_bpf.memory import RESERVE_BYTES

pytestmark = pytest.mark.kernel

MIB = 1 << 20
CONTAINERS = 100
TIMEOUT_S = 60


class Node:
    """A daemon in a cgroup whose memory is limited once it is ready; containers are cgroups with a sleeping process."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.memory = stack.enter_context(MemoryCgroup())
        self.daemon = stack.enter_context(Daemon(config='node = "n"\n', wrapper=self.memory.wrapper))

    def container(self) -> tuple[Cgroup, subprocess.Popen[bytes]]:
        """Makes a container that the daemon does not know yet."""
        cgroup = Cgroup()
        process = self._stack.enter_context(cgroup.start("sh", "-c", "echo; exec sleep 1000"))
        self._stack.enter_context(cgroup)  # ends the process
        assert process.stdout.readline() == b"\n"
        return cgroup, process

    def register(self, processes: list[subprocess.Popen[bytes]]) -> list[str]:
        """Registers all containers at once; returns each hook's answer."""
        with ExitStack() as hooks:
            opened = []
            for process in processes:
                hook = hooks.enter_context(socket.socket(socket.AF_UNIX))
                hook.settimeout(TIMEOUT_S)
                hook.connect(str(self.daemon.hook_socket))
                state = {"id": f"c{process.pid}", "pid": process.pid, "annotations": {}}
                hook.sendall(b"start\n" + json.dumps(state).encode())
                hook.shutdown(socket.SHUT_WR)
                opened.append(hook)
            return [hook.recv(4096).decode() for hook in opened]

    def stats(self) -> dict:
        """Returns the daemon's statistics."""
        return json.loads(self.daemon.ctl("stats", "-o", "json").stdout)


@pytest.fixture
def node() -> Iterator[Node]:
    with ExitStack() as stack:
        yield Node(stack)


def test_containers_for_which_there_is_no_room_are_refused_and_the_daemon_lives(node):
    made = [node.container() for _ in range(CONTAINERS)]
    node.memory.limit(100 * MIB)
    answers = node.register([process for _, process in made])
    recorded = answers.count("ok\n")
    refused = {answer.partition(" is not recorded: ")[2] for answer in answers if answer != "ok\n"}
    assert 10 < recorded < CONTAINERS - 30
    for why in refused:
        assert why.startswith("no ring of ")
        assert "are left for rings of 100 MiB (memory." in why
        assert f"{RESERVE_BYTES // MIB} MiB stay free for the daemon" in why
    assert node.memory.kills() == 0
    stats = node.stats()
    assert (stats["no_memory"], stats["hooks_refused"]) == (CONTAINERS - recorded,) * 2
    assert stats["memory_limit_bytes"] == 100 * MIB
    assert stats["memory_left_bytes"] < stats["ring_bytes"]
    # Reading all traces, and the ends of their containers, fit into the memory that stays free.
    for trace in json.loads(node.daemon.ctl("list", "-o", "json").stdout):
        node.daemon.ctl("show", trace["id"])
    for cgroup, _ in made:
        (cgroup.path / "cgroup.kill").write_text("1")
    frozen = [
        f"frozen n_c{process.pid} " for (_, process), answer in zip(made, answers, strict=True) if answer == "ok\n"
    ]
    for line in frozen:
        node.daemon.wait_for_log(lambda text, line=line: line in text)
    assert node.memory.kills() == 0
    # Their rings are available to the next containers, one by one, as they are cleared.
    for process in [node.container()[1] for _ in range(10)]:
        while node.register([process]) != ["ok\n"]:
            assert node.daemon.process.poll() is None
