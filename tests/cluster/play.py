# SPDX-License-Identifier: Apache-2.0
"""Plays traceloop on the cluster of cluster.sh: the demos, a loop of crashes, roles, a node that dies, and its traces after.

Each act prints its command lines and what they print, and ends with status 1 where something is not as promised.
"""

from __future__ import annotations

import json
import re
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
        *("run", "--restart=Never", "--image=busybox", "--image-pull-policy=Never", name, *override, "--"),
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
        kubectl("run", "--restart=Never", "--image=busybox", "--image-pull-policy=Never", name, "--", "true")
    kubectl("rollout", "status", "-n", "traceloop", "daemonset/traceloop-relay", "--timeout=60s")
    for name in sorted(names):
        ended(name, "Succeeded")
    until(lambda: "yes" if names <= {one["pod"] for one in traces()} else "")
    kubectl("delete", "pod", *sorted(names))


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


def uninstall() -> None:
    for kind in ("control", "relay"):
        kubectl("delete", "-k", str(STATE / "deploy" / kind))
    assert "has no relay" in traceloop("list", status=1)


def main() -> None:
    run(HERE / "overlay.sh", STATE / "deploy")
    for kind, namespace in (("relay", "traceloop"), ("control", "traceloop-control")):
        kubectl("apply", "-k", str(STATE / "deploy" / kind))
        kubectl("rollout", "status", "-n", namespace, "daemonset/traceloop-relay", "--timeout=60s")
    acts = (demos, crashes, roles, rolling_update, node_dies, uninstall)
    chosen = sys.argv[1:] or [act.__name__ for act in acts]
    for act in acts:
        if act.__name__ not in chosen:
            continue
        began = time.monotonic()
        print(f"== {act.__name__}\n", flush=True)
        act()
        print(f"== {act.__name__}: {time.monotonic() - began:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
