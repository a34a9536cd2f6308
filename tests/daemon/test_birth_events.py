# SPDX-License-Identifier: Apache-2.0
"""Events of the kernel become traces: with made-up events, cgroups and bundles, and the real loop and readers."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from traceloop_bpf.births import Birth, Entry, Kind, Shape
from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.naming import births as naming
from traceloop_daemon.naming.names import Names, Registration
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.registering import births as module
from traceloop_daemon.registering.births import Births
from traceloop_daemon.registering.spare import Spare
from traceloop_daemon.settings.keys import Config, RecordFrom, RecordSettings
from traceloop_daemon.system.file_readers import FileReaders
from traceloop_daemon.system.loop import Loop

TIMEOUT_S = 30
LATER = 1 << 62  # than this process began


class Events:
    """Events that a test puts there."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.shapes: list[Shape] = []
        self.settled: list[int] = []
        self.closed = False
        self._new: list[Birth] = []
        self.entered: list[Entry] = []

    def put(self, *births: Birth) -> None:
        self._new += births
        os.eventfd_write(self.fd, 1)

    def recognise(self, shapes: list[Shape]) -> None:
        self.shapes = shapes

    def read(self) -> list[Birth]:
        new, self._new = self._new, []
        return new

    def entries(self) -> list[Entry]:
        found, self.entered = self.entered, []
        return found

    def settle(self, until: int) -> None:
        self.settled.append(until)

    def close(self) -> None:
        self.closed = True


@dataclass
class Ring:
    cookie: int
    untouched: bool = False
    maker: int = 0

    def is_untouched_birth(self) -> bool:
        return self.untouched

    def headers(self) -> SimpleNamespace:
        return SimpleNamespace(head=1)

    def set_born(self, maker: int, _slot: int) -> None:
        self.maker = maker


@dataclass(eq=False)
class Recording:
    slot: Any
    ring: Ring
    tracer: Any
    started_ns: int = 0


class Tracer:
    """A tracer whose rings have the cookie 100 + slot."""

    def __init__(self) -> None:
        self.births = Events()
        self.number = self.refilled = 0
        self.pool = SimpleNamespace(refill=self._refill, resize=lambda _size: None)
        self.slots: dict[int, int] = {}  # cgroup id -> slot
        self.untouched = False
        self._last = 50

    def _refill(self) -> None:
        self.refilled += 1

    def born(self, birth: Birth) -> Recording | None:
        if birth.cookie != 100 + birth.slot:
            return None
        self.slots[birth.id] = birth.slot
        return self._recording(birth.slot)

    def record(self, cgroups: list[int], withheld: int) -> Recording:
        assert not withheld
        self._last += 1
        self.slots |= dict.fromkeys(cgroups, self._last)
        return self._recording(self._last)

    def _recording(self, slot: int) -> Recording:
        return Recording(SimpleNamespace(number=slot), Ring(100 + slot, self.untouched), self)

    def is_recorded(self, cgroup_id: int) -> bool:
        return cgroup_id in self.slots

    def slot_of(self, cgroup_id: int) -> int | None:
        return self.slots.get(cgroup_id)


