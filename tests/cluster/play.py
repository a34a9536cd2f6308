# SPDX-License-Identifier: Apache-2.0
"""Plays traceloop on the cluster of cluster.sh: demos, crashes, roles, an update, a node that dies, and its traces after.

``play.py [packaged | bare] [ACT]...``: with the packaged daemon on the nodes, or, on bare ones, with the daemon in pods.
Each act prints its command lines and what they print, and ends with status 1 where something is not as promised.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
STATE = PROJECT / "build/cluster/state"
BIN = PROJECT / ".venv/bin"
TIMEOUT_S = 120
LINES_SHOWN = 12
MULTIPLICATION = 'RANDOM=output ; echo "3*7*2" | bc > /tmp/file-$RANDOM ; cat /tmp/file-$RANDOM'
LISTING = "ls -l /bin | grep wget"
NODES = ["node-a", "node-b"]
RUN = ("run", "--restart=Never", "--image=busybox", "--image-pull-policy=Never")
DURING = 8
SIMULATED, PREFIX = 500, "simulated-"
METER = """
import json, resource, subprocess, sys, time
began = time.monotonic()
with open(sys.argv[1], "w") as out:
    status = subprocess.run(sys.argv[2:], stdout=out).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, used.ru_utime + used.ru_stime, used.ru_maxrss, time.monotonic() - began]))
"""


def run(*words: str | Path, status: int = 0, user: str = "admin") -> str:
    """Runs a command; returns its output, or its errors if it must fail with `status`."""
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "KUBECONFIG_OF": user,
        "HOME": "/root",
    }
    ended = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=env)
    if ended.returncode != status:
        sys.exit(f"{words} ended with status {ended.returncode}, not {status}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout + ended.stderr if status else ended.stdout


def on(node: str, script: str) -> str:
    """Runs a shell's script on a node."""
    return run(HERE / "cluster.sh", "within", node, "sh", "-euc", script)


def shown(name: str, words: tuple[str, ...], **settings: int | str) -> str:
    print(f"$ kubectl {'traceloop ' if name == 'plugin' else ''}{' '.join(words)}", flush=True)
    said = run(HERE / "cluster.sh", name, *words, **settings)  # type: ignore[arg-type]
    lines = said.splitlines()
    print("\n".join(lines[:LINES_SHOWN]), *(["..."] if len(lines) > LINES_SHOWN else []), "", sep="\n", flush=True)
    return said


def kubectl(*words: str, **settings: int | str) -> str:
    return shown("ctl", words, **settings)


def traceloop(*words: str, **settings: int | str) -> str:
    return shown("plugin", words, **settings)


def traces() -> list[dict[str, object]]:
    return list(json.loads(run(HERE / "cluster.sh", "plugin", "list", "-o", "json")))


def ended(pod: str, phase: str) -> None:
    run(HERE / "cluster.sh", "ctl", "wait", f"--for=jsonpath={{.status.phase}}={phase}", f"pod/{pod}", "--timeout=60s")


def pod(name: str, script: str, phase: str, *, node: str = "", keep: bool = False) -> str:
    """Runs a pod until it has ended, deletes it, and returns its trace's id."""
    override = ("--overrides", json.dumps({"spec": {"nodeName": node}})) if node else ()
    kubectl(
        *(*RUN, name, *override, "--"),
        *("sh", "-c", script),
    )
    ended(name, phase)
    if not keep:
        kubectl("delete", "pod", name)
    return until(
        lambda: next((str(one["id"]) for one in traces() if one["pod"] == name and one["state"] == "archived"), "")
    )


def until(found: Callable[[], str]) -> str:
    """Waits by polling: the plugin follows one node, not all."""
    end = time.monotonic() + TIMEOUT_S
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return value


def demos() -> None:
    trace = pod("mypod", MULTIPLICATION, "Failed")
    rows = [line.split()[:2] for line in traceloop("list", "--no-legend").splitlines()]
    assert sorted(row[0] for row in rows) == NODES
    assert [trace] in [row[1:] for row in rows]
    said = traceloop("show", trace)
    assert re.search(r'\[bc\] write\(.*"42\\n"', said)
    assert re.search(r'\[sh\] openat?\(.*"/tmp/file-\d+"', said)
    assert traceloop("close", trace) == "closed\n"
    trace = pod("mypod", LISTING, "Succeeded")
    names = set(re.findall(r'"/bin/(w\w*)"', traceloop("show", trace)))
    assert names >= {"w", "watch", "wc", "wget", "which", "who", "whoami"}
    assert traceloop("close", trace) == "closed\n"


def crashes() -> None:
    kubectl("run", "crasher", "--image=busybox", "--image-pull-policy=Never", "--", "sh", "-c", "exit 3")
    until(lambda: "yes" if sum(one["pod"] == "crasher" and one["exit_code"] == 3 for one in traces()) >= 2 else "")
    traceloop("list")
    kubectl("delete", "pod", "crasher", "--force", "--grace-period=0")


