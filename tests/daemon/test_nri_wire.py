# SPDX-License-Identifier: Apache-2.0
"""NRI's frames and requests: messages in any pieces, and arbitrary bytes, are answered or refused."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st
from nri_runtime import PLUGIN

from traceloop_daemon.errors import NriError, RegistrationError
from traceloop_daemon.nri.containers import of_container, of_sandbox
from traceloop_daemon.nri.session import Session
from traceloop_daemon.nri.wire import MESSAGE_MAX_BYTES, REQUEST, RESPONSE, RUNTIME, Message, Reader, encode
from traceloop_proto import nri_pb2 as pb

messages = st.builds(
    Message,
    st.sampled_from([PLUGIN, RUNTIME]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([REQUEST, RESPONSE, 3]),
    st.binary(max_size=300),
)


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
    with pytest.raises(NriError, match="more than the allowed"):
        Reader().feed(data)


class Ignoring:
    def synchronize(self, runtime, *_) -> None:
        assert runtime.isprintable()

    def event(self, _, pod, container) -> None:
        with suppress(RegistrationError):
            of_sandbox(pod)
        with suppress(RegistrationError):
            of_container(pod, container)


# protobuf 4.21 accepts the part before a stray end of a group, with a warning.
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
    """The answer is always a success; otherwise the runtime would not start the container."""
    request = pb.Request(method=method, payload=payload).SerializeToString()
    (answer,) = Session(Ignoring()).receive(encode(Message(PLUGIN, 5, REQUEST, request)))
    (message,) = Reader().feed(answer)
    assert (message.connection, message.stream, message.kind) == (PLUGIN, 5, RESPONSE)
    assert not pb.Response.FromString(message.payload).HasField("status")
