# SPDX-License-Identifier: Apache-2.0
"""Containers that nothing registers: recorded from their cgroups' births, named, complete, and none twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root, pod_annotations

from traceloop_decode.areas import RUNTIME

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]


class Node:
    """A daemon, runc, and a busybox root that all containers share."""

    def __init__(self, directory: Path, daemon: Daemon, runc: Runc) -> None:
        self.directory, self.daemon, self.runc = directory, daemon, runc
        self.root = make_root(directory / "root")

    def bundle(self, container_id: str, *args: str, **more: Any) -> Path:
        return make_bundle(self.directory / container_id, self.root, args, **more)

    def frozen(self, trace_id: str) -> None:
        self.daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)

    def trace(self, container_id: str) -> dict[str, Any]:
        traces = json.loads(self.daemon.ctl("list", "-o", "json").stdout)
        (found,) = [trace for trace in traces if trace["container_id"] == container_id]
        return found

    def calls(self, trace_id: str) -> list[dict[str, Any]]:
        self.frozen(trace_id)
        return [json.loads(line) for line in self.daemon.ctl("show", trace_id, "-o", "jsonl").stdout.splitlines()]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    directory = tmp_path_factory.mktemp("births")
    with Daemon(births=True, config='node = "n"\n') as daemon, Runc(directory / "runc") as runc:
        yield Node(directory, daemon, runc)


def test_runc(node: Node) -> None:
    """The trace has the runtime's calls in the cgroup, the program's, and the exit code; nothing registered it."""
    bundle = node.bundle("birth1", "/bin/sh", "-c", "cat /no/such; exit 7", annotations=pod_annotations("birthpod"))
    assert node.runc.run(bundle, "birth1").returncode == 7
    calls = node.calls("n_default_birthpod")
    assert node.trace("birth1")["exit_code"] == 7
    assert any("/no/such" in str(call) for call in calls)


def test_the_streams_of_a_program_that_ends_at_once(node: Node) -> None:
    """The streams are known, although it has ended before anyone can read /proc."""
    bundle = node.bundle("brief", "/bin/sh", "-c", "echo gone >&2; exit 4", annotations=pod_annotations("briefpod"))
    for _ in range(3):  # as a race that is lost only now and then is to be seen
        assert node.runc.run(bundle, "brief").returncode == 4
    traces = [one for one in json.loads(node.daemon.ctl("list", "-o", "json").stdout) if one["container_id"] == "brief"]
    assert len(traces) == 3
    for trace in traces:
        node.frozen(trace["id"])
        (shown,) = json.loads(node.daemon.ctl("stdio", trace["id"], "-o", "json").stdout)
        assert [(row["stream"], row["text"]) for row in shown["rows"]] == [("err", "gone")]


def test_the_hook_names_the_same_trace(node: Node) -> None:
    """A wired container is recorded once, from its birth, and ends in one trace."""
    bundle = node.bundle("birth2", "/bin/sh", "-c", "cat /no/wired", hooks=hooks(node.daemon.hook_socket))
    node.runc.run(bundle, "birth2")
    calls = node.calls("n_birth2")
    assert calls[0]["comm"].startswith("runc")
    assert any("/no/wired" in str(call) for call in calls)
    assert node.daemon.log.count("recording n_birth2: container") == 1


def test_what_excludes_a_container(node: Node) -> None:
    """The annotation that excludes a container leaves no trace of it, nor of what its runtime did."""
    bundle = node.bundle("birth3", "/bin/true", annotations={"io.traceloop.record": "false"})
    node.runc.run(bundle, "birth3")
    node.daemon.wait_for_log(lambda line: "birth3" in line and "is not recorded: its annotation" in line)
    assert "birth3" not in node.daemon.ctl("list").stdout
    assert node.daemon.ctl("show", "birth3", check=False).returncode == 1


def test_a_stricter_policy(node: Node) -> None:
    """A container that asks for names of files alone has no payload in its ring, from its first call on."""
    annotations = {"io.traceloop.capture": "paths"}
    script = "echo secret-payload; cat /no/such-file"
    node.runc.run(node.bundle("birth4", "/bin/sh", "-c", script, annotations=annotations), "birth4")
    calls = node.calls("n_birth4")
    assert node.trace("birth4")["capture"] == "paths"
    assert any("/no/such-file" in str(call) for call in calls)
    assert not [call for call in calls if call["syscall"] == "write" and call["args"][1].get("data")]


def test_a_larger_ring(node: Node) -> None:
    with Daemon(births=True, config='[ring]\nmax_size = "4M"\n') as daemon:
        bundle = node.bundle("birth5", "/bin/sleep", "1000", annotations={"io.traceloop.ring-size": "4M"})
        with node.runc.start(bundle, "birth5") as process:
            daemon.wait_for_log(lambda line: "birth5" in line and "recording " in line)
            (trace,) = json.loads(daemon.ctl("list", "-o", "json").stdout)
            assert trace["ring_size_bytes"] == 4 << 20
            node.runc("kill", "birth5", "KILL")
            process.wait(60)
        daemon.wait_for_log(lambda line: "frozen " in line)
    node.frozen("n_birth5")


def test_many_at_once_with_a_small_stock(node: Node) -> None:
    """Fifty containers start at once, with 8 rings in stock: none is missed, and none is in another's trace.

    Those are late whose birth found no ring, no others: of these the runtime's start is there, too.
    """

    def late() -> int:
        count: int = json.loads(node.daemon.ctl("stats", "-o", "json").stdout)["births_late"]
        return count

    before, begun_late = late(), 0
    names = [f"many{n}" for n in range(50)]
    bundles = [node.bundle(name, "/bin/sh", "-c", f"sleep 1; cat /no/{name}; exit {n}") for n, name in enumerate(names)]
    with ExitStack() as stack:
        for name, bundle in zip(names, bundles, strict=True):
            stack.enter_context(node.runc.start(bundle, name)).stdin.close()
    for n, name in enumerate(names):
        calls = node.calls(f"n_{name}")
        begun_late += not any(call.get("source") == RUNTIME for call in calls)
        text = str(calls)
        assert f"/no/{name}" in text
        assert not [other for other in names if other != name and f"/no/{other}'" in text]
        assert node.trace(name)["exit_code"] == n
    assert begun_late <= late() - before


def test_no_births(node: Node) -> None:
    """Only containers that a hook registers are recorded if the settings say so."""
    with Daemon(config='node = "h"\n[record]\nfrom = "hook"\n') as daemon:
        node.runc.run(node.bundle("unwired", "/bin/true"), "unwired")
        node.runc.run(node.bundle("wired", "/bin/true", hooks=hooks(daemon.hook_socket)), "wired")
        daemon.wait_for_log(lambda line: "frozen h_wired" in line)
        assert [trace["id"] for trace in json.loads(daemon.ctl("list", "-o", "json").stdout)] == ["h_wired"]
        assert not (daemon.runtime_dir / "births").exists()


def test_containers_that_ran_before_the_daemon(node: Node) -> None:
    container_id = os.urandom(32).hex()
    bundle = make_bundle(node.directory / "old", node.root, ["/bin/cat"], cgroup=container_id)
    with node.runc.start(bundle, container_id) as process:
        node.daemon.wait_for_log(lambda line: container_id in line)
        with Daemon(births=True, config='node = "r"\n[record]\nrunning = true\n') as daemon:
            daemon.wait_for_log(lambda line: f"recording r_{container_id[:12]}" in line)
            process.communicate(timeout=60)
            daemon.wait_for_log(lambda line: f"frozen r_{container_id[:12]}" in line)


def test_a_runtime_that_fails(node: Node) -> None:
    """The container whose program does not exist has a trace that says so."""
    node.runc.run(node.bundle("fails", "/no/such/program"), "fails")
    assert any("/no/such/program" in str(call) for call in node.calls("n_fails"))
