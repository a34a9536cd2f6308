# SPDX-License-Identifier: Apache-2.0
"""NRI without an engine: a plugin whose runtime appears, disappears, and sends nonsense."""

from __future__ import annotations

import logging
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from descriptors import no_descriptors
from nri_runtime import SILENCE_MAX_S, Connection, Runtime

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.nri.plugin import NriPlugin
from traceloop_daemon.system.loop import Loop
from traceloop_proto import nri_pb2 as pb

POD = pb.PodSandbox(id="p1", name="web", namespace="shop", uid="u-1", pid=70)
RUNNING = pb.Container(id="c1", pod_sandbox_id="p1", name="nginx", state=pb.CONTAINER_RUNNING, pid=71)


class Log(logging.Handler):
    """A log handler that collects the plugin's lines, for which tests can wait."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self._lines.append(record.getMessage())
            self._changed.notify_all()

    def find(self, word: str, count: int = 1) -> list[str]:
        """Waits until `count` lines contain the word; returns all such lines."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self._find(word)) >= count, SILENCE_MAX_S)
            assert there, self._lines
            return self._find(word)

    def _find(self, word: str) -> list[str]:
        return [line for line in self._lines if word in line]


@dataclass
class Node:
    """A plugin with a running loop, and its log. Initially there is no runtime, which it has logged."""

    path: Path
    log: Log = field(default_factory=Log)
    registered: queue.Queue = field(default_factory=queue.Queue)
    removed: queue.Queue = field(default_factory=queue.Queue)
    refuse: bool = False
    fault: bool = False

    def register(self, registration) -> None:
        if self.fault:
            raise ValueError("what no one thought of")
        if self.refuse:
            raise RegistrationError(f"no ring for {registration.container_id}")
        self.registered.put(registration)

    def next(self) -> str:
        return self.registered.get(timeout=SILENCE_MAX_S).container_id


@pytest.fixture
def node() -> Iterator[Node]:
    logger = logging.getLogger("traceloop_daemon")
    with TemporaryDirectory(prefix="nri-") as directory:
        node = Node(Path(directory) / "nri.sock")
        logger.addHandler(node.log)
        logger.setLevel(logging.INFO)
        loop = Loop()
        plugin = NriPlugin(loop, node.path, register=node.register, removed=node.removed.put)
        thread = threading.Thread(target=loop.run)
        thread.start()
        node.log.find(f"no NRI at {node.path}")
        yield node
        loop.stop()
        thread.join()
        plugin.close()
        loop.close()
        logger.removeHandler(node.log)
        logger.setLevel(logging.NOTSET)


@pytest.fixture
def runtime(node) -> Iterator[Runtime]:
    with closing(Runtime(node.path)) as runtime:
        yield runtime


@pytest.fixture
def connection(runtime) -> Iterator[Connection]:
    with closing(runtime.accept()) as connection:
        yield connection


def event(number: int, pod=POD, container=RUNNING) -> bytes:
    return pb.StateChangeEvent(event=number, pod=pod, container=container).SerializeToString()


def test_it_registers_asks_for_its_events_and_takes_what_runs(node, connection):
    registered = connection.register()
    assert registered.plugin_name == "traceloop"
    assert registered.plugin_idx.isdecimal()
    assert len(registered.plugin_idx) == 2
    configured = pb.ConfigureResponse.FromString(connection.ask("Configure", b""))
    assert configured.events == 1 << 0 | 1 << 2 | 1 << 5 | 1 << 10
    others = [
        pb.Container(id=f"c{state}", pod_sandbox_id="p1", state=state, pid=9)
        for state in (pb.CONTAINER_CREATED, pb.CONTAINER_STOPPED, pb.CONTAINER_PAUSED)
    ]
    # In parts, as newer runtimes send it, with the pod in another part than its containers
    first = pb.SynchronizeRequest(containers=[RUNNING], more=True)
    assert pb.SynchronizeResponse.FromString(connection.ask("Synchronize", first.SerializeToString())).more
    assert node.registered.empty()
    last = pb.SynchronizeRequest(pods=[POD], containers=others)
    assert not pb.SynchronizeResponse.FromString(connection.ask("Synchronize", last.SerializeToString())).more
    found = [node.registered.get_nowait() for _ in range(3)]
    assert [(one.container_id, one.starting) for one in found] == [("p1", False), ("c1", False), ("c2", False)]
    assert found[1].names.trace_id("n") == "n_shop_web_nginx"
    assert node.registered.empty()


