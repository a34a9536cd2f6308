# SPDX-License-Identifier: Apache-2.0
"""The log: entries with fields in systemd's journal, or, without a journal, the same lines on stderr.

A log record gets its fields by ``extra``; ``fields`` makes the fields of a trace::

    _log.info("frozen %s", trace.id, extra=fields(TRACE_FROZEN, trace.view()))

``systemd/traceloop.catalog`` explains the ids below to users. Names from annotations are untrusted. So a message is one
line of printable ASCII, as is each line of a traceback, and a field is sent as bytes with their length
(systemd.journal-fields(7), "Journal Native Protocol"), so that no text in it can begin another field or entry.

systemd.journal.JournalHandler does not serve: it sends every attribute of a record as a field, and messages unchanged.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final

from traceloop_daemon.recording.trace import State, TraceView
from traceloop_decode.ending import EndKind, end_kind, how_ended
from traceloop_decode.names import full_name
from traceloop_decode.safe_text import printable, utf8
from traceloop_decode.trace_facts import TraceFacts

IDENTIFIER: Final = "traceloopd"
LEVELS: Final = ("debug", "info", "warning", "error")
RECORDING_STARTED: Final = "66ac31ccda27455ebf1a506a433f8f47"
RECORDING_PAUSED: Final = "414791e14b1f4c77a354a21ccfcfeb92"
RECORDING_RESUMED: Final = "e263539a2cf444c9bf38745b3366f0d9"
TRACE_FROZEN: Final = "a9c94cfb8f2f4f35803fcf88a53ae5e9"
TRACE_EXPLAINED: Final = "fafcc88cbb734a1ebecdca11c9f5e5ee"
TRACE_UNEXPLAINED: Final = "279c749419cc4472a292762230b34d17"
TRACE_LOST: Final = "74a61db61a254b7fa4c23fc926dadd49"
TRACE_DROPPED: Final = "0338eb6cb0e746fea6a802223b06267e"
CANNOT_KEEP: Final = "287961a911d247c18c4e88bc1677ef8a"
HOOK_REFUSED: Final = "7e59dbea684e46149d324ade05abf368"
CANNOT_START: Final = "0e2b5ff7a577462f8cb095bde9df61a4"

FIELDS: Final = (
    *("MESSAGE_ID", "TRACELOOP_ID", "CONTAINER_ID", "NAME", "CONTAINER", "POD", "NAMESPACE"),
    *("EXIT_CODE", "SIGNAL", "REASON", "EVENTS", "LOST"),
)
"""The keys of `extra` that are sent to the journal; others are left out."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_FIELD_MAX_BYTES: Final = 4096
_LINE_MAX: Final = 4096
_NOTICE: Final = 25  # between the standard library's INFO and WARNING
_PRIORITIES: Final = {  # syslog(3)
    logging.DEBUG: 7,
    logging.INFO: 6,
    _NOTICE: 5,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


_LEVELS_OF_ENDS: Final = {
    EndKind.UNKNOWN: logging.INFO,
    EndKind.WELL: logging.INFO,
    EndKind.STOPPED: _NOTICE,
    EndKind.FAILED: logging.ERROR,
}


def fields(message_id: str, trace: TraceView) -> dict[str, str]:
    """Returns the fields of an entry about a trace, without those that have no value.

    NAME: the fullest name by which traceloopctl knows the trace. SIGNAL: its number.
    """
    facts = trace.facts
    values = {
        "MESSAGE_ID": message_id,
        "TRACELOOP_ID": trace.id,
        "CONTAINER_ID": facts.container_id,
        "NAME": full_name(facts.namespace, facts.pod, facts.container),
        "CONTAINER": facts.container,
        "POD": facts.pod,
        "NAMESPACE": facts.namespace,
    }
    if trace.state is not State.RECORDING:
        values |= {"EVENTS": str(facts.events), "LOST": str(facts.lost)}
        values["REASON"] = trace.reason or how_ended(facts.exit_code, facts.signal, facts.memory_end)
        if facts.signal is not None:
            values["SIGNAL"] = str(facts.signal)
        elif facts.exit_code is not None:
            values["EXIT_CODE"] = str(facts.exit_code)
    return {name: value for name, value in values.items() if value}


def level_of_end(facts: TraceFacts, *, told: bool = False) -> int:
    """Returns the level of the entry about a container's end: an error if the container failed.

    told: another entry is the one that is an error, which comes once for each failure.
    """
    level = _LEVELS_OF_ENDS[end_kind(facts.exit_code, facts.signal)]
    return min(level, _NOTICE) if told else level


def begin(level: str = "info") -> None:
    """Sends the log of this process to the journal if stderr is connected to it, else to stderr.

    level: one of LEVELS, the lowest that our modules log; libraries never log below `info`.
    """
    handler: logging.Handler
    if _stderr_is_journal():
        handler = _JournalHandler()
        handler.setFormatter(_OneLine("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_OneLine(f"{IDENTIFIER}: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for ours in (IDENTIFIER, "traceloop_daemon"):
        logging.getLogger(ours).setLevel(level.upper())


def _stderr_is_journal() -> bool:
    # systemd.exec(5), $JOURNAL_STREAM: the device and inode of the stream that stdout or stderr is connected to.
    stream = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # stderr is closed
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        line = printable(super().formatMessage(record))
        return line if len(line) <= _LINE_MAX else line[:_LINE_MAX] + "..."

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


class _JournalHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from systemd import journal  # noqa: PLC0415 - exists only on systems with systemd

        try:
            journal.send(
                self.format(record),
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                PRIORITY=str(_PRIORITIES.get(record.levelno, 5)),
                SYSLOG_IDENTIFIER=IDENTIFIER,
                LOGGER=record.name,
                **_fields_of(record.__dict__),
            )
        except Exception:  # noqa: BLE001 - logging reports it on stderr; the code that logs must not fail
            self.handleError(record)


def _fields_of(record: Mapping[str, object]) -> dict[str, str | bytes]:
    values: dict[str, str | bytes] = {
        name: utf8(str(record[name]))[:_FIELD_MAX_BYTES] for name in FIELDS if name in record and name != "MESSAGE_ID"
    }
    return values | ({"MESSAGE_ID": str(record["MESSAGE_ID"])} if "MESSAGE_ID" in record else {})
