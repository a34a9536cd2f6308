# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""kubectl traceloop list over many nodes: a scripted kubectl answers, and leads to one daemon by a small relay.

TRACELOOP_NODES=500 gives the figures of docs/fleet.md; `pytest -s` prints them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

import pytest
from fake_daemon import BIN, FakeDaemon, daemon, path, serving

pytestmark = pytest.mark.installed

NODES = int(os.environ.get("TRACELOOP_NODES", "60"))
TIMEOUT_S = 300
PARALLEL_MAX = 16
MEMORY_MAX_KIB = 300 << 10
UNREADY_EVERY = 20
"""A node in so many is not ready. The relay of every tenth ends without an answer."""
SCRIPT = """#!/bin/sh
for word; do
    case $word in
    */nodes*) exec cat {here}/nodes ;;
    */pods*metadata.name*) exec cat {here}/pod ;;
    */pods*) exec cat {here}/pods ;;
    relay-{broken}) echo 'error: unable to upgrade connection' >&2; exit 1 ;;
    esac
done
exec {here}/relay {socket} {here}/log
"""
METER = """
import json, os, resource, subprocess, sys
with open(sys.argv[1], "w") as out, open(sys.argv[2], "w") as err:
    status = subprocess.run(sys.argv[3:], stdout=out, stderr=err).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
"""A small program that runs another: the kernel counts what a process had before its execve, too, here pytest's memory."""
SOURCE = Path(__file__).parents[1] / "workloads/far_relay.c"


def name_of(number: int) -> str:
    return f"node-{number:04}"


def condition(*, is_ready: bool) -> dict[str, object]:
    return {"conditions": [{"type": "Ready", "status": str(is_ready)}]}


def write_cluster(here: Path, socket: Path) -> None:
    """Writes the program kubectl, and the answers that it gives."""
    numbers = range(NODES)
    nodes = [
        {"metadata": {"name": name_of(number)}, "status": condition(is_ready=number % UNREADY_EVERY != 7)}
        for number in reversed(numbers)
    ]
    pods = [
        {
            "metadata": {"name": f"relay-{name_of(number)}", "namespace": "traceloop"},
            "spec": {"nodeName": name_of(number)},
            "status": condition(is_ready=True),
        }
        for number in numbers
    ]
    (here / "nodes").write_text(json.dumps({"items": nodes}))
    (here / "pods").write_text(json.dumps({"items": pods}))
    there = {"metadata": {"name": "mypod", "namespace": "default"}, "spec": {"nodeName": name_of(2)}}
    (here / "pod").write_text(json.dumps({"items": [there]}))
    (here / "log").touch()
    (here / "kubectl").write_text(SCRIPT.format(here=here, socket=socket, broken="node-???9"))
    (here / "kubectl").chmod(0o755)
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", here / "relay", SOURCE], check=True, timeout=TIMEOUT_S)


def test_each_node_has_its_rows_in_order_and_few_are_asked_at_once(daemon: FakeDaemon, path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        write_cluster(here, path)
        began_s = time.monotonic()
        command = [BIN.with_name("kubectl-traceloop"), "list", "--no-legend"]
        meter = [sys.executable, "-I", "-S", "-c", METER, here / "out", here / "err", *command]
        env = {**os.environ, "KUBECTL_PATH": str(here / "kubectl")}
        metered = subprocess.run(meter, env=env, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
        status, cpu_s, most_kib = json.loads(metered.stdout)
        took_s = time.monotonic() - began_s
        said = (here / "err").read_text()
        rows = [line.split(maxsplit=1) for line in (here / "out").read_text().splitlines()]
        log = (here / "log").read_text()
    print(f"{NODES} nodes: {took_s:.1f} s, {cpu_s:.1f} s of CPU with what it ran, {most_kib >> 10} MiB")
    assert status == 1, said
    expected = []
    for number in range(NODES):
        if number % UNREADY_EVERY == 7:
            expected.append([name_of(number), "(the node is not ready)"])
        elif number % 10 == 9:
            expected.append([name_of(number), "(unable to upgrade connection)"])
        else:
            expected += [[trace.node, trace.id] for trace in daemon.traces]  # all relays lead to one daemon
    assert [[row[0], row[1] if row[1].startswith("(") else row[1].split()[0]] for row in rows] == expected
    counts = list(accumulate(1 if mark == "+" else -1 for mark in log))
    assert 1 < max(counts) <= PARALLEL_MAX
    assert counts[-1] == 0
    assert most_kib < MEMORY_MAX_KIB


def test_one_node_is_asked_for_a_pod(daemon: FakeDaemon, path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        write_cluster(here, path)
        command = [BIN.with_name("kubectl-traceloop"), "show", "default/mypod"]
        env = {**os.environ, "KUBECTL_PATH": str(here / "kubectl")}
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
        assert "exited with 1" in ended.stdout
        assert (here / "log").read_text().count("+") == 2  # where it is, and what it is
