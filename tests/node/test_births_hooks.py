# SPDX-License-Identifier: Apache-2.0
"""Hooks of containers that live shorter than their hooks' messages take: they name what is recorded since its birth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from signal import SIGCONT, SIGSTOP

import pytest
from born_cgroups import new_id
from lab import Daemon
from recorded_cgroups import Cgroup, cgroup2_mount
from test_daemon import inside, listed, start, stop

pytestmark = pytest.mark.kernel

POD = {"io.kubernetes.cri.sandbox-name": "brief", "io.kubernetes.cri.sandbox-namespace": "default"}


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(births=True, config='node = "n"\n') as daemon:
        yield daemon


@contextmanager
def ended() -> Iterator[tuple[str, int]]:
    """Makes a container's cgroup, in which a process ends, and removes it after the block.

    Yields the container's id and the process.
    """
    mount = cgroup2_mount()
    assert mount is not None
    container_id = new_id()
    cgroup = mount / container_id
    cgroup.mkdir()
    try:
        with (
            Cgroup() as outside,
            outside.start("sh", "-c", f"echo $$ > {cgroup}/cgroup.procs; exec ls /no/brief") as process,
        ):
            process.communicate()
        yield container_id, process.pid
    finally:
        cgroup.rmdir()


def brief() -> tuple[str, int]:
    """Makes a container's cgroup, in which a process ends, and removes it; returns the container's id and the process."""
    with ended() as (container_id, pid):
        return container_id, pid


def test_it_is_named_by_its_hook(daemon: Daemon) -> None:
    container_id, pid = brief()
    assert start(daemon, container_id, pid, **POD) == "ok\n"
    daemon.wait_for_log(lambda line: "frozen n_default_brief " in line)
    assert '"/no/brief"' in daemon.ctl("show", "n_default_brief").stdout
    assert start(daemon, container_id, pid, **POD) == "ok\n"  # once more, as NRI or a second hook
    assert stop(daemon, container_id) == "ok\n"
    assert [trace["container_id"] for trace in listed(daemon)].count(container_id) == 1
    assert not [line for line in daemon.log.splitlines() if "is gone" in line or "no cgroup" in line]


def test_it_is_left_out_by_its_hook(daemon: Daemon) -> None:
    container_id, pid = brief()
    assert start(daemon, container_id, pid, **{"io.traceloop.record": "false"}) == "ok\n"
    daemon.wait_for_log(lambda line: container_id in line and "is not recorded: its annotation" in line)


def test_one_that_nobody_knows_is_refused(daemon: Daemon) -> None:
    _, pid = brief()
    said = start(daemon, "unknown", pid)
    assert said == f"error: process {pid} is gone: it ended before it was registered\n"


def contains(said: str, line: str) -> bool:
    return said in line


def test_one_that_ended_before_a_ring_was_free_is_said_to_be_lost() -> None:
    """A cgroup that is empty when the daemon can go on is not one that no process was in."""
    config = 'node = "h"\n[ring]\nspare = 1\nspare_max = 1\n'
    with Daemon(births=True, config=config) as daemon, ExitStack() as stack:
        daemon.process.send_signal(SIGSTOP)
        try:
            first, *late = [stack.enter_context(ended())[0] for _ in range(3)]
        finally:
            daemon.process.send_signal(SIGCONT)
        for one in late:
            said = "was not recorded: no ring was in stock, and its processes have ended"
            daemon.wait_for_log(partial(contains, f"cgroup /{one} {said}"))
        daemon.wait_for_log(partial(contains, f"frozen h_{first[:12]}"))
        assert {trace["container_id"] for trace in listed(daemon)} == {first}
        assert "forgotten" not in daemon.log


def test_without_births_it_is_refused_even_if_its_id_is_known() -> None:
    """The container was started again, and this start is not recorded."""
    with Daemon(config='node = "h"\n') as daemon:
        with Cgroup() as cgroup, inside(cgroup, "cat") as process:
            assert start(daemon, "again", process.pid) == "ok\n"
            process.communicate()
        daemon.wait_for_log(lambda line: "frozen h_again " in line)
        assert start(daemon, "again", process.pid).startswith(f"error: process {process.pid} is gone")
