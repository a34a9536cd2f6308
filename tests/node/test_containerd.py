# SPDX-License-Identifier: Apache-2.0
"""containerd with a kubelet's client: `engine enable` alone is enough to record pods, and no fault stops one.

Runs with this machine's version, and with others that `make test-engines` unpacked.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from broken import BREAK, restore
from lab import Daemon
from lab.bundle import HOOK
from lab.containerd import CONFIG, CONFIGURATIONS, Containerd
from lab.image import BUSYBOX

pytestmark = [pytest.mark.kernel, pytest.mark.runtime, pytest.mark.engine("containerd")]

CTL = HOOK.with_name("traceloopctl")
WRAPPER = HOOK.with_name("traceloop-runtime")
SPEC = "/etc/containerd/traceloop-runc.json"
UNPACKED = Path(__file__).parents[2] / "build/engines"
# (suite, None for this machine's version; version of the configuration)
VERSIONS = {"installed": (None, 2), "trixie": ("trixie", 2), "sid-2": ("sid", 2), "sid-3": ("sid", 3)}


@dataclass
class Node:
    daemon: Daemon
    containerd: Containerd
    configuration: str

    def engine(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return self.containerd.host.run(CTL, "engine", *words, check=False)

    def enable(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        options = ["--hook", HOOK, "--socket", self.daemon.hook_socket]
        return self.engine("enable", "containerd", *(words or options))

    def wired(self) -> str:
        """Returns what `engine list` reports for containerd."""
        (line,) = [one for one in self.engine("list").stdout.splitlines() if one.startswith("containerd ")]
        return line.split(maxsplit=2)[2]

    def due(self) -> str:
        return self.engine("status", "containerd", "--restarts").stdout

    def traces(self) -> dict[str, dict]:
        return {trace["id"]: trace for trace in json.loads(self.daemon.ctl("list", "-o", "json").stdout)}

    def frozen(self, trace_id: str) -> dict:
        self.daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)
        return self.traces()[trace_id]

    def config_of(self, container_id: str) -> dict:
        bundle = f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{container_id}"
        return json.loads(self.containerd.host.path(f"{bundle}/config.json").read_text())


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(config='node = "n"\n[record]\nfrom = "hook"\n') as daemon:
        yield daemon


@pytest.fixture(scope="module", params=VERSIONS)
def node(request, daemon) -> Iterator[Node]:
    """A running containerd that is not wired."""
    suite, version = VERSIONS[request.param]
    if suite and not (UNPACKED / suite / "usr/bin/containerd").exists():
        pytest.skip("`make test-engines` fetches it")
    configuration = CONFIGURATIONS[version]
    with Containerd(configuration, programs=UNPACKED / suite if suite else None) as containerd:
        containerd.start()
        yield Node(daemon, containerd, configuration)


@pytest.fixture
def wired(node) -> Iterator[Node]:
    """A containerd that is wired and restarted; the test leaves it as it was."""
    enabled = node.enable()
    assert enabled.returncode == 0, enabled
    assert "now run: systemctl restart containerd" in enabled.stdout
    node.containerd.restart()
    yield node
    node.engine("disable", "containerd")
    assert node.containerd.host.path(CONFIG).read_text() == node.configuration
    assert not node.containerd.host.path(SPEC).exists()


def test_pods_are_recorded_under_their_names(wired, request) -> None:
    name = "pod-" + request.node.callspec.id
    pod = wired.containerd.cri.run_pod(name, namespace="shop", uid="d9a3-1")
    for attempt in range(2):
        container = pod.run("till", BUSYBOX, ["sh", "-c", f"echo {attempt} > /tmp/x; exit 5"], attempt=attempt)
        assert pod.wait(container) == 5
    other = pod.run("clerk", BUSYBOX, ["true"])
    assert pod.wait(other) == 0
    first = wired.frozen(f"n_shop_{name}_till")
    second = wired.frozen(f"n_shop_{name}_till_2")
    clerk = wired.frozen(f"n_shop_{name}_clerk")
    for trace in (first, second, clerk):
        assert (trace["namespace"], trace["pod"], trace["pod_uid"], trace["image"]) == ("shop", name, "d9a3-1", BUSYBOX)
    assert [trace["container"] for trace in (first, second, clerk)] == ["till", "till", "clerk"]
    assert (second["exit_code"], second["container_id"], clerk["container_id"]) == (5, container, other)
    assert first["container_id"] != second["container_id"]
    for attempt, trace in enumerate((first, second)):
        shown = wired.daemon.ctl("show", trace["id"], "-o", "jsonl").stdout.splitlines()
        writes = [event for event in map(json.loads, shown) if event["syscall"] == "write" and event["comm"] == "sh"]
        assert [write["args"][1]["data"] for write in writes] == [f"{attempt}\n"]
    pod.remove()
    # The pause container runs no hook at all: the specification applies only to containers.
    assert pod.id not in wired.daemon.log
    assert len([trace for trace in wired.traces().values() if trace["pod"] == name]) == 3


def test_a_restart_count_where_kubelets_annotation_is_let_through(node) -> None:
    """The restart count is known if the runtime's `container_annotations` let it through, as docs/engines.md says."""
    host = node.containerd.host
    assert node.enable().returncode == 0
    text = host.path(CONFIG).read_text()
    lines = ["base_runtime_spec = ", 'container_annotations = ["io.kubernetes.container.*"]\n  base_runtime_spec = ']
    try:
        host.path(CONFIG).write_text(text.replace(*lines))
        node.containerd.restart()
        pod = node.containerd.cri.run_pod("counted")
        pod.wait(pod.run("c", BUSYBOX, ["true"], attempt=7))
        found = {trace["restart_count"] for trace in node.traces().values() if trace["pod"] == "counted"}
        pod.remove()
    finally:
        assert node.engine("disable", "containerd").returncode == 0
        assert host.path(CONFIG).read_text() == node.configuration
    assert found == {7}


