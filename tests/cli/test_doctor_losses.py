# SPDX-License-Identifier: Apache-2.0
"""Losses that the daemon has counted, as the doctor tells them."""

from __future__ import annotations

import pytest

from traceloop_cli.checks import losses
from traceloop_cli.findings import Level
from traceloop_proto.traceloop_pb2 import StatsReply

FIELDS = (
    *("births_untold", "births_late", "traces_lost", "cgroups_left_out", "forgotten", "recorders_replaced"),
    *("in_call_forgotten", "runtimes_forgotten", "entries_untold"),
)


def test_nothing_is_lost() -> None:
    (found,) = losses.counted(StatsReply(overwritten=7, dropped=3, io_urings=1))
    assert (found.level, found.what) == (Level.OK, "nothing is missing except what each trace says of itself")


@pytest.mark.parametrize("field", FIELDS)
def test_each_loss_is_said_with_its_number_and_a_remedy(field: str) -> None:
    (found,) = losses.counted(StatsReply(**{field: 1007}))
    assert found.level is Level.WARNING
    assert found.what.startswith("1,007 ")
    assert found.why
    assert found.remedy


def test_all_of_them() -> None:
    assert len(list(losses.counted(StatsReply(**dict.fromkeys(FIELDS, 1))))) == len(losses._LOSSES) == len(FIELDS)