def roles() -> None:
    trace = pod("secret", "echo secret", "Succeeded")
    said = traceloop("list", user="alice", status=4)
    assert 'User "alice" cannot list resource "pods"' in said
    kubectl("create", "rolebinding", "alice", "-n", "traceloop", "--role=traceloop-reader", "--user=alice")
    kubectl("create", "clusterrolebinding", "alice", "--clusterrole=traceloop-nodes", "--user=alice")
    assert "secret" in traceloop("show", trace, user="alice")
    assert "cannot list" in traceloop("close", trace, user="alice", status=4)
    assert trace in traceloop("list")
    assert trace in traceloop("-n", "default", "list")
    assert trace not in traceloop("-n", "other", "list")
    assert trace not in traceloop("-l", "run=other", "list")


def rolling_update() -> None:
    """Replaces the relays while pods run: relays record nothing, so nothing is lost."""
    kubectl("rollout", "restart", "-n", "traceloop", "daemonset/traceloop-relay")
    names = {f"during-{number}" for number in range(4)}
    for name in sorted(names):
        kubectl(*RUN, name, "--", "true")
    kubectl("rollout", "status", "-n", "traceloop", "daemonset/traceloop-relay", "--timeout=60s")
    for name in sorted(names):
        ended(name, "Succeeded")
    until(lambda: "yes" if names <= {one["pod"] for one in traces()} else "")
    kubectl("delete", "pod", *sorted(names))


def many_nodes() -> None:
    """Lists the two nodes and many that the API server knows, for whose relays node-a's daemon answers."""
    pid = (STATE / "pids/node-a").read_text().strip()
    relay, script = STATE / "far_relay", STATE / "kubectl"
    run("gcc", "-O1", "-o", relay, PROJECT / "tests/workloads/far_relay.c")
    socket = f"/proc/{pid}/root/run/traceloop/traceloop.sock"
    script.write_text(
        f"#!/bin/sh\nfor word; do case $word in {PREFIX}*) exec {relay} {socket} {STATE}/log/far_relay ;; esac; done\n"
        f'exec {STATE.parent}/bin/kubectl "$@"\n'
    )
    script.chmod(0o755)
    (STATE / "log/far_relay").touch()
    of_a, of_b = (max(1, sum(one["node"] == node for one in traces())) for node in NODES)
    controllers = int((STATE / "pids/controllers").read_text())
    os.kill(controllers, signal.SIGSTOP)
    try:
        run(HERE / "cluster.sh", "within", "plane", BIN / "python", HERE / "simulated.py", STATE, str(SIMULATED))
        words = ["env", f"KUBECONFIG={STATE}/admin.kubeconfig", f"KUBECTL_PATH={script}", BIN / "kubectl-traceloop"]
        meter = [BIN / "python", "-I", "-S", "-c", METER, STATE / "listed", *words, "list", "--no-legend"]
        status, cpu_s, most_kib, took_s = json.loads(run(HERE / "cluster.sh", "within", "plane", *meter))
        rows = [line.split()[0] for line in (STATE / "listed").read_text().splitlines()]
        assert status == 0
        assert (
            rows == [NODES[0]] * of_a + [NODES[1]] * of_b + [NODES[0]] * of_a * SIMULATED
        )  # a daemon says its own name
        print(f"{len(NODES)} nodes and {SIMULATED} simulated ones: {took_s:.1f} s, {cpu_s:.1f} s of CPU, ", end="")
        print(f"{most_kib >> 10} MiB, {len(rows)} rows\n")
    finally:
        run(HERE / "cluster.sh", "within", "plane", BIN / "python", HERE / "simulated.py", STATE, "0")
        os.kill(controllers, signal.SIGCONT)


def node_dies() -> None:
    store = STATE / "store"
    store.mkdir(exist_ok=True)
    trace = pod("onb", MULTIPLICATION, "Failed", node="node-b", keep=True)
    (STATE / "ship.toml").write_text(f'to = ":local:{store}"\ncluster = "lab"\narchive = "{STATE}/traceloop-b"\n')
    run(BIN / "traceloop-ship", "--config", STATE / "ship.toml", "--state-dir", STATE / "traceloop-ship-b")
    print("node-b loses its power\n", flush=True)
    run(HERE / "cluster.sh", "kill-node", "b")
    said = traceloop("list", status=1)  # at once: its pod says still that it is ready
    assert re.search(r"^node-b +\(.*\)$", said, re.MULTILINE)
    kubectl("wait", "--for=condition=Ready=Unknown", "node/node-b", "--timeout=60s")
    said = traceloop("list", status=1)
    assert re.search(r"^node-b +\(the node is not ready\)$", said, re.MULTILINE)
    assert re.search(r"^node-a", said, re.MULTILINE)
    kubectl("delete", "node", "node-b")
    said = traceloop("list")
    assert "node-b" not in said
    said = traceloop("--archive", f":local:{store}", "show", trace)
    assert re.search(r'\[bc\] write\(.*"42\\n"', said)


