# SPDX-License-Identifier: Apache-2.0
"""Facts that calls which make descriptors have in common."""

from __future__ import annotations

from typing import Final

from traceloop_decode.descriptors.names import Known
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.paths import Place, join
from traceloop_decode.descriptors.tables import Begun, Task
from traceloop_decode.descriptors.world import World
from traceloop_decode.model import Call

_INT: Final = 0xFFFFFFFF
_AT_FDCWD: Final = -100


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


def unchanged(task: Task, begun: Begun, fd: int) -> Opened | None:
    """Returns the file that a descriptor stood for when the call began, if it still does."""
    found = task.table.get(fd)
    if found is None or found is not begun.fds.opened(fd):
        return None
    return found if found.now is not None and found.now is begun.fds.get(fd) else None


def place_of(opened: Opened | None) -> Place | None:
    """Returns the place of an open file; None if it is not known, or the file is deleted."""
    known = opened.now if opened is not None else None
    return known.place if known is not None and not known.deleted else None


def place_in(task: Task, call: Call, begun: Begun, dirfd_at: int | None, path_at: int) -> Place | None:
    """Returns the place that a call's path leads to. dirfd_at: the argument with the directory; None: the current."""
    path = data_of(call, path_at)
    if path is None:
        return None
    base = task.at.cwd if begun.place == task.at.cwd else None
    if dirfd_at is not None:
        dirfd = call.registers[dirfd_at] & _INT
        if dirfd != _AT_FDCWD & _INT:
            base = place_of(unchanged(task, begun, dirfd))
    return join(base, task.at.root, path)