@pytest.mark.parametrize("method", ["StateChange", "StartContainer"])
def test_a_container_is_registered_before_its_start_is_answered(node, connection, method):
    connection.establish()
    as_request = pb.EventRequest(pod=POD, container=RUNNING).SerializeToString()
    connection.ask(method, event(6) if method == "StateChange" else as_request)
    told = node.registered.get_nowait()
    assert (told.container_id, told.starting) == ("c1", True)
    connection.ask(method, event(6) if method == "StateChange" else as_request)
    assert node.registered.empty(), "once"
    connection.ask("StateChange", event(11))
    assert node.removed.get_nowait() == "c1"


def test_pods_come_and_go(node, connection):
    connection.establish()
    connection.ask("StateChange", event(1, container=None))
    told = node.registered.get_nowait()
    assert told.names.sandbox
    assert not told.starting, "the engine tells of it after its start"
    connection.ask("StateChange", event(3, container=None))
    assert node.removed.get_nowait() == "p1"


def test_a_container_that_cannot_be_recorded_is_started_and_tried_again(node, connection):
    node.refuse = True
    connection.establish()
    connection.ask("StartContainer", pb.EventRequest(pod=POD, container=RUNNING).SerializeToString())
    connection.ask("StartContainer", pb.EventRequest(pod=POD, container=pb.Container(id="nopid")).SerializeToString())
    assert node.log.find("no ring for c1")
    assert node.log.find("reported no pid")
    node.refuse = False
    connection.ask("StartContainer", pb.EventRequest(pod=POD, container=RUNNING).SerializeToString())
    assert node.registered.get_nowait().container_id == "c1"


def test_a_fault_of_ours_is_logged_and_costs_one_container_alone(node, connection):
    connection.establish()
    node.fault = True
    connection.ask("StateChange", event(6))
    assert node.log.find("internal error in traceloopd")
    node.fault = False
    connection.ask("StateChange", event(6))
    assert node.registered.get_nowait().container_id == "c1"


def test_a_large_synchronization_in_frames_of_4096_bytes(node, connection):
    containers = [pb.Container(id=f"c{n}", state=pb.CONTAINER_RUNNING, pid=n + 1) for n in range(3000)]
    containers[0].labels["long"] = "x" * 200_000
    connection.register()
    payload = pb.SynchronizeRequest(containers=containers).SerializeToString()
    connection.ask("Synchronize", payload, frame_bytes=4096)
    assert [node.registered.get_nowait().container_id for _ in range(3000)] == [f"c{n}" for n in range(3000)]


def test_it_comes_back_with_one_line_each(node):
    """Each change gives one line: the runtime is missing, comes, goes twice, comes again."""
    for count in range(1, 4):
        with closing(Runtime(node.path)) as runtime, closing(runtime.accept()) as connection:
            connection.establish(pods=[POD], containers=[RUNNING])
            assert len(node.log.find(f"NRI at {node.path}: containerd v9, 1 containers", count)) == count
        node.log.find("no NRI at", count + 1)
    with closing(Runtime(node.path)) as runtime:
        for _ in range(3):  # accepted, and dropped at once
            runtime.accept().close()
        with closing(runtime.accept()) as connection:
            connection.establish(pods=[POD], containers=[RUNNING])
            assert [node.next(), node.next()] == ["p1", "c1"]
            assert node.registered.empty(), "what it knows is not registered again"
            lost = node.log.find("no NRI at")
            assert len(lost) == 4, lost
            assert "containers that hooks do not register are not recorded" in lost[-1]


