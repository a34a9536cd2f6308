# SPDX-License-Identifier: Apache-2.0
"""NRI of containerd 1.7 and 2.1 with a kubelet's client: pods are recorded without hooks, and always start."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import Daemon
from lab.bundle import HOOK
from lab.containerd import CONFIGURATIONS, Containerd
from lab.image import BUSYBOX

pytestmark = [pytest.mark.kernel, pytest.mark.runtime, pytest.mark.engine("containerd")]

UNPACKED = Path(__file__).parents[2] / "build/engines"
VERSIONS = {"trixie": 2, "sid": 3}  # of the configuration format
# containerd 1.7 disables NRI by default.
NRI = """
[plugins."io.containerd.nri.v1.nri"]
  disable = false
"""


@dataclass
class Node:
    daemon: Daemon
    containerd: Containerd

    def traces(self, pod: str) -> dict[str, dict]:
        traces = json.loads(self.daemon.ctl("list", "-o", "json").stdout)
        return {trace["id"]: trace for trace in traces if trace["pod"] == pod}

    def frozen(self, trace_id: str) -> None:
        self.daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)

    def lines(self, word: str) -> int:
        return sum(word in line for line in self.daemon.log.splitlines())

    def one_more(self, word: str, before: int) -> None:
        """Waits until there is one more line with the word than `before`."""
        self.daemon.wait_for_log(lambda _: self.lines(word) > before)


CONNECTED, LOST = "traceloopd: NRI at", "no NRI at"


def config(containerd: Containerd) -> str:
    return f'node = "n"\n[nri]\nenabled = true\nsocket = "{containerd.host.path("/run/nri/nri.sock")}"\n'


@pytest.fixture(scope="module", params=VERSIONS)
def containerd(request) -> Iterator[Containerd]:
    suite = request.param
    if not (UNPACKED / suite / "usr/bin/containerd").exists():
        pytest.skip("`make test-engines` fetches it")
    with Containerd(CONFIGURATIONS[VERSIONS[suite]] + NRI, programs=UNPACKED / suite) as containerd:
        containerd.start()
        yield containerd


@pytest.fixture(scope="module")
def node(containerd) -> Iterator[Node]:
    with Daemon(config=config(containerd)) as daemon:
        daemon.wait_for_log(lambda line: CONNECTED in line)
        yield Node(daemon, containerd)


def test_pods_are_recorded_from_before_their_programs_start(node) -> None:
    pod = node.containerd.cri.run_pod("web", namespace="shop", uid="d9a3-1")
    container = pod.run("till", BUSYBOX, ["sh", "-c", "echo sold > /tmp/x; exit 5"], attempt=4)
    assert pod.wait(container) == 5
    node.frozen("n_shop_web_till")
    pod.remove()
    ((trace_id, trace),) = node.traces("web").items()
    assert trace_id == "n_shop_web_till"
    names = [trace[key] for key in ("namespace", "pod", "pod_uid", "container", "image", "restart_count")]
    assert names == ["shop", "web", "d9a3-1", "till", BUSYBOX, 4]
    assert (trace["container_id"], trace["exit_code"], trace["lost"]) == (container, 5, 0)
    shown = [json.loads(line) for line in node.daemon.ctl("show", trace_id, "-o", "jsonl").stdout.splitlines()]
    executed = [event["args"][0]["data"] for event in shown if event["syscall"] == "execve"]
    assert executed[0] == "/bin/sh"
    writes = [event for event in shown if event["syscall"] == "write" and event["comm"] == "sh"]
    assert [write["args"][1]["data"] for write in writes] == ["sold\n"]
    assert node.lines(f"container {pod.id} (n_shop_web) is not recorded: it is the sandbox of a pod") == 1


def test_what_runs_already_is_recorded_with_its_exit_code(containerd) -> None:
    pod = containerd.cri.run_pod("early")
    script = "until [ -e /tmp/go ]; do sleep 0.05; done; echo went > /tmp/x; exit 9"
    container = pod.run("c", BUSYBOX, ["sh", "-c", script])
    ended = pod.run("ended", BUSYBOX, ["true"])
    assert pod.wait(ended) == 0
    with Daemon(config=config(containerd)) as daemon:
        node = Node(daemon, containerd)
        daemon.wait_for_log(lambda line: "recording n_default_early_c:" in line)
        bundle = containerd.host.path(f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{container}")
        pid = int((bundle / "init.pid").read_text())
        Path(f"/proc/{pid}/root/tmp/go").touch()
        assert pod.wait(container) == 9
        node.frozen("n_default_early_c")
        (trace,) = node.traces("early").values()
        assert (trace["exit_code"], trace["container_id"]) == (9, container)
        assert '"went\\n"' in daemon.ctl("show", trace["id"]).stdout
    pod.remove()


def test_hook_and_nri_make_one_trace_with_the_names_of_both(node) -> None:
    host = node.containerd.host
    words = ["--hook", HOOK, "--socket", node.daemon.hook_socket]
    host.run(HOOK.with_name("traceloopctl"), "engine", "enable", "containerd", *words)
    connections = node.lines(CONNECTED)
    try:
        node.containerd.restart()
        node.one_more(CONNECTED, connections)
        pod = node.containerd.cri.run_pod("both")
        assert pod.wait(pod.run("c", BUSYBOX, ["sh", "-c", "exit 3"], attempt=2)) == 3
        node.frozen("n_default_both_c")
        pod.remove()
    finally:
        host.run(HOOK.with_name("traceloopctl"), "engine", "disable", "containerd")
        connections = node.lines(CONNECTED)
        node.containerd.restart()
        node.one_more(CONNECTED, connections)
    (trace,) = node.traces("both").values()
    # The hook alone gets no restart count: containerd does not pass it that annotation.
    assert (trace["id"], trace["restart_count"], trace["exit_code"]) == ("n_default_both_c", 2, 3)
    assert node.lines("recording n_default_both_c: it was registered again") == 1
    shown = node.daemon.ctl("show", trace["id"]).stdout
    assert "runc:[2:INIT]" in shown.splitlines()[0]


def test_containerd_may_go_and_come_back(node) -> None:
    pod = node.containerd.cri.run_pod("stays")
    kept = pod.run("kept", BUSYBOX, ["sleep", "1000"])
    pod.run("closed", BUSYBOX, ["sleep", "1000"])
    node.daemon.ctl("--address", f"unix:{node.daemon.runtime_dir}/control.sock", "close", "n_default_stays_closed")
    lost, connections = node.lines(LOST), node.lines(CONNECTED)
    node.containerd.stop()
    node.one_more(LOST, lost)
    node.containerd.start()
    pod = type(pod)(node.containerd.cri, pod.id, pod._config)
    node.one_more(CONNECTED, connections)
    assert node.lines(LOST) == lost + 1
    assert pod.wait(pod.run("new", BUSYBOX, ["sh", "-c", "exit 6"])) == 6
    node.frozen("n_default_stays_new")
    traces = node.traces("stays")
    assert set(traces) == {"n_default_stays_kept", "n_default_stays_new"}, "none twice, and what was closed stays so"
    assert (traces["n_default_stays_kept"]["state"], traces["n_default_stays_kept"]["container_id"]) == (
        "recording",
        kept,
    )
    pod.remove()
    node.frozen("n_default_stays_kept")


def test_a_daemon_that_hangs_holds_no_container_up_for_long(node) -> None:
    pod = node.containerd.cri.run_pod("hung")
    connections = node.lines(CONNECTED)
    node.daemon.process.send_signal(signal.SIGSTOP)
    try:
        assert pod.wait(pod.run("first", BUSYBOX, ["sh", "-c", "exit 7"])) == 7
        assert pod.wait(pod.run("second", BUSYBOX, ["sh", "-c", "exit 7"])) == 7
        running = pod.run("third", BUSYBOX, ["sleep", "1000"])
    finally:
        node.daemon.process.send_signal(signal.SIGCONT)
    node.one_more(CONNECTED, connections)
    node.daemon.wait_for_log(lambda line: "recording n_default_hung_third:" in line)
    assert node.traces("hung")["n_default_hung_third"]["container_id"] == running
    pod.remove()


def test_what_a_pods_annotations_keep_out_is_kept_out(node) -> None:
    pod = node.containerd.cri.run_pod("private", annotations={"io.traceloop.record": "false"})
    container = pod.run("c", BUSYBOX, ["true"])
    assert pod.wait(container) == 0
    pod.remove()
    node.daemon.wait_for_log(lambda line: f"container {container} (n_default_private_c) is not recorded" in line)
    assert node.traces("private") == {}
    pod = node.containerd.cri.run_pod("names", annotations={"io.traceloop.capture": "paths"})
    assert pod.wait(pod.run("c", BUSYBOX, ["sh", "-c", "echo secret-9 > /tmp/seen"])) == 0
    pod.remove()
    node.frozen("n_default_names_c")
    shown = node.daemon.ctl("show", "n_default_names_c").stdout
    assert "/tmp/seen" in shown
    assert "secret-9" not in shown
