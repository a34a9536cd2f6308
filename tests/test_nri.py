# SPDX-License-Identifier: Apache-2.0
"""NRI without an engine: framing, names, and a plugin whose runtime comes, goes, and says what makes no sense."""

from __future__ import annotations

import logging
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nri_runtime import PLUGIN, SILENCE_MAX_S, Connection, Runtime

from traceloop_daemon.errors import NriError, RegistrationError
from traceloop_daemon.loop import Loop
from traceloop_daemon.nri import NriPlugin
from traceloop_daemon.nri_containers import of_container, of_sandbox
from traceloop_daemon.nri_session import Session
from traceloop_daemon.nri_wire import MESSAGE_MAX_BYTES, REQUEST, RESPONSE, RUNTIME, Message, Reader, encode
from traceloop_proto import nri_pb2 as pb

POD = pb.PodSandbox(id="p1", name="web", namespace="shop", uid="u-1", pid=70)
RUNNING = pb.Container(id="c1", pod_sandbox_id="p1", name="nginx", state=pb.CONTAINER_RUNNING, pid=71)

messages = st.builds(
    Message,
    st.sampled_from([PLUGIN, RUNTIME]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([REQUEST, RESPONSE, 3]),
    st.binary(max_size=300),
)


# -- framing


@given(st.lists(messages, max_size=5), st.integers(1, 40))
def test_messages_arrive_as_they_were_sent_whatever_the_pieces(sent, size):
    data = b"".join(map(encode, sent))
    reader = Reader()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [message for piece in pieces for message in reader.feed(piece)] == sent


@given(messages, messages, st.integers(1, 40))
def test_frames_of_two_connections_interleave_within_messages(one, other, size):
    one, other = (Message(at, m.stream, m.kind, m.payload) for at, m in ((PLUGIN, one), (RUNTIME, other)))
    streams = [encode(message)[8:] for message in (one, other)]
    data = b""
    for at in range(0, max(map(len, streams)), size):
        for connection, stream in zip((PLUGIN, RUNTIME), streams, strict=True):
            part = stream[at : at + size]
            data += struct.pack(">II", connection, len(part)) + part
    assert sorted(Reader().feed(data), key=lambda message: message.connection) == [one, other]


def test_a_frame_of_a_connection_that_no_one_opened_is_left_out():
    message = Message(PLUGIN, 1, REQUEST, b"x")
    assert Reader().feed(encode(Message(7, 1, REQUEST, b"y")) + encode(message)) == [message]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", PLUGIN, MESSAGE_MAX_BYTES + 11),
        struct.pack(">II", 9, 2**32 - 1),
        struct.pack(">II", PLUGIN, 10) + struct.pack(">IIBB", MESSAGE_MAX_BYTES + 1, 1, 1, 0),
    ],
)
def test_lengths_beyond_the_limits_are_refused_before_what_they_tell_of_comes(data):
    with pytest.raises(NriError, match="are allowed"):
        Reader().feed(data)


class Ignoring:
    def synchronize(self, runtime, *_) -> None:
        assert runtime.isprintable()

    def event(self, _, pod, container) -> None:
        with suppress(RegistrationError):
            of_sandbox(pod)
        with suppress(RegistrationError):
            of_container(pod, container)


# protobuf 4.21 takes what comes before a stray end of a group, and warns of it.
takes_half = pytest.mark.filterwarnings("ignore:Unexpected end-group tag:RuntimeWarning")
METHODS = ["Configure", "Synchronize", "StateChange", "StartContainer", "RunPodSandbox", "CreateContainer", "", "é"]


@takes_half
@given(st.lists(st.one_of(st.binary(max_size=200), messages.map(encode)), max_size=6))
def test_any_bytes_are_answered_or_refused(pieces):
    session = Session(Ignoring())
    session.begin()
    try:
        for piece in pieces:
            for answer in session.receive(piece):
                assert Reader().feed(answer)
    except NriError as error:
        assert "\n" not in str(error)


@takes_half
@given(st.sampled_from(METHODS), st.binary(max_size=200))
def test_every_request_is_answered_with_success_whatever_it_holds(method, payload):
    """Else the container would not be started."""
    request = pb.Request(method=method, payload=payload).SerializeToString()
    (answer,) = Session(Ignoring()).receive(encode(Message(PLUGIN, 5, REQUEST, request)))
    (message,) = Reader().feed(answer)
    assert (message.connection, message.stream, message.kind) == (PLUGIN, 5, RESPONSE)
    assert not pb.Response.FromString(message.payload).HasField("status")


# -- names


def test_names_come_from_the_pod_not_from_annotations():
    pod = pb.PodSandbox(id="p", name="web", namespace="shop", uid="u-1")
    pod.annotations["io.traceloop.record"] = "true"
    container = pb.Container(id="c", name="nginx", pid=7)
    container.labels["io.kubernetes.pod.name"] = "forged"
    container.annotations["io.kubernetes.cri.sandbox-name"] = "forged"
    container.annotations["io.kubernetes.container.restartCount"] = "4"
    told = of_container(pod, container)
    names = told.names
    assert (names.pod, names.namespace, names.pod_uid, names.container) == ("web", "shop", "u-1", "nginx")
    assert (names.restart_count, names.sandbox, told.pid) == (4, False, 7)
    assert told.annotations["io.traceloop.record"] == "true"