@dataclass
class Node:
    """A daemon's part for births, on a made-up system."""

    root: Path
    loop: Loop
    readers: FileReaders
    tracer: Tracer = field(default_factory=Tracer)
    told: list[tuple[str, int]] = field(default_factory=list)  # what became traces: id of the trace, of the cgroup
    discarded: list[int] = field(default_factory=list)
    moved: list[tuple[Any, str]] = field(default_factory=list)
    entered: list[tuple[Any, Entry]] = field(default_factory=list)
    streams: list[tuple[Any, Entry]] = field(default_factory=list)
    begun: Callable[[], object] = lambda: None
    live: list[Any] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    refuse: str = ""
    fail: Exception | None = None
    wanted: Callable[[], bool] = lambda: True

    def start(self, record: RecordSettings) -> Births:
        recordings = SimpleNamespace(
            tracer=self.tracer,
            mount=self.root / "cgroup",
            discard=lambda recording: self._note(self.discarded, recording.slot.number),
            move=lambda trace, path: self._note(self.moved, (trace, path)),
            note_entered=lambda trace, entry: self._note(self.streams, (trace, entry)),
            read_entered=lambda trace, entry: self._note(self.entered, (trace, entry)),
        )
        recordings.replace_tracer = lambda tracer, _why: setattr(recordings, "tracer", tracer)
        traces = SimpleNamespace(locked=self._locked)
        spare = Spare(lambda: self.tracer.pool, 1, 1)  # type: ignore[arg-type, return-value]
        made = Births(
            self.loop,
            traces,  # type: ignore[arg-type]
            recordings,  # type: ignore[arg-type]
            self,
            replace(Config(), record=record),
            readers=self.readers,
            spare=spare,
            tally=self.tally,
        )
        made._recogniser._root = self.root
        return made

    @contextmanager
    def _locked(self) -> Iterator[Any]:
        yield SimpleNamespace(live=lambda: self.live)

    def born(self, told: Registration, recording: Any, cgroup_id: int) -> None:
        assert recording.tracer is not None
        self.begun()
        self._note(self.told, (told.names.trace_id("n"), cgroup_id))
        if self.refuse:
            raise RegistrationError(self.refuse)
        if self.fail is not None:
            raise self.fail

    def take_up(self, told: Registration) -> None:
        self._note(self.told, (told.names.trace_id("n"), told.pid))

    def _note(self, notes: list[Any], note: Any) -> None:
        notes.append(note)
        if self.wanted():
            self.loop.stop()

    def run(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Runs the loop until something was noted and `wanted` holds."""
        self.wanted = wanted
        timeout = [False]

        def give_up() -> None:
            timeout[0] = True
            self.loop.stop()

        self.loop.call_later(TIMEOUT_S, give_up)
        self.loop.run()
        assert not timeout[0]

    def cgroup(self, name: str) -> int:
        path = self.root / "cgroup" / name
        path.mkdir(parents=True)
        (path / "cgroup.procs").write_text("")
        return path.stat().st_ino

    def bundle(self, container_id: str, name: str) -> None:
        place = self.root / f"run/containerd/io.containerd.runtime.v2.task/moby/{container_id}"
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps({"annotations": {"io.traceloop.name": name}}))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    (tmp_path / "cgroup").mkdir()
    loop = Loop()
    readers = FileReaders(loop)
    yield Node(tmp_path, loop, readers)
    readers.close()
    loop.close()


def an_id(letter: str) -> str:
    return letter * 64


@pytest.fixture
def births(node: Node) -> Births:
    return node.start(RecordSettings())


def birth(node: Node, number: int, name: str, slot: int | None = None, **more: Any) -> Birth:
    """A birth of a bare id; the slot is the number."""
    (whose,) = {shape.whose for shape in node.tracer.births.shapes if shape.kind is Kind.ID and not shape.text}
    slot = number if slot is None else slot
    cookie = 100 + slot if slot else 0
    now = {"at_ns": 1 << 62, "maker": 0, "whose": whose, "moved": False} | more
    return Birth(number, slot=slot, cookie=cookie, path=f"/{name}", until=number, **now)


def test_names_that_are_there(node: Node, births: Births) -> None:
    node.bundle(an_id("a"), "web")
    node.tracer.births.put(birth(node, 1, an_id("a")))
    node.run()
    assert (node.told, node.tracer.births.settled) == ([("n_web", 1)], [1])
    births.close()


def test_names_that_come_late(node: Node, births: Births) -> None:
    node.tracer.births.put(birth(node, 1, an_id("a")))
    node.loop.call_later(0.1, lambda: node.bundle(an_id("a"), "web"))
    node.run()
    assert node.told == [("n_web", 1)]


def test_names_that_never_come(node: Node, births: Births, caplog: pytest.LogCaptureFixture) -> None:
    node.tracer.births.put(birth(node, 1, an_id("a"), at_ns=0))  # long ago
    node.run()
    assert (node.told, node.tracer.births.settled) == ([(f"n_{'a' * 12}", 1)], [1])
    assert "no bundle of its container is found" in caplog.text


def test_a_cgroup_that_no_process_enters(node: Node, births: Births) -> None:
    """A pod's cgroup may look like a container's."""
    node.tracer.untouched = True
    node.tracer.births.put(birth(node, 1, an_id("a"), at_ns=0))
    node.run()
    assert (node.told, node.discarded, node.tracer.births.settled) == ([], [1], [1])


def test_a_refusal_settles_the_event(node: Node, births: Births, caplog: pytest.LogCaptureFixture) -> None:
    node.refuse = "no"
    node.bundle(an_id("a"), "web")
    node.tracer.births.put(birth(node, 1, an_id("a")))
    node.run()
    assert node.tracer.births.settled == [1]
    assert "no" in caplog.messages


def test_a_ring_that_moves(node: Node, births: Births) -> None:
    """The parent that the runtime made was told first; the names are those of the container."""
    node.bundle(an_id("b"), "web")
    first = birth(node, 1, "parent")
    node.tracer.births.put(first, birth(node, 2, f"parent/{an_id('b')}", slot=1, moved=True))
    node.run()
    assert (node.told, node.tracer.births.settled) == ([("n_web", 2)], [1, 2])


def test_a_ring_that_moves_once_its_trace_has_begun(node: Node, births: Births) -> None:
    trace = SimpleNamespace(recording=node.tracer._recording(1))
    node.live.append(trace)
    node.tracer.births.put(birth(node, 2, "x/y", slot=1, moved=True))
    node.run()
    assert (node.moved, node.told, node.tracer.births.settled) == ([(trace, "/x/y")], [], [2])


def test_an_event_whose_trace_a_former_daemon_saved(node: Node, births: Births) -> None:
    node.bundle(an_id("b"), "web")
    node.live.append(SimpleNamespace(recording=node.tracer._recording(1)))
    node.tracer.births.put(birth(node, 1, an_id("a")), birth(node, 2, an_id("b")))
    node.run()
    assert (node.told, node.tracer.births.settled) == ([("n_web", 2)], [1, 2])


def test_processes_from_outside(node: Node, births: Births) -> None:
    """Processes are read for the trace of their ring. What the kernel side told of others waits for the trace."""
    trace = SimpleNamespace(recording=node.tracer._recording(1))
    node.live.append(trace)
    stranger, entered = Entry(LATER, 1, 7, 71, {}), Entry(LATER, 1, 101, 72, {1: b"pipe:[5]"})
    early = Entry(LATER, 2, 102, 70, {0: b"socket:[4]"})
    old = Entry(1, 1, 101, 73, {2: b"pipe:[6]"})  # from a time without a daemon: its number may be another process's
    node.tracer.births.entered = [early, stranger, old, entered]
    node.tracer.births.put(birth(node, 2, an_id("b"), slot=2))
    node.run()
    assert (node.entered, node.streams) == ([(trace, entered)], [(trace, old), (trace, entered)])

    later = SimpleNamespace(recording=node.tracer._recording(2))
    node.begun = lambda: node.live.append(later)
    node.bundle(an_id("b"), "web")
    node.run(lambda: len(node.streams) == 3)
    assert (node.entered, node.streams) == ([(trace, entered)], [(trace, old), (trace, entered), (later, early)])


def test_too_many_processes_from_outside(node: Node, births: Births, caplog: pytest.LogCaptureFixture) -> None:
    """The last ones are read, and the others counted."""
    node.live.append(SimpleNamespace(recording=node.tracer._recording(1)))
    node.tracer.births.entered = [Entry(LATER, 1, 101, 1000 + n, {}) for n in range(100)]
    node.tracer.births.put(birth(node, 2, an_id("b"), slot=2))
    node.run()
    assert [entry.process for _, entry in node.entered] == [*range(1036, 1100)]
    assert node.tally.read()[0][Counted.ENTRIES_UNTOLD] == 36
    assert "36 processes came into containers, too many at once" in caplog.text


@pytest.mark.parametrize("error", [PermissionError("frozen"), ValueError("a bug")])
def test_a_trace_that_cannot_begin(node: Node, births: Births, error: Exception) -> None:
    """The ring is given back, and the next container is recorded."""
    node.fail = error
    node.bundle(an_id("a"), "web")
    node.tracer.births.put(birth(node, 1, an_id("a"), slot=1))
    node.run(lambda: node.discarded == [1])
    node.fail = None
    node.bundle(an_id("b"), "db")
    node.tracer.births.put(birth(node, 2, an_id("b"), slot=2))
    node.run(lambda: len(node.told) == 2)
    assert node.tracer.births.settled == [1, 2]


def test_an_event_whose_ring_was_given_back(node: Node, births: Births) -> None:
    node.bundle(an_id("b"), "web")
    node.tracer.births.put(replace(birth(node, 1, an_id("a")), cookie=7), birth(node, 2, an_id("b")))
    node.run()
    assert (node.told, node.tracer.births.settled) == ([("n_web", 2)], [1, 2])


def test_no_ring_in_stock(node: Node, births: Births) -> None:
    """Births with rings come first; the others are recorded late, if they are still there, and only once."""
    number = node.cgroup(an_id("a"))
    for letter, name in ("a", "late"), ("b", "web"):
        node.bundle(an_id(letter), name)
    gone = birth(node, 3, an_id("c"), slot=0)
    late = replace(birth(node, 1, an_id("a"), slot=0), id=number)
    node.tracer.births.put(gone, late, late, birth(node, 2, an_id("b")))
    node.run(lambda: len(node.told) == 2)
    assert sorted(node.told) == [("n_late", number), ("n_web", 2)]
    assert node.tally.read()[0][Counted.BIRTHS_LATE] == 2
    assert sorted(node.tracer.births.settled) == [1, 1, 2, 3]
    assert node.tracer.refilled == 2


def test_a_hook_that_is_faster(node: Node, births: Births) -> None:
    number = node.cgroup(f"{an_id('a')}/inside")
    told = Registration(Names("named"), container_id=an_id("a"), pid=7, cgroup=f"/{an_id('a')}/inside")
    assert not births.complete(told)
    node.tracer.births.put(birth(node, 1, an_id("a")))
    assert births.knows(an_id("a"))
    assert not births.knows(an_id("b"))
    node.tracer.slots[number] = 1
    assert births.complete(told)
    assert (node.told, node.tracer.births.settled) == ([("n_named", 1)], [1])
    assert not births.complete(told)
    assert not births.knows(an_id("a"))


def test_a_fault_costs_one_container(node: Node, births: Births, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = naming.resolve

    def faulty(container_id: str, *more: Any, **how: Any) -> Registration:
        if container_id == an_id("a"):
            raise KeyError("a fault of ours")
        return resolve(container_id, *more, **how)

    monkeypatch.setattr(naming, "resolve", faulty)
    for letter in "ab":
        node.bundle(an_id(letter), letter)
    node.tracer.births.put(birth(node, 1, an_id("a"), at_ns=0), birth(node, 2, an_id("b")))
    node.run(lambda: len(node.told) == 2)
    assert sorted(node.told) == [(f"n_{'a' * 12}", 1), ("n_b", 2)]


def test_files_that_do_not_answer_hold_one_thread(
    node: Node, births: Births, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The container is named by its id in time, and the other threads read for other containers."""
    resolve, asked, answer = naming.resolve, [], threading.Event()

    def hanging(container_id: str, *more: Any, **how: Any) -> Registration:
        if container_id == an_id("a"):
            asked.append(container_id)
            answer.wait(TIMEOUT_S)
        return resolve(container_id, *more, **how)

    monkeypatch.setattr(naming, "resolve", hanging)
    node.bundle(an_id("a"), "a")
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    node.tracer.births.put(birth(node, 1, an_id("a"), at_ns=now_ns))
    node.run()
    answer.set()
    assert node.told == [("n_aaaaaaaaaaaa", 1)]
    assert "no bundle of its container is found" in caplog.text
    assert asked == [an_id("a")]


def test_a_recorder_that_is_replaced(node: Node, births: Births, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that waits for its names is recorded by the new one."""
    monkeypatch.setattr(module, "NAMED_S", 1000.0)
    number = node.cgroup(an_id("a"))
    former = node.tracer
    former.births.put(replace(birth(node, 1, an_id("a")), id=number))
    assert births.knows(an_id("a"))
    node.tracer = Tracer()
    births.replace_tracer(node.tracer, "broken")  # type: ignore[arg-type]
    node.loop.call_later(0.05, lambda: node.bundle(an_id("a"), "web"))
    node.run()
    assert node.told == [("n_web", number)]
    assert former.births.closed
    assert node.tracer.births.shapes == former.births.shapes
    assert node.tracer.slots == {number: 51}


def test_no_births(node: Node) -> None:
    node.start(RecordSettings(from_=RecordFrom.HOOK))
    assert not node.tracer.births.shapes


def test_what_runs_already(node: Node, tmp_path: Path) -> None:
    """Only cgroups that have a process count, and nothing that is below a container's."""
    for name in (an_id("a"), f"{an_id('a')}/{an_id('b')}", an_id("c"), f"libpod_parent/{an_id('d')}", "user.slice"):
        node.cgroup(name)
        if "c" not in name:
            (tmp_path / "cgroup" / name / "cgroup.procs").write_text(f"{os.getpid()}\n")
    node.bundle(an_id("a"), "web")
    node.start(RecordSettings(running=True))
    node.run()
    assert node.told == [("n_web", os.getpid())]


def test_what_runs_already_below_a_users_cgroup_may_be_called_anything(node: Node, tmp_path: Path) -> None:
    """A user could have processes recorded under the name of another's container, and use rings up."""
    if os.geteuid():
        pytest.skip("needs root, to give a cgroup to a user")
    for name in (f"user.slice/{an_id('a')}", an_id("b")):
        node.cgroup(name)
        (tmp_path / "cgroup" / name / "cgroup.procs").write_text(f"{os.getpid()}\n")
    os.chown(tmp_path / "cgroup/user.slice", 1000, 1000)
    node.bundle(an_id("a"), "theirs")
    node.bundle(an_id("b"), "web")
    node.start(RecordSettings(running=True))
    node.wanted = lambda: False
    node.loop.call_later(0.5, node.loop.stop)
    node.loop.run()
    assert node.told == [("n_web", os.getpid())]


def test_a_namespace_that_begins_below_the_top(node: Node, births: Births) -> None:
    """The kernel tells paths in the whole hierarchy; the first cgroup that is there tells what is above the mount."""
    number = node.cgroup(f"slice/{an_id('a')}")
    node.bundle(an_id("a"), "web")
    node.bundle(an_id("b"), "next")
    first = birth(node, 1, f"machine/lab/slice/{an_id('a')}")
    node.tracer.births.put(replace(first, id=number), birth(node, 2, f"machine/lab/other/{an_id('b')}"))
    node.run(lambda: len(node.told) == 2)
    assert births._above == "/machine/lab"