AS_NOBODY = """
import logging, os, sys
from pathlib import Path
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.nri.plugin import NriPlugin
logging.basicConfig(format="%(message)s")
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
loop = Loop()
NriPlugin(loop, Path(sys.argv[1]), register=None, removed=None)
loop.call_later(1, loop.stop)
loop.run()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become one who may not")
def test_who_may_not_connect_is_told_what_to_do_once(node, runtime):
    """The socket has the mode that containerd gives it."""
    node.path.parent.chmod(0o755)
    node.path.chmod(0o755)
    words = [sys.executable, "-c", AS_NOBODY, node.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stderr.count("no NRI at") == 1
    assert "/nri.md" in ended.stderr


def test_who_was_removed_meanwhile_is_forgotten(node):
    for containers in ([RUNNING], [], [RUNNING]):
        with closing(Runtime(node.path)) as runtime, closing(runtime.accept()) as connection:
            connection.establish(containers=containers)
    assert [node.next(), node.next()] == ["c1", "c1"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (struct.pack(">II", 1, 2**32 - 1), "more than the allowed"),
        (b"GET / HTTP/1.1\r\n\r\n", "more than the allowed"),
        (struct.pack(">IIIIBB", 2, 12, 2, 1, 2, 0) + b"\xff\xff", "not a valid protobuf"),
    ],
)
def test_a_runtime_that_makes_no_sense_is_left_and_tried_again(node, runtime, data, reason):
    with closing(runtime.accept()) as connection:
        connection.receive()
        connection.peer.sendall(data)
        with pytest.raises(EOFError):
            connection.receive()
    assert reason in node.log.find("no NRI at", 2)[-1]
    with closing(runtime.accept()) as connection:
        connection.establish(containers=[RUNNING])
        assert node.next() == "c1"


def test_a_runtime_that_refuses_plugins_is_quoted_in_one_line(node, runtime):
    with closing(runtime.accept()) as connection:
        connection.register(code=3)
        with pytest.raises(EOFError):
            connection.receive()
    (line,) = node.log.find("refused the plugin")
    assert r"no plugins here\n" in line
    assert "\n" not in line
    runtime.accept().close()


def test_too_many_containers_end_the_connection_not_the_daemon(node, runtime):
    part = pb.SynchronizeRequest(containers=[pb.Container(id="c")] * 40_000, more=True).SerializeToString()
    with closing(runtime.accept()) as connection:
        connection.register()
        connection.ask("Synchronize", part)
        with pytest.raises(EOFError):
            connection.ask("Synchronize", part)
    with closing(runtime.accept()) as connection:
        connection.establish(containers=[RUNNING])
        assert node.next() == "c1"


def test_without_descriptors_it_tries_again(tmp_path, caplog):
    loop = Loop()
    plugin = NriPlugin(loop, tmp_path / "nri.sock", register=lambda _told: None, removed=lambda _id: None)
    loop.call_later(0, loop.stop)
    try:
        with no_descriptors():
            loop.run()
        assert "Too many open files" in caplog.text
        with closing(Runtime(tmp_path / "nri.sock")) as runtime:
            loop.call_later(1.0, loop.stop)
            loop.run()
            with closing(runtime.accept()):
                pass
    finally:
        plugin.close()
        loop.close()


def test_a_fault_of_ours_at_a_removed_container_is_logged(tmp_path, caplog):
    loop = Loop()
    plugin = NriPlugin(loop, tmp_path / "nri.sock", register=lambda _told: None, removed=lambda _id: 1 / 0)
    plugin.event(pb.EVENT_REMOVE_CONTAINER, POD, RUNNING)
    assert "please report it" in caplog.text
    plugin.close()
    loop.close()
