# SPDX-License-Identifier: Apache-2.0
"""Files that a container opened, created, removed, missed, read and wrote (``traceloopctl files``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from traceloop_decode.model import Call, Event
from traceloop_decode.selection.fields import file_text
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.views.moved import error_name, known_file, moved
from traceloop_decode.views.named import Effect, named
from traceloop_decode.views.table import Column, Table, Unit, limited, whole

_COLUMNS: Final = (
    Column("opened", "OPENED", Unit.COUNT),
    Column("created", "CREATED", Unit.COUNT),
    Column("removed", "REMOVED", Unit.COUNT),
    Column("missing", "MISSING", Unit.COUNT),
    Column("errors", "ERRORS"),
    Column("read_bytes", "READ", Unit.BYTES),
    Column("written_bytes", "WRITTEN", Unit.BYTES),
    Column("path", "PATH"),
)
_MISSING: Final = frozenset(("ENOENT", "ENOTDIR"))


@dataclass(slots=True)
class _File:
    opened: int = 0
    created: int = 0
    removed: int = 0
    missing: int = 0
    read: int = 0
    written: int = 0
    errors: list[str] = field(default_factory=list)


def files(events: Iterable[Event], _snapshot: Snapshot) -> Table:
    """Returns a row per path, in the order in which they were first used; none for one that was only looked at.

    events: whole calls, with files of descriptors. Created is what was opened with O_CREAT, which may have existed.
    Missing counts ENOENT and ENOTDIR. Pipes, sockets and other files without a path are left out.
    """
    found: dict[str, _File] = {}
    for event in whole(events):
        if isinstance(event, Call) and event.result is not None:
            _name(event, found)
            _move(event, found)
    rows = tuple(
        (file.opened, file.created, file.removed, file.missing, limited(file.errors), file.read, file.written, path)
        for path, file in found.items()
    )
    return Table(_COLUMNS, rows)


def _name(call: Call, found: dict[str, _File]) -> None:
    error = error_name(call)
    for path, effect in named(call, failed=error != ""):
        if error:
            file = found.setdefault(path, _File())
            if error in _MISSING:
                file.missing += 1
            else:
                file.errors.append(error)
        elif effect is not Effect.LOOKED_AT:
            made = call.files.result if call.files is not None else None
            text = file_text(made) if made is not None else ""
            file = found.setdefault(text if text.startswith("/") else path, _File())
            file.opened += effect is Effect.OPENED
            file.created += effect is Effect.CREATED
            file.removed += effect is Effect.REMOVED


def _move(call: Call, found: dict[str, _File]) -> None:
    for fd, read, written in moved(call):
        known = known_file(call, fd)
        text = file_text(known) if known is not None and known.socket is None else ""
        if text.startswith("/"):
            file = found.setdefault(text, _File())
            file.read, file.written = file.read + read, file.written + written
