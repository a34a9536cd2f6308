# SPDX-License-Identifier: Apache-2.0
"""docs/troubleshooting.md quotes exactly what the programs print when something goes wrong, with real containers."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root, pod_annotations
from lab.bundle import HOOK
from lab.daemon import BIN

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

TEXT = (Path(__file__).parents[2] / "docs/troubleshooting.md").read_text()
CTL = BIN / "traceloopctl"
CONFIG = """
node = "vm"
[ring]
size = "64K"
[record]
exclude_namespaces = ["quiet"]
"""
BUSY = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i >/dev/null; done; echo PASSWORD=hunter2"


def shape(text):
    """Replaces line ends and numbers, which differ between runs."""
    return re.sub(r"0x[0-9a-f]+|[\d,]*\d", "N", " ".join(text.split()))


def assert_quoted(said, *words):
    """Asserts that the page quotes the line with these words."""
    (line,) = {shape(line) for line in said.splitlines() if all(word in line for word in words)}
    assert line.removeprefix("traceloopd: ") in shape(TEXT), line


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    directory = tmp_path_factory.mktemp("node")
    root = make_root(directory / "root")
    with Daemon(config=CONFIG) as daemon, Runc(directory / "runc") as runc:

        def run(name, script, **annotations):
            settings = {
                "hooks": hooks(daemon.hook_socket),
                "annotations": pod_annotations(name) | annotations,
            }
            runc.run(make_bundle(directory / name, root, ["sh", "-c", script], **settings), name)

        yield daemon, run


def shown(daemon, trace_id):
    daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)
    return daemon.ctl("show", trace_id).stdout


def test_what_a_setting_keeps_out(node):
    daemon, run = node
    run("quiet", "true", **{"io.kubernetes.cri.sandbox-namespace": "quiet"})
    line = daemon.wait_for_log(lambda line: "container quiet" in line)
    assert_quoted(line, "container quiet")
    assert json.loads(daemon.ctl("list", "-o", "json").stdout) == []


def test_what_a_ring_has_lost_and_what_was_blotted_out(node):
    daemon, run = node
    run("busy", BUSY)
    said = shown(daemon, "vm_default_busy")
    lost = [line for line in said.splitlines() if "were overwritten" in line]
    assert_quoted(lost[-1], "overwritten")
    assert 'buf="PASSWORD=*******\\n"' in said
    assert 'buf="PASSWORD=*******\\n"' in TEXT
    run("paths", "echo secret", **{"io.traceloop.capture": "paths"})
    assert re.search(r"write\(fd=1, buf=0x[0-9a-f]+, count=7\)", shown(daemon, "vm_default_paths"))
    assert re.search(r"`buf=0x[0-9a-f]+`", TEXT)


def test_what_the_hook_says_by_hand(node):
    daemon, _ = node
    for socket in (daemon.hook_socket, daemon.directory / "none.sock"):
        said = subprocess.run(
            [HOOK, "start", "--wait", "--socket", socket], input="{}", text=True, capture_output=True, check=True
        )
        text = said.stderr.removeprefix("traceloop-hook: ").replace(str(socket), "/run/traceloop/hook.sock")
        assert shape(text.partition(": No such file")[0]) in shape(TEXT)


def test_who_may_not_ask(node):
    daemon, _ = node
    daemon.directory.chmod(0o755)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CTL, "--address", daemon.address]
    ended = subprocess.run(words, text=True, capture_output=True, check=False)
    assert ended.returncode == 4
    assert re.search(r"cannot use .*: Permission denied", ended.stderr)
    assert "| `cannot use …: Permission denied` | 4 |" in TEXT
    gone = subprocess.run([CTL, "--address", "unix:/nonexistent"], text=True, capture_output=True, check=False)
    assert gone.returncode == 3
    assert gone.stderr.startswith("traceloopctl: no daemon at /nonexistent")
    assert "| `no daemon at /run/traceloop/traceloop.sock` | 3 |" in TEXT
