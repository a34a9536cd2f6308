# SPDX-License-Identifier: Apache-2.0
"""A container that has no cgroup of its own is refused: the calls of others there are not the container's."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from lab import Daemon, hooks, make_bundle, make_root
from recorded_cgroups import TIMEOUT_S, Cgroup
from test_daemon import listed, start, stop

pytestmark = pytest.mark.kernel

READY = 'echo; exec "$@"'
# crun looks for cgroup2 where it is alone.
PURE_V2 = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup"
REFUSED = re.compile(
    r"error: container (\S+) is not recorded, as it has no cgroup of its own: process (\d+) \((.+)\), (.+), is in (\S+) too"
)


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config='node = "node1"\n') as daemon:
        yield daemon


def in_namespace(*argv):
    """Words that run a program as the first process of a pid namespace, once it has said so."""
    return ("unshare", "--pid", "--fork", "sh", "-c", READY, "sh", *argv)


def child_of(pid):
    found = subprocess.run(["pgrep", "--parent", str(pid)], check=True, capture_output=True, timeout=TIMEOUT_S)
    (child,) = map(int, found.stdout.split())
    return child


def test_who_started_it_is_in_its_cgroup(daemon):
    with Cgroup() as cgroup, cgroup.start(*in_namespace("cat")) as process:
        assert process.stdout.readline() == b"\n"
        first = child_of(process.pid)
        for name in ("one", "two"):  # and so is another there, for the same reason
            found = REFUSED.match(start(daemon, name, first))
            assert found.groups() == (name, str(process.pid), "unshare", "which started it", f"/{cgroup.path.name}")
            assert stop(daemon, name) == "ok\n"
        process.communicate(timeout=TIMEOUT_S)
    assert not [trace for trace in listed(daemon) if trace["container_id"] in ("one", "two")]


def test_a_process_outside_of_its_pid_namespace_is_in_its_cgroup(daemon):
    with Cgroup() as outside, Cgroup() as cgroup, cgroup.start("sh", "-c", READY, "sh", "cat") as stranger:
        with outside.start(*in_namespace("cat")) as process:
            assert process.stdout.readline() == b"\n"
            assert stranger.stdout.readline() == b"\n"
            first = child_of(process.pid)
            (cgroup.path / "cgroup.procs").write_text(str(first))
            found = REFUSED.match(start(daemon, "three", first))
            assert found.groups()[:2] == ("three", str(stranger.pid))
            assert found[4] == "which is outside of its pid namespace"
            process.communicate(timeout=TIMEOUT_S)
        stranger.communicate(timeout=TIMEOUT_S)


def test_what_a_container_runs_in_namespaces_of_its_own_is_its_own(daemon):
    with Cgroup() as outside, Cgroup() as cgroup:
        nested = f"read go; {shlex.join(in_namespace('cat'))}; true"
        with outside.start(*in_namespace("sh", "-c", nested)) as process:
            assert process.stdout.readline() == b"\n"
            first = child_of(process.pid)
            (cgroup.path / "cgroup.procs").write_text(str(first))
            process.stdin.write(b"go\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"\n"
            inner = child_of(child_of(first))
            assert Path(f"/proc/{inner}/ns/pid").stat().st_ino != Path(f"/proc/{first}/ns/pid").stat().st_ino
            assert start(daemon, "four", first) == "ok\n"
            process.communicate(timeout=TIMEOUT_S)


@pytest.mark.engine("crun")
def test_crun_without_a_cgroup_manager(daemon, tmp_path):
    bundle = make_bundle(tmp_path / "c", make_root(tmp_path / "root"), ["true"], hooks=hooks(daemon.hook_socket))
    crun = ("crun", "--root", tmp_path / "state", "--cgroup-manager=disabled", "run", "--bundle", bundle, "session")
    session = f"{PURE_V2}; {shlex.join(map(str, crun))}; mkdir /proc/by-the-administrator"
    with Cgroup() as cgroup:
        cgroup.run("unshare", "--mount", "--propagation", "private", "sh", "-c", f"{session}; true")
    line = daemon.wait_for_log(lambda line: "container session is not recorded" in line)
    assert re.search(rf"process \d+ \((sh|unshare|crun)\), which .*, is in /{cgroup.path.name} too", line)
    assert not [trace for trace in listed(daemon) if trace["container_id"] == "session"]
