# SPDX-License-Identifier: Apache-2.0
"""``traceloopd --pins``: the recorder outlives the daemon in a bpf file system, and `--unpin` ends it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from born_cgroups import new_id
from lab import Daemon
from lab.daemon import BIN
from lab.kernel_objects import held_by, wait_until_gone
from recorded_cgroups import TIMEOUT_S, Cgroup, Workloads, cgroup2_mount
from test_births_hooks import brief

from traceloop_bpf import bpfcalls

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def bpffs() -> Iterator[Path]:
    """A bpf file system in a mount namespace of its own, which goes with it."""
    script = "mount -t bpf none /sys/fs/bpf; echo ready; exec cat"
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        yield Path(f"/proc/{holder.pid}/root/sys/fs/bpf")
        holder.communicate(timeout=TIMEOUT_S)


MORE_THAN_ARE_TOLD = 600
UNPIN = Path(__file__).parents[2] / "packaging/kubernetes/daemon/unpin.yaml"
CAPABILITIES = "-all,+bpf,+perfmon,+sys_ptrace,+dac_read_search"


class Node:
    """The directories of successive daemons, which have the unit's capabilities only."""

    def __init__(self, directory: Path, pins: Path) -> None:
        self._directory, self.pins = directory, pins

    def daemon(self, config: str = "", *, births: bool = False) -> Daemon:
        run, state = self._directory / "run", self._directory / "state"
        config = f'node = "n"\n{config}'
        return Daemon(
            config=config,
            runtime_dir=run,
            state_dir=state,
            options=["--pins", str(self.pins)],
            wrapper=["setpriv", "--bounding-set", CAPABILITIES],
            births=births,
        )

    def unpin(self) -> subprocess.Popen[str]:
        words = [BIN / "traceloopd", "--pins", self.pins, "--unpin"]
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)

    def unpinned(self) -> str:
        """Removes the pins; returns what was said."""
        with self.unpin() as process:
            _, said = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, said
        return said


@pytest.fixture
def node(bpffs: Path) -> Iterator[Node]:
    with tempfile.TemporaryDirectory(prefix="traceloop-") as directory:
        node = Node(Path(directory), bpffs / "traceloop")
        yield node
        node.unpinned()


def state_of(daemon: Daemon, trace_id: str) -> str:
    return next(
        str(one["state"]) for one in json.loads(daemon.ctl("list", "-o", "json").stdout) if one["id"] == trace_id
    )


def brief_cgroup() -> None:
    mount = cgroup2_mount()
    assert mount is not None
    (mount / (name := new_id())).mkdir()
    (mount / name).rmdir()


def lseeks(daemon: Daemon, trace_id: str) -> list[int]:
    lines = daemon.ctl("show", trace_id, "-o", "jsonl").stdout.splitlines()
    return [event["args"][1]["value"] for event in map(json.loads, lines) if event["syscall"] == "lseek"]


def test_nothing_is_lost_over_kills_and_restarts(node: Node, workload: Workloads) -> None:
    program = workload("count_calls", "-nostdlib", "-static")
    with Cgroup() as cgroup, Cgroup() as outside:

        def run(count: int) -> list[int]:
            outside.run(program, str(count), str(cgroup.path / "cgroup.procs"))
            return list(range(count))

        with cgroup.start("sleep", "infinity") as sleeper:
            with node.daemon() as daemon:
                daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "mine")
                expected = run(101)
                daemon.kill()
            expected += run(103)  # no daemon is there
            with node.daemon() as daemon:
                daemon.wait_for_log(lambda line: "resumed n_mine" in line)
                expected += run(107)
                assert lseeks(daemon, "n_mine") == expected
            expected += run(109)  # it was stopped, as in a rolling update
            with node.daemon() as daemon:
                expected += run(113)
                assert lseeks(daemon, "n_mine") == expected
                assert state_of(daemon, "n_mine") == "recording"
                assert "compil" not in daemon.log
                sleeper.kill()
                sleeper.wait()
                daemon.wait_for_log(lambda line: "frozen n_mine" in line)
                assert lseeks(daemon, "n_mine") == expected


def test_births_that_no_daemon_reads_are_told_by_the_next_one(node: Node) -> None:
    with node.daemon(births=True) as daemon:
        daemon.kill()
    for _ in range(MORE_THAN_ARE_TOLD):
        brief_cgroup()
    said = "containers are not recorded: they started while no daemon read the kernel's events"
    with node.daemon(births=True) as daemon:
        told = daemon.wait_for_log(lambda line: said in line)
        count = int(told.split(said)[0].split()[-1])
        assert 0 < count < MORE_THAN_ARE_TOLD
        assert json.loads(daemon.ctl("stats", "-o", "json").stdout)["births_untold"] == count
    with node.daemon(births=True) as daemon:
        assert json.loads(daemon.ctl("stats", "-o", "json").stdout)["births_untold"] == 0
        assert said not in daemon.log


