# SPDX-License-Identifier: Apache-2.0
"""The log: to systemd's journal with fields to search by, or where there is none, as the same lines to stderr.

A record gets its fields by ``extra``, and ``fields`` makes those of a trace::

    _log.info("frozen %s", trace.id, extra=fields(TRACE_FROZEN, trace))

The ids below are explained to users in ``systemd/traceloop.catalog``. Names that annotations bring are untrusted: a
message stays one line of printable ASCII, as does each of a traceback's, and a field goes as bytes with their length
(systemd.journal-fields(7), "Journal Native Protocol"), so that nothing in it begins another field or entry.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final

from traceloop_daemon.recording.registry import State, Trace
from traceloop_decode.safe_text import printable

IDENTIFIER: Final = "traceloopd"
LEVELS: Final = ("debug", "info", "warning", "error")
RECORDING_STARTED: Final = "66ac31ccda27455ebf1a506a433f8f47"
RECORDING_PAUSED: Final = "414791e14b1f4c77a354a21ccfcfeb92"
RECORDING_RESUMED: Final = "e263539a2cf444c9bf38745b3366f0d9"
TRACE_FROZEN: Final = "a9c94cfb8f2f4f35803fcf88a53ae5e9"
TRACE_LOST: Final = "74a61db61a254b7fa4c23fc926dadd49"
TRACE_DROPPED: Final = "0338eb6cb0e746fea6a802223b06267e"
CANNOT_KEEP: Final = "287961a911d247c18c4e88bc1677ef8a"
HOOK_REFUSED: Final = "7e59dbea684e46149d324ade05abf368"
CANNOT_START: Final = "0e2b5ff7a577462f8cb095bde9df61a4"

FIELDS: Final = (
    *("MESSAGE_ID", "TRACELOOP_ID", "CONTAINER_ID", "POD", "NAMESPACE"),
    *("EXIT_CODE", "SIGNAL", "EVENTS", "LOST"),
)
"""What `extra` may hold; of anything else in it the journal gets nothing."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_FIELD_MAX_BYTES: Final = 4096
_LINE_MAX: Final = 4096
_PRIORITIES: Final = {  # syslog(3)
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


def fields(message_id: str, trace: Trace) -> dict[str, str]:
    """The fields of an entry about a trace, without those that have no value. SIGNAL: its number."""
    values = {
        "MESSAGE_ID": message_id,
        "TRACELOOP_ID": trace.id,
        "CONTAINER_ID": trace.container_id,
        "POD": trace.names.pod,
        "NAMESPACE": trace.names.namespace,
    }
    if trace.state is not State.RECORDING:
        values |= {"EVENTS": str(trace.count.events), "LOST": str(trace.count.lost_events)}
        if trace.status is not None and trace.status & 0x7F:
            values["SIGNAL"] = str(trace.status & 0x7F)
        elif trace.status is not None:
            values["EXIT_CODE"] = str(trace.status >> 8 & 0xFF)
    return {name: value for name, value in values.items() if value}


def begin(level: str = "info") -> None:
    """Sends all that this process logs from now on to the journal if stderr goes there, else to stderr.

    level: of LEVELS, the least that is logged of ours; libraries never log below `info`.
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
    except (AttributeError, OSError, ValueError):  # it is closed
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
        from systemd import journal  # noqa: PLC0415 - it is there under systemd alone

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
        except Exception:  # noqa: BLE001 - logging reports it on stderr; what is logged must not fail for it
            self.handleError(record)


def _fields_of(record: Mapping[str, object]) -> dict[str, str | bytes]:
    values: dict[str, str | bytes] = {
        name: str(record[name]).encode(errors="backslashreplace")[:_FIELD_MAX_BYTES]
        for name in FIELDS
        if name in record and name != "MESSAGE_ID"
    }
    return values | ({"MESSAGE_ID": str(record["MESSAGE_ID"])} if "MESSAGE_ID" in record else {})
