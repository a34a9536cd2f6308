# SPDX-License-Identifier: Apache-2.0
"""Cgroups that the real recorder records: runs programs in them, and reads their events."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from patience import PATIENCE

from traceloop_bpf.tracer import Tracer
from traceloop_decode.events import events
from traceloop_decode.forgotten import FIRSTS
from traceloop_decode.model import Call, Entered, Event, Item, Lost, Returned
from traceloop_decode.mountinfo import mounts
from traceloop_decode.snapshot import Snapshot

_SOURCES = Path(__file__).parents[1] / "workloads"
_BEGIN = 0x5747
_ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
TIMEOUT_S = 60 * PATIENCE


def cgroup2_mount() -> Path | None:
    """Returns the mount point of cgroup2, by proc_pid_mountinfo(5)."""
    found = mounts(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    return next((Path(mount.point) for mount in found if mount.kind == "cgroup2"), None)


class Workloads:
    """Compiles tests/workloads/NAME.c, each once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, name: str, *flags: str) -> str:
        binary = self._directory / name
        if not binary.exists():
            options = ("-O1", "-Wall", "-Werror", "-pthread", *flags)
            command: list[str | Path] = ["gcc", *options, "-o", binary, _SOURCES / f"{name}.c"]
            subprocess.run(command, check=True, timeout=TIMEOUT_S)
        return str(binary)


class Program(subprocess.Popen[bytes]):
    """A program in a cgroup, killed when a test fails: else leaving its block waits for ever for what hangs."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self.kill()
        super().__exit__(kind, error, at)


class Cgroup:
    """A new cgroup; on exit all its processes are killed, and it is removed with the cgroups made below it."""

    def __init__(self, suffix: str = "") -> None:
        mount = cgroup2_mount()
        assert mount is not None
        self.path = Path(tempfile.mkdtemp(prefix="tl-test-", suffix=suffix, dir=mount))
        self.id = self.path.stat().st_ino

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        (self.path / "cgroup.kill").write_text("1")
        self.wait_empty()
        for directory, _, _ in os.walk(self.path, topdown=False):
            Path(directory).rmdir()

    def wait_empty(self) -> None:
        """Waits until no process is left in the cgroup."""
        with (self.path / "cgroup.events").open() as state:
            poll = select.poll()
            poll.register(state, select.POLLPRI)
            while "populated 0" not in state.read():
                assert poll.poll(1000 * TIMEOUT_S), f"{self.path}: still populated"
                state.seek(0)

    def start(self, *argv: str, **settings: Any) -> Program:
        """Starts a program in the cgroup; its stdin and stdout are pipes."""
        settings = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} | settings
        return Program(["sh", "-c", _ENTER, str(self.path), *argv], **settings)

    def run(self, *argv: str, status: int = 0) -> list[str]:
        """Runs a program in the cgroup to its end; returns the lines that it wrote. status: expected exit status."""
        with self.start(*argv, stdin=subprocess.DEVNULL) as process:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == status, f"{argv}: {process.returncode}, wrote {output!r}"
        return output.decode().splitlines()


class Container(Cgroup):
    """A cgroup, recorded until its end."""

    def __init__(self, tracer: Tracer, init_pid: int = 0, withheld: int = 0, ring_size: int = 0) -> None:
        super().__init__()
        self._tracer, self._given_back = tracer, False
        self.recording = tracer.record([self.id], init_pid, withheld, ring_size)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self.give_back()

    def give_back(self) -> None:
        """Ends the recording, if it has not ended."""
        if not self._given_back:
            self._given_back = True
            self._tracer.stop(self.recording)
            self._tracer.give_back(self.recording)

    def snapshot(self) -> Snapshot:
        """Takes a snapshot of the ring."""
        return self.recording.ring.snapshot(self.recording.started_ns)

    def events(self) -> list[Event]:
        """Returns all events so far; fails if the ring lost any. More may be new than is kept beside it."""
        found = list(events(self.snapshot()))
        assert not [event for event in found if isinstance(event, Lost) and event.reason != FIRSTS]
        return [event for event in found if not isinstance(event, Lost)]

    def calls(self, *names: str) -> list[Call]:
        """Returns the returned calls of these names, or all without names."""
        return [call for call in returned(self.events()) if not names or call.name in names]

    def workload_calls(self) -> dict[str, list[Call]]:
        """Returns, by name, a workload's calls after its lseek(-1, 0x5747, 0), which marks the beginning."""
        calls = self.calls()
        begins = [n for n, call in enumerate(calls) if call.name == "lseek" and call.args[1].raw == _BEGIN]
        by_name = defaultdict(list)
        for call in calls[begins[-1] + 1 :]:
            by_name[call.name].append(call)
        return by_name


def returned(found: Iterable[Event]) -> list[Call]:
    """Returns the calls that have returned, in the order of their returns."""
    return [event if isinstance(event, Call) else event.call for event in found if isinstance(event, (Call, Returned))]


def entered(found: Iterable[Event]) -> list[Call]:
    """Returns the calls that have been entered, in that order, including those whose entry and exit are one event."""
    return [event if isinstance(event, Call) else event.call for event in found if isinstance(event, (Call, Entered))]


def raw(call: Call) -> tuple[int, ...]:
    """Returns a call's registers."""
    return tuple(arg.raw for arg in call.args)


def only(items: tuple[Item, ...]) -> Item:
    """Returns the only item of an argument."""
    (item,) = items
    return item


def text(call: Call, arg: int) -> bytes:
    """Returns the string or buffer that an argument points at; fails if any of it is missing."""
    item = only(call.args[arg].items)
    assert not item.more
    assert not item.fault
    return item.data
