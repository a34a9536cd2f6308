# SPDX-License-Identifier: Apache-2.0
"""Containers that the hook missed, and containers that failed to start: with real containers and the real recorder."""

import ctypes
import json
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root
from test_daemon import calls, listed, trace_of, wait_state
from test_stats import stats

from traceloop_bpf import bpfcalls
from traceloop_bpf.loader import BELOW, SLOTS

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef0123456789abcdef"
PIDFD_GETFD = 438  # on every architecture
HASH = 1  # BPF_MAP_TYPE_HASH
INFO = re.compile(r"map_type:\t(\d+)\nkey_size:\t(\d+)\nvalue_size:\t(\d+)\nmax_entries:\t(\d+)")


@contextmanager
def descriptor_of(pid, number):
    """Yields a duplicate of another process's descriptor: pidfd_getfd(2)."""
    pidfd = os.pidfd_open(pid)
    fd = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, number, 0)
    os.close(pidfd)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    try:
        yield fd
    finally:
        os.close(fd)


def wait_until(fits):
    """Waits until the condition holds, by polling, as the daemon does not announce it."""
    end = time.monotonic() + 30
    while not fits():
        assert time.monotonic() < end
        time.sleep(0.05)


class Node:
    def __init__(self, directory, daemon, runc):
        self.directory, self.daemon, self.runc = directory, daemon, runc
        self.root = make_root(directory / "root")

    def bundle(self, name, *args, **settings):
        return make_bundle(self.directory / name, self.root, args, **settings)

    def descriptors(self):
        """Returns the daemon's open files, except those for serving requests, some of which gRPC keeps open."""
        fds = (os.readlink(fd) for fd in Path(f"/proc/{self.daemon.process.pid}/fd").iterdir())  # noqa: PTH115
        return sorted(fd for fd in fds if not fd.startswith(("socket:", "anon_inode:[event", "pipe:")))

    def recorded_cgroups(self):
        """Returns the cgroup ids in the programs' tables."""
        tables = {}
        for info in Path(f"/proc/{self.daemon.process.pid}/fdinfo").iterdir():
            found = INFO.search(info.read_text())
            for most in (SLOTS, BELOW):
                if found and tuple(map(int, found.groups())) == (HASH, 8, 4, most):
                    with descriptor_of(self.daemon.process.pid, int(info.name)) as fd:
                        tables[most] = [key for key, _ in bpfcalls.items(fd, 8, 4, most)]
        return tables[SLOTS] + tables[BELOW]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("node")
    with Daemon(config='node = "node1"\n[record]\nfrom = "hook"\n') as daemon, Runc(directory / "runc") as runc:
        yield Node(directory, daemon, runc)


def test_a_container_that_runs_is_added_by_its_id(node):
    bundle = node.bundle("missed", "sh", "-c", "echo ready; read x; exit 42", cgroup=f"docker-{ID}.scope")
    with node.runc.start(bundle, ID) as process:
        assert process.stdout.readline() == "ready\n"
        trace_id = node.daemon.ctl("add", "--container", ID[:10]).stdout.strip()
        assert trace_id == f"node1_{ID[:12]}"
        for words in (("--container", ID), ("--cgroup", f"/docker-{ID}.scope"), ("--unit", f"docker-{ID}.scope")):
            again = node.daemon.ctl("add", *words, check=False)
            assert again.returncode == 1
            assert again.stderr.endswith(f"is being recorded already, as {trace_id}\n")
        process.communicate("go\n", timeout=60)
        assert process.returncode == 42
    wait_state(node.daemon, trace_id, "frozen")
    trace = trace_of(node.daemon, ID)
    assert (trace["id"], trace["exit_code"], trace["cgroup"]) == (trace_id, 42, f"/docker-{ID}.scope")
    assert [call["args"][0]["value"] for call in calls(node.daemon, trace_id, "exit_group")] == [42]
    assert stats(node.daemon)["started_by_add"] == 1
    gone = node.daemon.ctl("add", "--container", ID, check=False)
    assert gone.returncode == 1
    assert "`add` records only running containers" in gone.stderr


def test_who_made_a_container_may_keep_it_out(node):
    # Puts the bundle where containerd would put it.
    container_id = ID[::-1]
    bundle = node.bundle("quiet", "sh", "-c", "echo ready; read x", cgroup=f"docker-{container_id}.scope")
    place = Path("/run/containerd/io.containerd.runtime.v2.task/traceloop-test") / container_id
    place.mkdir(parents=True)
    try:
        (place / "config.json").write_text(json.dumps({"annotations": {"io.traceloop.record": "false"}}))
        with node.runc.start(bundle, container_id) as process:
            assert process.stdout.readline() == "ready\n"
            refused = node.daemon.ctl("add", "--container", container_id, check=False)
            process.communicate("go\n", timeout=60)
    finally:
        (place / "config.json").unlink()
        for directory in (place, *list(place.parents)[:3]):
            if not any(directory.iterdir()):
                directory.rmdir()
    assert refused.returncode == 1
    assert "its annotation io.traceloop.record is 'false'" in refused.stderr
    assert not [trace for trace in listed(node.daemon) if trace["container_id"] == container_id]


def without_poststop(wired):
    return {stage: entries for stage, entries in wired.items() if stage != "poststop"}


def with_a_hook_that_fails(wired):
    return wired | {"prestart": [*wired["prestart"], {"path": "/bin/false", "args": ["false"]}]}


FAILURES = {
    "no such program": (("/no/such/program",), lambda wired: wired),
    "no such program, and no poststop": (("/no/such/program",), without_poststop),
    "a later hook fails": (("true",), with_a_hook_that_fails),
    "a later hook fails, and no poststop": (("true",), lambda wired: without_poststop(with_a_hook_that_fails(wired))),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_container_that_fails_to_start_leaves_nothing_behind(node, failure):
    args, wiring = FAILURES[failure]
    before, open_before = stats(node.daemon), node.descriptors()
    assert (before["traces"]["recording"], node.recorded_cgroups()) == (0, [])
    name = failure.replace(",", "").replace(" ", "-")
    bundle = node.bundle(name, *args, hooks=wiring(hooks(node.daemon.hook_socket)))
    ended = node.runc.run(bundle, name)
    assert ended.returncode != 0
    trace = trace_of(node.daemon, name)
    wait_state(node.daemon, trace["id"], "frozen")
    wait_until(lambda: trace_of(node.daemon, name)["state"] == "archived")
    wait_until(lambda: stats(node.daemon)["rings_in_use"] == 0)
    wait_until(lambda: stats(node.daemon)["rings_in_stock"] == before["rings_in_stock"])
    assert node.recorded_cgroups() == []
    assert node.descriptors() == open_before
    assert stats(node.daemon)["ring_bytes_in_stock"] == before["ring_bytes_in_stock"]
