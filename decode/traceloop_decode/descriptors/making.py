# SPDX-License-Identifier: Apache-2.0
"""Facts that calls which make descriptors have in common."""

from __future__ import annotations

from typing import Final

from traceloop_decode.descriptors.names import Known
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.tables import Task
from traceloop_decode.descriptors.world import World
from traceloop_decode.model import Call

_INT: Final = 0xFFFFFFFF


def new_file(world: World, task: Task, call: Call, known: Known | None, *, closed_by_exec: bool) -> None:
    """Notes the descriptor that a call made: of an open file that no other descriptor stands for."""
    opened = Opened(known, world.names) if known is not None else None
    task.table.put(result_of(call), opened, closed_by_exec=closed_by_exec)


def data_of(call: Call, index: int, *, out: bool | None = None) -> bytes | None:
    """Returns what was read whole through an argument: at exit only if it is output, as memory may have changed."""
    again = index in call.read_at_exit
    for item in call.items.get(index, ()):
        if not item.more and not item.fault and (out is None or item.out is out) and (item.out or not again):
            return item.data
    return None


def result_of(call: Call) -> int:
    """Returns the descriptor that is a call's result."""
    return (call.result or 0) & _INT