def install() -> None:
    for kind, namespace in (("relay", "traceloop"), ("control", "traceloop-control")):
        kubectl("apply", "-k", str(STATE / "deploy" / kind))
        kubectl("rollout", "status", "-n", namespace, "daemonset/traceloop-relay", "--timeout=60s")


def install_pods() -> None:
    kubectl("apply", "-k", str(STATE / "deploy/daemon"))
    kubectl("apply", "-k", str(STATE / "deploy/control"))
    _pods_are_ready()


def _pods_are_ready() -> None:
    for name in ("traceloop-daemon", "traceloop-relay"):
        kubectl("rollout", "status", "-n", "traceloop", f"daemonset/{name}", "--timeout=120s")


def rolling_update_of_daemons() -> None:
    """Replaces the pods of the daemon while others run, start and end: each has one trace, whole."""
    script = "while [ ! -e /tmp/end ]; do ls /proc/during; sleep 0.1; done; ls /proc/last"
    kubectl(*RUN, "lasting", "--", "sh", "-c", script)
    kubectl("wait", "--for=condition=Ready", "pod/lasting", "--timeout=60s")
    kubectl("rollout", "restart", "-n", "traceloop", "daemonset/traceloop-daemon")
    names = [f"updated-{number}" for number in range(DURING)]
    for name in names:
        run(HERE / "cluster.sh", "ctl", *RUN, name, "--", "sh", "-c", f"ls /proc/{name}; exit 7")
        ended(name, "Failed")
    kubectl("rollout", "status", "-n", "traceloop", "daemonset/traceloop-daemon", "--timeout=120s")
    kubectl("exec", "lasting", "--", "touch", "/tmp/end")
    ended("lasting", "Failed")
    found: dict[str, list[dict[str, object]]] = {}

    def archived() -> str:
        found.clear()
        for one in traces():
            found.setdefault(str(one["pod"]), []).append(one)
        wanted = [found.get(name, []) for name in ("lasting", *names)]
        return "yes" if all(each and all(one["state"] == "archived" for one in each) for each in wanted) else ""

    until(archived)
    for name in names:
        (trace,) = found[name]
        assert trace["exit_code"] == 7
        assert f'"/proc/{name}"' in run(HERE / "cluster.sh", "plugin", "show", str(trace["id"]))
    (trace,) = found["lasting"]
    said = run(HERE / "cluster.sh", "plugin", "show", str(trace["id"]))
    assert '"/proc/during"' in said
    assert '"/proc/last"' in said
    print(f"{len(names)} pods ended during the update; each has one trace, and so has the one that outlasted it\n")
    run(HERE / "cluster.sh", "ctl", "delete", "pod", "lasting", *names)


def uninstall_pods() -> None:
    kubectl("delete", "-k", str(STATE / "deploy/control"))
    kubectl("delete", "-k", str(STATE / "deploy/daemon"))
    _nothing_is_left()


def helm_installs_and_uninstalls() -> None:
    values = {"image": "docker.io/library/traceloop:lab", "imagePullPolicy": "Never", "daemon": {"enabled": True}}
    words = [BIN / "python", HERE / "release.py", STATE / "deploy/chart", json.dumps(values)]
    print("$ helm install traceloop packaging/kubernetes/chart --set daemon.enabled=true ...\n", flush=True)
    run(HERE / "cluster.sh", "within", "plane", *words, "install")
    _pods_are_ready()
    trace = pod("mypod", MULTIPLICATION, "Failed")
    assert re.search(r'\[bc\] write\(.*"42\\n"', traceloop("show", trace))
    print("$ helm uninstall traceloop\n", flush=True)
    run(HERE / "cluster.sh", "within", "plane", *words, "uninstall")
    _nothing_is_left()


def _nothing_is_left() -> None:
    # But for the archive and the compiled programs.
    until(lambda: "" if run(HERE / "cluster.sh", "ctl", "get", "pods", "-n", "traceloop", "-o", "name") else "none")
    assert "has no relay" in traceloop("list", status=1)
    for node in NODES:
        left = on(node, "ls -A /sys/fs/bpf/traceloop /run/traceloop 2>/dev/null || true")
        assert not [line for line in left.splitlines() if line and not line.endswith(":")], left
        assert "traceloop" not in on(node, "ls /proc/*/exe -l 2>/dev/null | grep traceloop || true")
        assert on(node, "ls /var/lib/traceloop")


def main() -> None:
    run(HERE / "overlay.sh", STATE / "deploy")
    way, *chosen = sys.argv[1:] or ["packaged"]
    acts = WAYS[way]
    for act in acts:
        if chosen and act.__name__ not in chosen:
            continue
        began = time.monotonic()
        print(f"== {act.__name__}\n", flush=True)
        act()
        print(f"== {act.__name__}: {time.monotonic() - began:.0f} s\n", flush=True)


WAYS = {
    "packaged": (install, demos, crashes, roles, rolling_update, many_nodes, node_dies),
    "bare": (install_pods, demos, rolling_update_of_daemons, uninstall_pods, helm_installs_and_uninstalls),
}

if __name__ == "__main__":
    main()
