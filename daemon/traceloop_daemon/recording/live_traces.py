# SPDX-License-Identifier: Apache-2.0
"""What a daemon that follows one that died must know of each trace that is being recorded: a file each.

They lie in ``<runtime-dir>/live``, in memory, and are gone when the node reboots, as the rings are. A file appears
whole, before the hook gets its answer, and goes when the trace is archived or closed. Which ring is the trace's is
proven by the ring's cookie.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from traceloop_bpf.tracer import Recording
from traceloop_daemon.naming.labels import NO_LABELS, Labels
from traceloop_daemon.naming.names import Names
from traceloop_daemon.recording.registry import Trace
from traceloop_decode.model import DecodeError
from traceloop_decode.open_files import OpenFiles

_SUFFIX: Final = ".json"
_TEMPORARY: Final = ".new"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveTrace:
    """A trace whose ring is in use. recorder, slot, cookie: where the ring is. init_pid: 0 without a first process.
    withheld: classes of memory that are kept out of the ring, as tl_ring.withheld.

    started_ns: CLOCK_REALTIME. recording_ns: the same moment by CLOCK_BOOTTIME.
    """

    id: str
    names: Names
    container_id: str
    cgroup: str
    init_pid: int
    started_ns: int
    recording_ns: int
    recorder: int
    slot: int
    cookie: int
    withheld: int = 0
    open_files: OpenFiles | None = None

    @classmethod
    def of(cls, trace: Trace, recording: Recording) -> LiveTrace:
        """Of a trace whose recording has begun."""
        return cls(
            id=trace.id,
            names=trace.names,
            container_id=trace.container_id,
            cgroup=trace.cgroup,
            init_pid=trace.init_pid,
            started_ns=trace.started_ns,
            recording_ns=recording.started_ns,
            recorder=recording.tracer.number,
            slot=recording.slot.number,
            cookie=recording.ring.cookie,
            withheld=trace.withheld or 0,
            open_files=trace.open_files,
        )


class LiveTraces:
    """The directory of live traces. Its owner serialises the access."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError where it cannot be made."""
        directory.mkdir(mode=0o700, exist_ok=True)
        self._directory = directory

    def close(self) -> None:
        """Removes the directory if no trace is left in it."""
        with suppress(OSError):  # of a directory with traces in it
            self._directory.rmdir()

    def put(self, trace: LiveTrace) -> None:
        """Writes a trace's file. Raises OSError."""
        path = self._path(trace.recorder, trace.slot)
        temporary = path.with_suffix(_TEMPORARY)
        # Not synced: it need not outlive the kernel.
        temporary.write_bytes(json.dumps(trace, default=_fields).encode())
        temporary.replace(path)

    def delete(self, recorder: int, slot: int) -> None:
        """Removes the file of the trace whose ring is in this slot. Raises OSError."""
        self._path(recorder, slot).unlink(missing_ok=True)

    def read(self) -> Iterator[LiveTrace]:
        """All of them. What cannot be read is removed, and the log says so."""
        for path in sorted(self._directory.iterdir()):
            try:
                if path.suffix == _SUFFIX:
                    yield _trace(json.loads(path.read_bytes()))
                    continue
            except (OSError, ValueError, TypeError, KeyError, AttributeError, DecodeError) as error:
                _log.error("%s, of a trace that was being recorded, is no use: %r", path, error)
            path.unlink(missing_ok=True)

    def _path(self, recorder: int, slot: int) -> Path:
        return self._directory / f"{recorder}-{slot}{_SUFFIX}"


def _fields(value: OpenFiles | LiveTrace | Names | Labels) -> dict[str, Any]:
    if isinstance(value, OpenFiles):
        return value.fields()
    return {name: getattr(value, name) for name in value.__slots__}  # `asdict` copies all: a hook waits meanwhile


def _trace(fields: dict[str, Any]) -> LiveTrace:
    open_files = fields.pop("open_files")
    names = fields["names"]
    labels = Labels.of_fields(**names.pop("labels")) if "labels" in names else NO_LABELS
    return LiveTrace(
        **(fields | {"names": Names(**names, labels=labels)}),
        open_files=OpenFiles.of_fields(open_files) if open_files else None,
    )
