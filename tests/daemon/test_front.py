# SPDX-License-Identifier: Apache-2.0
"""The front of traceloop.sock, with a socket in place of gRPC's: clients that pass, wait, or are refused."""

import os
import socket
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.service import front as fronts
from traceloop_daemon.service.front import Front, uid_of

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TIMEOUT_S = 30


class Door:
    """A Front, and the socket to which it passes clients."""

    def __init__(self, directory, sweep=lambda: None):
        self.path, self.directory, self.tally = directory / "front", directory, Tally()
        inner = directory / "inner"
        inner.mkdir(mode=0o700)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.settimeout(TIMEOUT_S)
        self.listener.bind(str(inner / "s"))
        self.listener.listen()
        self.front = Front(self.path, inner / "s", self.tally, sweep=sweep)

    def knock(self, said=b""):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(TIMEOUT_S)
        client.connect(str(self.path))
        with suppress(BrokenPipeError):  # refused already, but the reason can still be read
            client.sendall(said)
        return client

    def enter(self, said=PREFACE):
        client = self.knock(said)
        inner, peer = self.listener.accept()
        inner.settimeout(TIMEOUT_S)
        assert exactly(inner, len(PREFACE)) == PREFACE
        return client, inner, peer

    @property
    def refused(self):
        return self.tally.read()[0][Counted.CONNECTIONS_REFUSED]

    def close(self):
        self.listener.close()
        self.front.close()


def exactly(end, size):
    data = b""
    while len(data) < size and (part := end.recv(min(1 << 16, size - len(data)))):
        data += part
    return data


def rest(end):
    data = b""
    while part := end.recv(1 << 16):
        data += part
    return data


@pytest.fixture
def door():
    with tempfile.TemporaryDirectory(prefix="front-") as directory:
        door = Door(Path(directory))
        yield door
        door.close()
        assert [path.name for path in door.directory.iterdir()] == ["inner"]


def test_bytes_pass_both_ways_until_one_side_ends(door):
    client, inner, peer = door.enter()
    with client, inner:
        assert uid_of(f"unix:{peer}") == os.getuid()
        question, answer = os.urandom(100_000), os.urandom(3 << 20)
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)  # half-closed: the answer still arrives
        assert rest(inner) == question
        inner.settimeout(0)
        at, got = 0, b""
        while len(got) < len(answer):
            try:
                at += inner.send(answer[at : at + 65536])
            except BlockingIOError:
                got += client.recv(1 << 20)
            if at == len(answer):
                got += exactly(client, len(answer) - len(got))
        assert got == answer
        inner.close()
        assert client.recv(1) == b""


def test_the_last_words_of_a_server_that_ends_arrive(door):
    client, inner, _ = door.enter()
    with client:
        words = os.urandom(150_000)
        inner.sendall(words)
        inner.close()
        assert rest(client) == words


def test_a_client_that_goes_takes_its_connection_with_it(door):
    client, inner, _ = door.enter()
    with inner:
        client.close()
        assert inner.recv(1) == b""


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", PREFACE[:10] + b"x"])
def test_who_speaks_no_http2_is_turned_away(door, said):
    with door.knock(said) as client, suppress(ConnectionResetError):  # its last bytes were not read
        assert client.recv(1) == b""
    client, inner, _ = door.enter()  # the next client is served
    client.close()
    inner.close()


def test_a_preface_may_come_in_pieces(door):
    with door.knock() as client:
        for byte in PREFACE:
            client.sendall(bytes([byte]))
        inner, _ = door.listener.accept()
        with inner:
            assert inner.recv(100) == PREFACE


@pytest.mark.parametrize("said", [b"", PREFACE[:5]])
def test_the_silent_are_sent_away(monkeypatch, door, said):
    monkeypatch.setattr(fronts, "_PREFACE_MAX_S", 0.1)
    with door.knock(said) as client:
        assert client.recv(1) == b""


def test_who_stops_to_read_is_not_waited_for_and_ends(monkeypatch, door):
    monkeypatch.setattr(fronts, "_STALLED_MAX_S", 1.0)
    client, inner, _ = door.enter()
    with client, inner:
        inner.settimeout(0)
        sent, until_s = 0, time.monotonic() + TIMEOUT_S
        ended = False
        while not ended:
            assert time.monotonic() < until_s, sent
            try:
                sent += inner.send(bytes(1 << 16))
            except BlockingIOError:
                other, behind, _ = door.enter()  # others pass meanwhile
                other.close()
                behind.close()
            except (BrokenPipeError, ConnectionResetError):
                ended = True
        assert sent < 4 << 20  # the buffers of the sockets and of the front


def test_what_no_one_thought_of_ends_nothing(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(fronts, "_SWEEP_S", 0.01)
    times = iter([ValueError("what no one thought of"), OSError("no memory")])
    swept = threading.Event()

    def sweep():
        if (error := next(times, None)) is not None:
            raise error
        swept.set()

    with closing(Door(tmp_path, sweep)) as door:
        assert swept.wait(TIMEOUT_S)
        for end in door.enter()[:2]:
            end.close()
    assert "internal error in traceloopd: please report it" in caplog.text
    assert "could not be served as it should: no memory" in caplog.text


def test_a_descriptor_that_is_used_again_is_not_taken_for_the_one_before(tmp_path, monkeypatch):
    """Events wait for a connection that ends and for those that get its descriptors, in one batch."""
    monkeypatch.setattr(fronts, "_SWEEP_S", 0.01)
    reached, go_on = threading.Event(), threading.Event()
    held = iter([True])

    def sweep():
        if ready.is_set() and next(held, False):
            reached.set()
            assert go_on.wait(TIMEOUT_S)

    ready = threading.Event()
    with closing(Door(tmp_path, sweep)) as door:
        client, inner, _ = door.enter()
        ready.set()
        assert reached.wait(TIMEOUT_S)
        client.close()
        others = [door.knock(), door.knock()]
        inner.close()
        go_on.set()
        for other in others:
            other.sendall(PREFACE)
            end, _ = door.listener.accept()
            end.settimeout(TIMEOUT_S)
            assert exactly(end, len(PREFACE)) == PREFACE
            end.close()
            other.close()


def test_more_than_a_share_are_turned_away_with_a_reason(monkeypatch, caplog):
    monkeypatch.setattr(fronts, "_TOGETHER", 4)
    with tempfile.TemporaryDirectory(prefix="front-") as directory:
        door = Door(Path(directory))
        held = [door.enter() for _ in range(4)]
        for _ in range(3):
            with door.knock() as one:
                assert rest(one) == b"uid 0 has 4 connections already: end some, then try again\n"
        assert door.refused == 3
        assert [record.getMessage() for record in caplog.records] == [
            "uid 0: a connection to traceloop.sock was refused: uid 0 has 4 already"
        ]
        for end in held[0][:2]:
            end.close()
        until_s = time.monotonic() + TIMEOUT_S
        while True:  # until the front has noticed that one is gone
            refused = door.refused
            with door.knock(PREFACE) as client:
                client.settimeout(0.2)
                try:
                    assert client.recv(1), "neither taken nor refused"
                except TimeoutError:
                    break
            assert door.refused == refused + 1
            assert time.monotonic() < until_s
        for one in held[1:]:
            for end in one[:2]:
                end.close()
        door.close()
