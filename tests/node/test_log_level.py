# SPDX-License-Identifier: Apache-2.0
"""``traceloopd --log-level``: debug logs each decision on a container with its reason; warning logs less than info."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root, pod_annotations

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

POD = "pod"
DECIDED = [
    r"container pod: the hook reports start, process \d+",
    r"container pod: its annotations name it",
    r"container pod: it may be recorded as \S+_default_pod: capture policy all, 1048576 bytes of ring",
    r"(\S+_default_pod): slot \d+ of recorder \d+, 1048576 bytes of ring, classes of memory withheld: 0x0",
    r"\S+_default_pod: (its cgroup\.events changed|its first process ended|looked again): its cgroup is (empty|removed)",
    r"\d+ traces of \d+ bytes are kept, \d+ bytes are free",
    r"\S+_default_pod: its file of \d+ bytes written",
]
SAY_ALL = """
import logging, sys
from traceloop_daemon.recording.journal import begin
begin(sys.argv[1])
for name in ("traceloopd", "traceloop_daemon.some.module", "grpc"):
    for level in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger(name), level)(f"{name} {level}")
"""


@pytest.mark.parametrize(("level", "first"), [("debug", 0), ("info", 1), ("warning", 2), ("error", 3)])
def test_ours_are_logged_from_the_level_on_and_libraries_never_below_info(level, first):
    said = subprocess.run([sys.executable, "-c", SAY_ALL, level], capture_output=True, text=True, check=True).stderr
    levels = ("debug", "info", "warning", "error")
    ours = [f"{name} {one}" for name in ("traceloopd", "traceloop_daemon.some.module") for one in levels[first:]]
    assert said.splitlines() == [f"traceloopd: {line}" for line in (*ours, *(f"grpc {one}" for one in levels[1:]))]


@pytest.mark.parametrize("level", ["info", "debug"])
def test_debug_says_what_was_decided_of_a_container_in_that_order(tmp_path, level):
    with (
        Daemon(config='[record]\nfrom = "hook"\n', options=["--log-level", level]) as daemon,
        Runc(tmp_path / "runc") as runc,
    ):
        wiring = hooks(daemon.hook_socket)
        root = make_root(tmp_path / "root")
        bundle = make_bundle(tmp_path / POD, root, ["true"], hooks=wiring, annotations=pod_annotations(POD))
        runc.run(bundle, POD)
        daemon.wait_for_log(lambda line: "frozen" in line)
        daemon.stop()  # it has archived the trace by then
        found = [line for line in DECIDED if re.search(f"^traceloopd: {line}$", daemon.log, re.MULTILINE)]
        assert found == (DECIDED if level == "debug" else [])
        if level == "debug":
            in_order = ".*".join(f"traceloopd: {line}\n" for line in DECIDED)
            assert re.search(in_order, daemon.log, re.DOTALL), daemon.log
