# SPDX-License-Identifier: Apache-2.0
"""A container's first process leaves its cgroup, or is moved out of it: it is followed, or the trace says so."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import DEVNULL

import pytest
from recorded_cgroups import TIMEOUT_S, Cgroup, Container

from traceloop_bpf.tracer import Tracer
from traceloop_decode.events import events
from traceloop_decode.model import LEFT, Lost, TaskExit
from traceloop_decode.text import jsonl, short, strace

pytestmark = pytest.mark.kernel

MOVE = 'echo $$ > "$0/cgroup.procs"; mkdir /proc/after; exit 5'


def lost(container: Container) -> list[str]:
    """The reasons of what is missing in its trace."""
    return [event.reason for event in events(container.snapshot()) if isinstance(event, Lost)]


def names_called(container: Container) -> list[bytes]:
    """The names of mkdir's calls."""
    return [call.args[0].items[0].data for call in container.calls("mkdir")]


def test_it_is_followed_where_nobody_else_is(tracer: Tracer) -> None:
    with Container(tracer) as container, Cgroup() as other:
        container.run("sh", "-c", MOVE, str(other.path), status=5)
        assert names_called(container) == [b"/proc/after"]
        headers = container.recording.ring.headers()
        assert (headers.exited, headers.exit_code) == (True, 5 << 8)
        assert any(isinstance(event, TaskExit) and event.code == 5 << 8 for event in container.events())
        assert tracer.records(container.recording, other.id)
    assert not tracer.is_recorded(other.id)


def test_its_children_and_cgroups_there_are_followed_too(tracer: Tracer) -> None:
    with Container(tracer) as container, Cgroup() as other:
        inner = 'echo $$ > "$0/cgroup.procs"; mkdir "$0/below"; echo $$ > "$0/below/cgroup.procs"; (mkdir /proc/child)'
        container.run("sh", "-c", f"{inner}; exit 0", str(other.path))
        assert b"/proc/child" in names_called(container)


def test_it_is_not_followed_to_where_others_are(tracer: Tracer) -> None:
    """Calls of others there are not the container's. The exit code is known in any case."""
    with Container(tracer) as container, Cgroup() as other, other.start("cat") as stranger:
        process_in(other.path, stranger.pid)
        container.run("sh", "-c", MOVE, str(other.path), status=5)
        assert stranger.communicate(timeout=TIMEOUT_S) == (b"", None)
        assert not tracer.is_recorded(other.id)
        assert lost(container) == [LEFT]
        snapshot = container.snapshot()
        headers = container.recording.ring.headers()
        assert (headers.exited, headers.exit_code) == (True, 5 << 8)
        (line,) = (line for line in short.lines(events(snapshot), snapshot) if "left its cgroup" in line)
        assert line.endswith(
            "--- the container's first process left its cgroup: its calls in another are not recorded ---"
        )
        assert any("left its cgroup" in line for line in strace.lines(events(snapshot), snapshot))
        assert any('"reason":"left"' in line for line in jsonl.lines(events(snapshot), snapshot))
        assert not any("mkdir(" in line for line in short.lines(events(snapshot), snapshot))


def test_it_is_recorded_again_when_it_comes_back(tracer: Tracer) -> None:
    with Container(tracer) as container, Cgroup() as other, other.start("cat") as stranger:
        process_in(other.path, stranger.pid)
        back = f'echo $$ > "{container.path}/cgroup.procs"; mkdir /proc/back; exit 5'
        container.run("sh", "-c", f'echo $$ > "$0/cgroup.procs"; mkdir /proc/away; {back}', str(other.path), status=5)
        stranger.communicate(timeout=TIMEOUT_S)
        assert lost(container) == [LEFT]
        found = [
            event
            for event in events(container.snapshot())
            if getattr(getattr(event, "call", event), "name", "") == "mkdir"
        ]
        assert [getattr(event, "call", event).args[0].items[0].data for event in found] == [b"/proc/back"]


def test_someone_else_moves_it(tracer: Tracer) -> None:
    with Container(tracer) as container, Cgroup() as other:
        with container.start("sh", "-c", "read go; mkdir /proc/after; exit 5") as process:
            process_in(container.path, process.pid)
            (other.path / "cgroup.procs").write_text(str(process.pid))
            process.communicate(b"go\n", timeout=TIMEOUT_S)
        assert process.returncode == 5
        assert names_called(container) == [b"/proc/after"]


def test_others_of_the_container_stay(tracer: Tracer) -> None:
    """The first process alone is followed; and none is taken for it that has its number later."""
    with Container(tracer) as container, Cgroup() as other:
        container.run("true")  # it is the first one, and has ended
        container.run("sh", "-c", MOVE, str(other.path), status=5)
        assert not tracer.is_recorded(other.id)
        assert names_called(container) == []
        assert container.recording.ring.headers().exit_code == 0


def test_an_empty_cgroup_that_is_recorded_has_the_exit_code_of_its_first_process(container: Container) -> None:
    with container.start("sh", "-c", "exit 7", stdin=DEVNULL) as process:
        _, status = os.waitpid(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    headers = container.recording.ring.headers()
    assert (headers.init_pid, headers.exited, headers.exit_code) == (process.pid, True, 7 << 8)


def process_in(cgroup: Path, pid: int) -> None:
    """Waits until a process is in a cgroup."""
    while str(pid) not in (cgroup / "cgroup.procs").read_text().split():
        os.sched_yield()