def test_unpin_waits_for_the_daemon_and_leaves_nothing(node: Node) -> None:
    with Cgroup() as cgroup, cgroup.start("sleep", "infinity") as sleeper:
        with node.daemon() as daemon:
            objects = held_by(daemon.process.pid)
            daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "mine")
            with node.unpin() as unpin:
                assert unpin.stderr is not None
                assert "waiting until the daemon" in unpin.stderr.readline()
                assert any(node.pins.iterdir())
                daemon.stop()
                _, said = unpin.communicate(timeout=TIMEOUT_S)
            assert unpin.returncode == 0, said
            assert "removed" in said
        assert objects
        wait_until_gone(objects)
        assert not node.pins.exists()
        with node.daemon() as daemon:  # what the stopping daemon archived is all that is left
            assert state_of(daemon, "n_mine") == "archived"
        sleeper.kill()


def test_the_pod_that_ends_the_recording(node: Node, tmp_path: Path) -> None:
    """The script waits for the daemon, and then removes everything."""
    yaml = pytest.importorskip("yaml")
    pod = yaml.safe_load(UNPIN.read_text())["spec"]["template"]["spec"]["containers"][0]
    (script,) = pod["args"]
    for path, here in (("/pins", node.pins), ("/run/traceloop", tmp_path)):
        assert path in script
        script = script.replace(path, str(here))
    (tmp_path / "traceloop.sock").touch()
    env = {"PATH": f"{BIN}:/usr/bin:/bin"}
    with subprocess.Popen([*pod["command"], script], env=env, stderr=subprocess.PIPE, text=True) as sleeper:
        with node.daemon() as daemon:
            objects = held_by(daemon.process.pid)
            sleeper.terminate()
            assert sleeper.stderr is not None
            assert "waiting until the daemon" in sleeper.stderr.readline()
            assert any(node.pins.iterdir())
            daemon.stop()
        sleeper.communicate(timeout=TIMEOUT_S)
    assert sleeper.returncode == 0
    wait_until_gone(objects)
    assert list(tmp_path.iterdir()) == []


def test_a_second_daemon_is_refused(node: Node, tmp_path: Path) -> None:
    with node.daemon():
        words = [BIN / "traceloopd", "--pins", node.pins, "--runtime-dir", tmp_path / "run", "--state-dir", tmp_path]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert ended.returncode == 1
    assert f"another traceloopd uses {node.pins}" in ended.stderr


def test_rings_of_another_size_end_and_begin_anew(node: Node) -> None:
    with Cgroup() as cgroup, cgroup.start("sleep", "infinity") as sleeper:
        with node.daemon() as daemon:
            daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "mine")
        former = {path.name for path in node.pins.iterdir()}
        with node.daemon('[ring]\nsize = "64K"\nmax_size = "64K"\n') as daemon:
            assert state_of(daemon, "n_mine") in ("frozen", "archived")
            assert state_of(daemon, "n_mine_2") == "recording"
        assert not former & {path.name for path in node.pins.iterdir()}
        sleeper.kill()


@pytest.mark.parametrize("lost", ["r0-g1-about", "r0-map-cgroups", "r0-g1-link-on_sys_enter"])
def test_pins_that_are_not_whole_are_removed(node: Node, lost: str) -> None:
    with Cgroup() as cgroup, cgroup.start("sleep", "infinity") as sleeper:
        with node.daemon() as daemon:
            daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "mine")
            objects = held_by(daemon.process.pid)
            daemon.kill()
        (node.pins / lost).unlink()
        foreign = bpfcalls.create_array(8, "foreign")
        bpfcalls.pin(foreign, node.pins / "foreign")
        os.close(foreign)
        with node.daemon() as daemon:
            assert "cannot be adopted" in daemon.log
            assert "closed the stored descriptor foreign" in daemon.log
            assert state_of(daemon, "n_mine") == "missing"
            wait_until_gone(objects)
            assert not (node.pins / "foreign").exists()
        sleeper.kill()


def test_unpin_needs_a_directory() -> None:
    ended = subprocess.run(
        [BIN / "traceloopd", "--unpin"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert ended.returncode == 2
    assert "--unpin needs --pins" in ended.stderr


def test_what_starts_and_ends_while_a_pod_is_replaced(node: Node) -> None:
    """More containers than rings are in stock while a daemon runs."""
    few = "[ring]\nspare = 2\nspare_max = 24\n"
    with node.daemon(few, births=True) as daemon:
        assert json.loads(daemon.ctl("stats", "-o", "json").stdout)["rings_in_stock"] == 2
    born = [brief() for _ in range(20)]
    with node.daemon(few, births=True) as daemon:
        for container_id, _ in born:
            daemon.wait_for_log(lambda line, its=container_id: f"frozen n_{its[:12]} " in line)
            assert '"/no/brief"' in daemon.ctl("show", f"n_{container_id[:12]}").stdout
        assert "in stock" not in daemon.log
