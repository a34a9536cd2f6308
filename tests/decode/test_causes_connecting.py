# SPDX-License-Identifier: Apache-2.0
"""Connects that fail after their call: told by SO_ERROR of the same socket, and of no other with its number."""

from __future__ import annotations

from struct import pack

from fdtrace import EINPROGRESS, Trace

from traceloop_decode.causes.failures import Failures
from traceloop_decode.model import Call, Item

ECONNRESET = 104
PEER = pack("<H", 2) + pack(">H", 5432) + bytes((10, 0, 0, 5)) + bytes(8)


def connecting() -> tuple[Trace, Failures]:
    trace, failures = Trace(sockets=True), Failures()
    trace.call("socket", 2, 1, 0, result=5)
    begun = trace.table.observe(trace.made("connect", 5, PEER, 16, result=EINPROGRESS))
    assert isinstance(begun, Call)
    failures.fail(begun)
    return trace, failures


def reset(trace: Trace, failures: Failures) -> list[str]:
    """Observes SO_ERROR of descriptor 5; returns the errors of all failures."""
    told = Item(0, 2, pack("<i", ECONNRESET), 4, more=False, fault=False, out=True)
    option = trace.table.observe(trace.made("getsockopt", 5, 1, 4, 16, 16)._replace(items={3: (told,)}))
    assert isinstance(option, Call)
    failures.option(option)
    return [one.error for one in failures]


def test_a_connect_that_fails_later() -> None:
    assert reset(*connecting()) == ["ECONNRESET"]


def test_a_connection_that_breaks_was_made() -> None:
    trace, failures = connecting()
    trace.call("connect", 5, PEER, 16)
    assert reset(trace, failures) == []


def test_another_socket_with_the_number_of_the_first() -> None:
    trace, failures = connecting()
    trace.call("close", 5)
    trace.call("accept", 3, PEER, 0, result=5)
    assert reset(trace, failures) == []
