# SPDX-License-Identifier: Apache-2.0
"""Records of an area stand alone: each gives a whole call, in whatever form it was kept."""

from __future__ import annotations

from struct import pack

import pytest
from ringwriter import RingWriter

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.model import Call

SIX = (1, 2, 3, 4, 5, 6)


def kept(type_: int, nr: int, body: bytes) -> list[Call]:
    ring = RingWriter(firsts_size=1 << 13)
    ring.keep(0, 7, type_, nr | len(SIX) << layout.NR_ARGS_SHIFT, body)
    found = list(events(ring.snapshot()))
    assert all(isinstance(event, Call) for event in found)
    return [event for event in found if isinstance(event, Call)]


@pytest.mark.parametrize(("number", "short"), [(9, 9), (99_999, layout.NR_WIDE)])
def test_a_return_of_its_own_has_number_result_and_registers(number: int, short: int) -> None:
    wide = pack("<q", number) if short == layout.NR_WIDE else b""
    (call,) = kept(layout.TYPE_RETURN, short, wide + pack("<q6Q", -38, *SIX))
    assert (call.number, call.result, call.registers, call.source) == (number, -38, SIX, "firsts")


def test_a_call_that_was_completed_in_place() -> None:
    (call,) = kept(layout.TYPE_CALL, 9, layout.ROOM.pack(50, -2) + pack("<6Q", *SIX))
    assert (call.number, call.result, call.registers) == (9, -2, SIX)