def test_labels_are_the_pods_and_the_containers():
    pod = pb.PodSandbox(
        id="p", name="web", pid=7, labels={"app": "shop", "tier": "front", "io.kubernetes.pod.uid": "u"}
    )
    container = pb.Container(id="c", name="nginx", pid=7, labels={"tier": "own"})
    assert of_container(pod, container).names.labels.pairs == (("app", "shop"), ("tier", "own"))
    assert of_sandbox(pod).names.labels.pairs == (("app", "shop"), ("tier", "front"))


def test_a_sandbox_is_told_from_its_pods_containers():
    told = of_sandbox(POD)
    assert (told.names.sandbox, told.names.pod, told.container_id, told.pid) == (True, "web", "p1", 70)


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (pb.Container(id="c"), "told no pid"),
        (pb.Container(pid=7), "the id ''"),
        (pb.Container(id="a\nb", pid=7), r"the id 'a\\nb'"),
        (pb.Container(id="é" * 500, pid=7), "the id"),
    ],
)
def test_what_cannot_be_registered_gets_one_line(container, reason):
    with pytest.raises(RegistrationError, match=reason) as error:
        of_container(POD, container)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_container_without_a_pod_is_called_by_its_name_or_id():
    assert of_container(pb.PodSandbox(), pb.Container(id="a" * 64, pid=1)).names.container == "a" * 12
    assert of_container(pb.PodSandbox(), pb.Container(id="c", name="n", pid=1)).names.container == "n"


# -- the plugin


class Log(logging.Handler):
    """The lines of the plugin, which can be awaited."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self._lines.append(record.getMessage())
            self._changed.notify_all()

    def find(self, word: str, count: int = 1) -> list[str]:
        """The lines with a word in them, once there are that many."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self._find(word)) >= count, SILENCE_MAX_S)
            assert there, self._lines
            return self._find(word)

    def _find(self, word: str) -> list[str]:
        return [line for line in self._lines if word in line]


@dataclass
class Node:
    """A plugin whose loop runs, and what it said. At first there is no runtime, and it has said so."""

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
    # In parts, as newer runtimes do; the pod in another part than its containers.
    first = pb.SynchronizeRequest(containers=[RUNNING], more=True)
    assert pb.SynchronizeResponse.FromString(connection.ask("Synchronize", first.SerializeToString())).more
    assert node.registered.empty()
    last = pb.SynchronizeRequest(pods=[POD], containers=others)
    assert not pb.SynchronizeResponse.FromString(connection.ask("Synchronize", last.SerializeToString())).more
    found = [node.registered.get_nowait() for _ in range(3)]
    assert [one.container_id for one in found] == ["p1", "c1", "c2"]
    assert found[1].names.trace_id("n") == "n_shop_web_nginx"
    assert node.registered.empty()


@pytest.mark.parametrize("method", ["StateChange", "StartContainer"])
def test_a_container_is_registered_before_its_start_is_answered(node, connection, method):
    connection.establish()
    as_request = pb.EventRequest(pod=POD, container=RUNNING).SerializeToString()
    connection.ask(method, event(6) if method == "StateChange" else as_request)
    assert node.registered.get_nowait().container_id == "c1"
    connection.ask(method, event(6) if method == "StateChange" else as_request)
    assert node.registered.empty(), "once"
    connection.ask("StateChange", event(11))
    assert node.removed.get_nowait() == "c1"


def test_pods_come_and_go(node, connection):
    connection.establish()
    connection.ask("StateChange", event(1, container=None))
    assert node.registered.get_nowait().names.sandbox
    connection.ask("StateChange", event(3, container=None))
    assert node.removed.get_nowait() == "p1"


def test_a_container_that_cannot_be_recorded_is_started_and_tried_again(node, connection):
    node.refuse = True
    connection.establish()
    connection.ask("StartContainer", pb.EventRequest(pod=POD, container=RUNNING).SerializeToString())
    connection.ask("StartContainer", pb.EventRequest(pod=POD, container=pb.Container(id="nopid")).SerializeToString())
    assert node.log.find("no ring for c1")
    assert node.log.find("told no pid")
    node.refuse = False
    connection.ask("StartContainer", pb.EventRequest(pod=POD, container=RUNNING).SerializeToString())
    assert node.registered.get_nowait().container_id == "c1"


def test_a_fault_of_ours_is_logged_and_costs_one_container_alone(node, connection):
    connection.establish()
    node.fault = True
    connection.ask("StateChange", event(6))
    assert node.log.find("met a fault of traceloopd's")
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
    """The runtime was not there, comes, is gone twice, comes: a line for each change."""
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
from traceloop_daemon.loop import Loop
from traceloop_daemon.nri import NriPlugin
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
    """With the mode that containerd gives its socket."""
    node.path.parent.chmod(0o755)
    node.path.chmod(0o755)
    words = [sys.executable, "-c", AS_NOBODY, node.path]
    ended = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stderr.count("no NRI at") == 1
    assert "docs/nri.md" in ended.stderr


def test_who_was_removed_meanwhile_is_forgotten(node):
    for containers in ([RUNNING], [], [RUNNING]):
        with closing(Runtime(node.path)) as runtime, closing(runtime.accept()) as connection:
            connection.establish(containers=containers)
    assert [node.next(), node.next()] == ["c1", "c1"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (struct.pack(">II", 1, 2**32 - 1), "are allowed"),
        (b"GET / HTTP/1.1\r\n\r\n", "are allowed"),
        (struct.pack(">IIIIBB", 2, 12, 2, 1, 2, 0) + b"\xff\xff", "no protobuf"),
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
    (line,) = node.log.find("does not register plugins")
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
