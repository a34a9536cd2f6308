# SPDX-License-Identifier: Apache-2.0
"""The reason of a trace: one line on why its container ended, and how the process that finds it passes it on.

Theory of operation: the daemon, which decodes nothing, sends an archive file's descriptor over a SOCK_SEQPACKET socket
with the message REQUEST. One message answers it: a byte, and a text::

    =TEXT   the reason; empty if there is nothing to explain
    !TEXT   why there is none

TEXT is printable ASCII of at most TEXT_MAX bytes. The answering process reads what traced programs wrote, so `answered`
takes nothing else from it.
"""

from __future__ import annotations

from typing import Final

from traceloop_decode.model import DecodeError
from traceloop_decode.safe_text import printable

REQUEST: Final = b"explain 1"
TEXT_MAX: Final = 400
ANSWER_MAX: Final = TEXT_MAX + 1
_FOUND: Final = b"="
_FAILED: Final = b"!"
_CUT: Final = "..."


class NotExplained(Exception):
    """The other process found no reason; the message is its own."""


def reason_answer(reason: str) -> bytes:
    """Returns the answer with a reason, cut to TEXT_MAX."""
    return _FOUND + _bounded(reason)


def failure_answer(why: str) -> bytes:
    """Returns the answer that there is no reason, cut to TEXT_MAX."""
    return _FAILED + _bounded(why)


def answered(answer: bytes) -> str:
    """Returns the reason in an answer. Raises NotExplained, and DecodeError for anything that is no answer."""
    kind, text = answer[:1], checked(answer[1:])
    if kind == _FOUND:
        return text
    if kind == _FAILED:
        raise NotExplained(text or "no reason given")
    raise DecodeError("not an answer about a trace's reason")


def checked(text: bytes) -> str:
    """Returns the text of a reason. Raises DecodeError if it is longer than TEXT_MAX, or not printable ASCII."""
    if len(text) > TEXT_MAX:
        raise DecodeError(f"a reason of {len(text)} bytes")
    shown = text.decode("latin-1")
    if printable(shown) != shown:
        raise DecodeError("a reason that is not printable ASCII")
    return shown


def _bounded(text: str) -> bytes:
    line = printable(text)
    return (line if len(line) <= TEXT_MAX else line[: TEXT_MAX - len(_CUT)] + _CUT).encode("ascii")
