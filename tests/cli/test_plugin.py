# SPDX-License-Identifier: Apache-2.0
"""kubectl traceloop: its options, and the address that they become. `make test-cluster` runs it on a real cluster."""

from __future__ import annotations

import getopt
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from traceloop_cli.plugin import translated
from traceloop_cli.sources.addresses import Cluster, control_address, parsed

BIN = Path(sys.executable).parent
TIMEOUT_S = 60


@pytest.mark.parametrize(
    ("words", "where", "rest"),
    [
        (["list"], Cluster("traceloop", "", ()), ["list"]),
        (["--context", "prod", "show", "-n", "3", "a"], Cluster("traceloop", "", ("--context=prod",)), ["show", "-n", "3", "a"]),
        (["--node=b", "--agent-namespace", "ops", "info", "x"], Cluster("ops", "b", ()), ["info", "x"]),
        (["-n", "shop", "-l", "app=web,tier in (a, b)", "list"], Cluster("traceloop", "", (), "shop", "app=web,tier in (a, b)"), ["list"]),
        (["-n", "shop", "-A"], Cluster("traceloop", "", ()), []),
        (["--kubeconfig", "/a b/c", "--as=eve", "list"], Cluster("traceloop", "", ("--kubeconfig=/a b/c", "--as=eve")), ["list"]),
    ],
)  # fmt: skip
def test_the_plugins_options_are_an_address(words, where, rest):
    option, address, *others = translated(words)
    assert (option, parsed(address), others) == ("--address", where, rest)


def test_the_archive_needs_no_cluster():
    assert translated(["--archive", "store:traces", "list"]) == ["--archive", "store:traces", "list"]


@pytest.mark.parametrize("words", [("-n", "shop"), ("--selector=a=b",), ("--node", "b"), ("--context", "prod")])
def test_what_an_archive_cannot_limit_is_not_ignored(words):
    with pytest.raises(getopt.GetoptError, match=f"--archive cannot be combined with {words[0].partition('=')[0]}"):
        translated([*words, "--archive", "store:traces", "list"])
    assert translated(["-A", "--archive", "store:traces"]) == ["--archive", "store:traces"]


def test_options_that_it_does_not_know_and_help():
    with pytest.raises(getopt.GetoptError):
        translated(["--nodes=x", "list"])
    assert translated(["--help"]) is None
    assert translated(["list", "--help"])[-2:] == ["list", "--help"]


def test_what_changes_something_goes_to_relays_of_their_own():
    changing = parsed(control_address("kube:traceloop/b --context=prod"))
    assert changing == Cluster("traceloop-control", "b", ("--context=prod",), path="/run/traceloop/control.sock")


@pytest.mark.parametrize("address", ["kube:", "kube:/node", "kube:traceloop context=prod"])
def test_addresses_that_are_none(address):
    with pytest.raises(ValueError, match="is not of the form kube:"):
        parsed(address)


@pytest.mark.installed
def test_a_cluster_that_does_not_answer_is_one_line():
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")
    words = [BIN / "kubectl-traceloop", "--server=http://127.0.0.1:1", "--request-timeout=5s", "list"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode == 3
    assert ended.stderr.startswith("traceloopctl: ")
    assert "127.0.0.1:1" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.installed
@pytest.mark.parametrize(
    "answer",
    [
        *("", "null", "[]", "7", '{"items": 7}', '{"items": [7]}', '{"items": [{}]}', '{"items": [{"metadata": []}]}'),
        '{"items": [{"metadata": {"name": 7}, "spec": {}}]}',
        '{"items": [{"metadata": {"name": "a"}, "spec": {"nodeName": []}}]}',
        '{"items": [{"metadata": {"name": "a"}, "spec": {}, "status": {"conditions": [7]}}]}',
    ],
)
def test_an_answer_that_is_none_of_kubernetes_is_one_line(tmp_path, answer):
    (tmp_path / "kubectl").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (tmp_path / "kubectl").chmod(0o755)
    ended = subprocess.run(
        [BIN / "kubectl-traceloop", "-n", "a/b?c", "-l", "x=y", "list"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=os.environ | {"KUBECTL_PATH": str(tmp_path / "kubectl")},
    )
    assert ended.returncode == 1
    assert re.fullmatch(r"traceloopctl: kubectl get --raw \S+: the answer is not a list of \w+\n", ended.stderr)


@pytest.mark.installed
def test_a_cluster_without_nodes_is_an_empty_list(tmp_path):
    (tmp_path / "kubectl").write_text("""#!/bin/sh\necho '{"items": null}'\n""")
    (tmp_path / "kubectl").chmod(0o755)
    env = os.environ | {"KUBECTL_PATH": str(tmp_path / "kubectl")}
    words = [BIN / "kubectl-traceloop", "list", "-o", "json"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=True, env=env)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


@pytest.mark.installed
def test_a_missing_kubectl_is_one_line():
    words = [BIN / "kubectl-traceloop", "list"]
    ended = subprocess.run(
        words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env={"PATH": "/nonexistent"}
    )
    said = "traceloopctl: cannot run kubectl: No such file or directory; install kubectl, or set KUBECTL_PATH\n"
    assert (ended.returncode, ended.stderr) == (1, said)
