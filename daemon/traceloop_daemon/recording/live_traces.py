# SPDX-License-Identifier: Apache-2.0
"""The files of live traces, from which the next daemon resumes their recordings.

The files lie in ``<runtime-dir>/live``, in memory, and are lost when the node reboots, as the rings are. A file appears
whole, before the hook gets its answer, and is removed when the trace is archived or closed. The ring's cookie proves
which ring is the trace's.

A file is a JSON object: the fields of LiveTrace, in which ``facts`` is an object of the fields of TraceFacts. Facts
that a daemon does not know are ignored. Older daemons wrote ``id``, ``names``, ``container_id``, ``cgroup`` and
``started_ns`` instead of ``facts``; their files are read too.
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
from traceloop_daemon.recording.trace import Trace, capture_word, name_facts
from traceloop_daemon.system.whole_file import write_whole
from traceloop_decode.model import DecodeError
from traceloop_decode.open_files import OpenFiles
from traceloop_decode.trace_facts import TraceFacts

_SUFFIX: Final = ".json"
_TEMPORARY: Final = ".new"
_FACTS: Final = "facts"
_MODE: Final = 0o600
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveTrace:
    """A trace whose ring is in use. recorder, slot, cookie: where the ring is. init_pid: 0 without a first process.
    withheld: classes of memory that are kept out of the ring, as in tl_ring.withheld.

    recording_ns: the moment of facts.started_ns, by CLOCK_BOOTTIME.
    """

    facts: TraceFacts
    init_pid: int
    recording_ns: int
    recorder: int
    slot: int
    cookie: int
    withheld: int = 0
    open_files: OpenFiles | None = None

    @property
    def id(self) -> str:
        """The trace's id."""
        return self.facts.trace_id

    @classmethod
    def of(cls, trace: Trace, recording: Recording) -> LiveTrace:
        """Makes the live trace of a trace whose recording has begun."""
        return cls(
            facts=trace.facts,
            init_pid=trace.init_pid,
            recording_ns=recording.started_ns,
            recorder=recording.tracer.number,
            slot=recording.slot.number,
            cookie=recording.ring.cookie,
            withheld=trace.withheld,
            open_files=trace.open_files,
        )


class LiveTraces:
    """The directory of live traces' files. Not thread-safe."""

    def __init__(self, directory: Path) -> None:
        """Makes the directory if need be. Raises OSError."""
        directory.mkdir(mode=0o700, exist_ok=True)
        self._directory = directory

    def close(self) -> None:
        """Removes the directory if no trace is left in it."""
        with suppress(OSError):  # it is not empty
            self._directory.rmdir()

    def put(self, trace: LiveTrace) -> None:
        """Writes a trace's file. Raises OSError."""
        path = self._path(trace.recorder, trace.slot)
        content = json.dumps(trace, default=_fields).encode()
        write_whole(path, content, _MODE, path.with_suffix(_TEMPORARY))  # not synced: it need not outlive the kernel

    def delete(self, recorder: int, slot: int) -> None:
        """Removes the file of the trace whose ring is in this slot. Raises OSError."""
        self._path(recorder, slot).unlink(missing_ok=True)

    def read(self) -> Iterator[LiveTrace]:
        """Reads all files. Removes those that cannot be read, and logs each."""
        for path in sorted(self._directory.iterdir()):
            try:
                if path.suffix == _SUFFIX:
                    yield _trace(json.loads(path.read_bytes()))
                    continue
            except (OSError, ValueError, TypeError, KeyError, AttributeError, DecodeError) as error:
                _log.error("removed the live trace's file %s, and its recording is not resumed: %r", path, error)
            path.unlink(missing_ok=True)

    def _path(self, recorder: int, slot: int) -> Path:
        return self._directory / f"{recorder}-{slot}{_SUFFIX}"


def _fields(value: OpenFiles | LiveTrace | TraceFacts) -> dict[str, Any]:
    if isinstance(value, OpenFiles):
        return value.fields()
    return {name: getattr(value, name) for name in value.__slots__}  # `asdict` copies everything, while a hook waits


def _trace(fields: dict[str, Any]) -> LiveTrace:
    open_files = fields.pop("open_files")
    facts = TraceFacts.of(fields.pop(_FACTS)) if _FACTS in fields else _former_facts(fields)
    return LiveTrace(facts, **fields, open_files=OpenFiles.of_fields(open_files) if open_files else None)


def _former_facts(fields: dict[str, Any]) -> TraceFacts:
    # Moves the fields of an older daemon's file that are facts now out of `fields`.
    names = fields.pop("names")
    labels = Labels.of_fields(**names.pop("labels")) if "labels" in names else NO_LABELS
    own = {name: fields.pop(name) for name in ("container_id", "cgroup", "started_ns")}
    capture = capture_word(fields.get("withheld", 0))
    return TraceFacts(fields.pop("id"), **own, **name_facts(Names(**names, labels=labels)), capture=capture)