def test_nothing_of_a_container_changes_but_its_hooks(node) -> None:
    configs = []
    node.containerd.restart()  # clears what it was told before
    for number in range(2):
        pod = node.containerd.cri.run_pod("compared")
        container = pod.run("c", BUSYBOX, ["sleep", "1000"])
        text = json.dumps(node.config_of(container)).replace(container, "CONTAINER").replace(pod.id, "POD")
        configs.append(json.loads(text))
        pod.remove()
        if number == 0:
            assert node.enable().returncode == 0
            node.containerd.restart()
    node.engine("disable", "containerd")
    for config in configs:
        for namespace in config["linux"]["namespaces"]:
            namespace.pop("path", None)
    plain, ours = configs
    assert set(ours.pop("hooks")) == {"prestart", "poststop"}
    assert ours == plain


def test_status_knows_when_it_must_be_restarted(node) -> None:
    assert "does not run the hook" in node.engine("status", "containerd").stdout
    node.enable()
    status = node.engine("status", "containerd")
    assert (status.returncode, "was started before" in status.stdout) == (1, True)
    assert (node.wired(), node.due()) == ("yes, restart due", "systemctl restart containerd\n")
    node.containerd.restart()
    status = node.engine("status", "containerd")
    assert (status.returncode, status.stdout.count("\n"), status.stdout[:3]) == (0, 1, "ok ")
    assert node.enable().stdout.startswith("nothing to change\n")
    node.engine("disable", "containerd")
    assert "does not run the hook" in node.engine("status", "containerd").stdout
    # No file tells that any more, so containerd is asked.
    assert (node.wired(), node.due()) == ("no, restart due", "systemctl restart containerd\n")
    node.containerd.restart()
    assert (node.wired(), node.due()) == ("no", "")


FAULTS = {
    "no daemon": f'#!/bin/sh\nexec {HOOK} "$1" --socket /nonexistent\n',
    "another's socket": f'#!/bin/sh\nexec {HOOK} "$1" --socket /dev/null\n',
    "fails": "#!/bin/sh\nexit 1\n",
    "reads nothing": "#!/bin/sh\nexit 0\n",
    "no interpreter": "#!/nonexistent/python\n",
}


def test_a_pod_starts_whatever_the_hook_meets(node, tmp_path) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    assert node.enable("--hook", hook).returncode == 0
    node.containerd.restart()
    pod = node.containerd.cri.run_pod("faulty")
    for name, script in FAULTS.items():
        hook.write_text(script)
        assert pod.wait(pod.run(f"c-{len(name)}", BUSYBOX, ["sh", "-c", "exit 7"])) == 7, name
    for name, break_it in BREAK.items():
        restore(hook, HOOK)
        break_it(hook)
        attempt = f"broken-{name.replace(' ', '-')}"
        assert pod.wait(pod.run(attempt, BUSYBOX, ["sh", "-c", "exit 7"])) == 7, name
    hook.unlink()
    assert pod.wait(pod.run("hookless", BUSYBOX, ["sh", "-c", "exit 7"])) == 7
    assert f"the hook {hook} does not exist" in node.engine("status", "containerd").stdout
    pod.remove()
    node.engine("disable", "containerd")


