# SPDX-License-Identifier: Apache-2.0
"""A daemon in a cgroup namespace, as that of a pod is, which sees a mount of the whole hierarchy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from born_cgroups import new_id
from lab import Daemon
from recorded_cgroups import TIMEOUT_S, Cgroup, cgroup2_mount
from test_daemon import calls, inside, listed, start, trace_of, wait_state

pytestmark = pytest.mark.kernel

CONFIG = 'node = "n"\n[record]\nfrom = "birth"\nprefixes = ["tl-born-"]\n'
ENTER = 'echo $$ > "$0/cgroup.procs" && exec unshare --cgroup "$@"'


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Cgroup() as pod:
        (pod.path / "container").mkdir()
        with Daemon(config=CONFIG, births=True, wrapper=["sh", "-c", ENTER, str(pod.path / "container")]) as daemon:
            yield daemon


def test_a_container_is_recorded_from_its_birth(daemon: Daemon) -> None:
    mount = cgroup2_mount()
    assert mount is not None
    cgroup = mount / f"tl-born-{new_id()}"
    cgroup.mkdir()
    try:
        with Cgroup() as outside:
            outside.run("sh", "-c", f"echo $$ > {cgroup}/cgroup.procs; exec mkdir /proc/inside", status=1)
        daemon.wait_for_log(lambda line: line.startswith("traceloopd: frozen n_"))
    finally:
        cgroup.rmdir()
    (trace,) = [one for one in listed(daemon) if one["cgroup"] == f"/{cgroup.name}"]
    assert [call["args"][0]["data"] for call in calls(daemon, trace["id"], "mkdir")] == ["/proc/inside"]


def test_a_container_is_followed_to_another_cgroup(daemon: Daemon) -> None:
    """/proc shows the cgroups of processes outside of the namespace as ``/../..``."""
    with Cgroup() as first, Cgroup() as second, inside(first, "sh", "-c", "read go; exit 5") as process:
        assert start(daemon, "moved", process.pid) == "ok\n"
        assert trace_of(daemon, "moved")["cgroup"] == f"/{first.path.name}"
        (second.path / "cgroup.procs").write_text(str(process.pid))
        daemon.wait_for_log(lambda line: f"is in cgroup /{second.path.name} now: it is recorded there" in line)
        trace = trace_of(daemon, "moved")
        assert (trace["state"], trace["cgroup"]) == ("recording", f"/{second.path.name}")
        process.communicate(b"go\n", timeout=TIMEOUT_S)
        wait_state(daemon, trace["id"], "frozen")
    assert trace_of(daemon, "moved")["exit_code"] == 5
