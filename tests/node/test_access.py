# SPDX-License-Identifier: Apache-2.0
"""A member of the group who may read the traces of some namespaces only: for it there are no others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from lab import Daemon
from lab.daemon import BIN
from lab.members import UID, admit
from recorded_cgroups import TIMEOUT_S, Cgroup
from test_daemon import inside, start

from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.kernel

TEAM = 70001
CONFIG = f'node = "n"\n[access]\nlimited = ["{TEAM}=shop,shop-*"]\n'
CLIENT = """
import grpc, sys
address, method, request = sys.argv[1:]
with grpc.insecure_channel(address) as channel:
    stream = channel.unary_stream(f"/traceloop.v1.Recorder/{method}")(bytes.fromhex(request))
    try:
        print("bytes" if b"".join(stream) else "nothing")
    except grpc.RpcError as error:
        print(error.code().name)
"""
CALLS = "read go; mkdir /proc/mine 2>/dev/null; echo; cat"
PODS = {"own": "shop", "second": "shop-eu", "secret": "other", "alike": "shopping"}
IDS = {pod: f"n_{namespace}_{pod}" for pod, namespace in PODS.items()}


def begin(daemon: Daemon, stack: ExitStack, pod: str, namespace: str) -> None:
    cgroup = stack.enter_context(Cgroup())
    process = stack.enter_context(inside(cgroup, "sh", "-c", CALLS))
    names = {"sandbox-name": pod, "sandbox-namespace": namespace, "container-name": pod, "container-type": "container"}
    annotations = {f"io.kubernetes.cri.{name}": value for name, value in names.items()}
    assert start(daemon, f"id-of-{pod}", process.pid, **annotations) == "ok\n"
    process.stdin.write(b"go\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"\n"
    stack.callback(process.stdin.close)


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(config=CONFIG) as daemon, ExitStack() as stack:
        admit(daemon)
        for pod, namespace in PODS.items():
            begin(daemon, stack, pod, namespace)
        yield daemon


def command(daemon: Daemon, uid: int, *words: str) -> list[str]:
    become = ["setpriv", f"--reuid={uid}", f"--regid={UID}", "--clear-groups"]
    return [*become, str(BIN / "traceloopctl"), "--address", daemon.address, *words]


def asked(daemon: Daemon, *words: str, uid: int = TEAM, status: int = 0) -> str:
    ended = subprocess.run(
        command(daemon, uid, *words), capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd="/"
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stderr if status else ended.stdout


def test_only_its_namespaces_are_listed(daemon: Daemon) -> None:
    assert {one["id"] for one in json.loads(asked(daemon, "list", "-o", "json"))} == {IDS["own"], IDS["second"]}
    every = json.loads(asked(daemon, "list", "-o", "json", uid=UID))
    assert {one["id"] for one in every} == set(IDS.values())


@pytest.mark.parametrize("verb", ["show", "info", "dump"])
@pytest.mark.parametrize("word", [IDS["secret"], "secret", "other/secret", "id-of-secret", IDS["alike"]])
def test_no_word_means_anothers_trace(daemon: Daemon, verb: str, word: str) -> None:
    words = (verb, word, *(("--file", "-") if verb == "dump" else ()))
    said = asked(daemon, *words, status=1)
    assert "no trace" in said
    assert "closed" not in said
    assert asked(daemon, "info", word, uid=UID)


@pytest.mark.parametrize("method", ["Snapshot", "Dump"])
def test_the_methods_themselves_refuse_anothers_trace(daemon: Daemon, method: str) -> None:
    """traceloopctl asks for the trace first; another client need not."""
    for pod, expected in (("secret", "NOT_FOUND"), ("own", "bytes")):
        request = pb.TraceRequest(id=IDS[pod]).SerializeToString().hex()
        become = ["setpriv", f"--reuid={TEAM}", f"--regid={UID}", "--clear-groups", sys.executable, "-c", CLIENT]
        words = [*become, daemon.address, method, request]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=True, cwd="/")
        assert ended.stdout.strip() == expected


def test_its_own_are_read_and_others_are_no_candidates(daemon: Daemon) -> None:
    assert '"/proc/mine"' in asked(daemon, "show", IDS["own"])
    assert IDS["second"] in asked(daemon, "info")  # the newest of its own
    said = asked(daemon, "info", "n_", status=1)
    assert "fits 2 traces" in said
    assert IDS["secret"] not in said


def test_the_daemons_numbers_are_refused(daemon: Daemon) -> None:
    assert "some namespaces' traces only" in asked(daemon, "stats", status=4)
    assert asked(daemon, "stats", uid=UID)


def test_only_its_changes_are_followed(daemon: Daemon) -> None:
    with ExitStack() as stack:
        words = command(daemon, TEAM, "list", "--follow", "-o", "json")
        follower = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd="/"))
        stack.callback(follower.kill)
        assert follower.stdout is not None
        seen = [json.loads(follower.stdout.readline()) for _ in range(2)]
        begin(daemon, stack, "hidden", "other")
        begin(daemon, stack, "later", "shop")
        seen.append(json.loads(follower.stdout.readline()))
    assert [one["namespace"] for one in seen] == ["shop", "shop-eu", "shop"]
    assert seen[-1]["pod"] == "later"