def test_a_specification_that_is_there_is_kept_and_added_to(node) -> None:
    host = node.containerd.host
    theirs = json.loads(host.run("ctr", "oci", "spec").stdout)
    theirs["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 1000, "soft": 900}]
    theirs["hooks"] = {"poststop": [{"path": "/bin/true"}]}
    host.path("/etc/containerd/theirs.json").write_text(json.dumps(theirs))
    plugin = "io.containerd.cri.v1.runtime" if "version = 3" in node.configuration else "io.containerd.grpc.v1.cri"
    configuration = (
        f'{node.configuration}[plugins."{plugin}".containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n'
        '  base_runtime_spec = "/etc/containerd/theirs.json"  # theirs\n'
    )
    host.path(CONFIG).write_text(configuration)
    try:
        assert node.enable().returncode == 0
        ours = json.loads(host.path(SPEC).read_text())
        assert ours["hooks"]["poststop"][0] == {"path": "/bin/true"}
        assert node.enable().stdout.startswith("nothing to change\n")
        node.containerd.restart()
        pod = node.containerd.cri.run_pod("limited")
        container = pod.run("c", BUSYBOX, ["sh", "-c", "test $(ulimit -n) = 900"])
        assert pod.wait(container) == 0
        pod.remove()
        assert [line.split()[0] for line in node.engine("status", "containerd").stdout.splitlines()] == ["ok"]
        node.frozen("n_default_limited_c" + ("" if len([t for t in node.traces() if "limited" in t]) == 1 else "_2"))
        node.engine("disable", "containerd")
        assert host.path(CONFIG).read_text() == configuration
    finally:
        host.path(CONFIG).write_text(node.configuration)


def test_a_specification_that_is_gone_is_an_error_that_is_found(wired) -> None:
    wired.containerd.host.path(SPEC).unlink()
    status = wired.engine("status", "containerd")
    assert status.returncode == 1
    assert f"error containerd: runtime runc: {SPEC} does not exist" in " ".join(status.stdout.split())
    assert wired.enable().returncode == 0
    assert wired.engine("status", "containerd").stdout.startswith("ok ") or "was started before" in status.stdout


def test_a_drop_in_where_no_file_has_a_section_of_cri(node) -> None:
    host = node.containerd.host
    version = 3 if "version = 3" in node.configuration else 2
    main = f'version = {version}\nimports = ["/etc/containerd/conf.d/*.toml"]\n'
    host.path("/etc/containerd/conf.d").mkdir()
    host.path(CONFIG).write_text(main)
    try:
        assert node.enable().returncode == 0
        assert host.path(CONFIG).read_text() == main
        assert "traceloop-runc.json" in host.path("/etc/containerd/conf.d/traceloop.toml").read_text()
        dumped = host.run("containerd", "--config", CONFIG, "config", "dump").stdout
        assert SPEC in dumped
        node.engine("disable", "containerd")
        assert [*host.path("/etc/containerd/conf.d").iterdir()] == []
    finally:
        host.path(CONFIG).write_text(node.configuration)
        host.path("/etc/containerd/conf.d").rmdir()


def test_a_host_without_a_configuration(node) -> None:
    host = node.containerd.host
    host.path(CONFIG).unlink()
    try:
        assert node.enable().returncode == 0
        assert SPEC in host.run("containerd", "--config", CONFIG, "config", "dump").stdout
        assert node.engine("disable", "containerd").returncode == 0
        assert not host.path(CONFIG).exists()
    finally:
        host.path(CONFIG).write_text(node.configuration)


def test_ctr_run(node, request) -> None:
    name = "ctr-" + request.node.callspec.id
    (node.containerd.host.path("/run/wrapper")).write_text(
        f'#!/bin/sh\nexec {WRAPPER} --traceloop-socket={node.daemon.hook_socket} "$@"\n'
    )
    node.containerd.host.path("/run/wrapper").chmod(0o755)
    words = ["--runc-binary", "/run/wrapper", BUSYBOX, name, "sh", "-c", "echo out; exit 3"]
    ended = node.containerd.ctr_run(*words, check=False)
    assert (ended.returncode, ended.stdout) == (3, "out\n")
    assert node.frozen(f"n_{name}")["exit_code"] == 3


def test_a_pod_needs_no_hook_to_fail(node) -> None:
    """A container whose program is missing fails, which proves that the tests above would see a failure."""
    pod = node.containerd.cri.run_pod("failing")
    with pytest.raises(grpc.RpcError, match="no such file"):
        pod.run("c", BUSYBOX, ["/nonexistent"])
    pod.remove()
