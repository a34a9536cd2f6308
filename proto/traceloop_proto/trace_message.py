# SPDX-License-Identifier: Apache-2.0
"""The facts of a trace as the message Trace of traceloop.proto: one way for the daemon and for files read without it.

Fields of the same name are copied. Those that the message spells in another way stand in `trace_message`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from traceloop_decode.trace_facts import NAMES, TraceFacts
from traceloop_proto import traceloop_pb2 as pb

_CAPTURE: Final = "CAPTURE_"
_CAPTURES: Final = {
    name.removeprefix(_CAPTURE).lower().replace("_", "-"): name
    for name, number in pb.Capture.items()
    if number != pb.CAPTURE_UNSPECIFIED
}
"""The message's names of policies by their words in TraceFacts.capture."""
_WORDS: Final = {pb.Capture.Value(name): word for word, name in _CAPTURES.items()}
_SAME: Final = tuple(name for name in NAMES if name in pb.Trace.DESCRIPTOR.fields_by_name and name != "capture")
_same_of: Final = attrgetter(*_SAME)


def trace_message(facts: TraceFacts, *, state: pb.State, size_bytes: int) -> pb.Trace:
    """Returns a trace's message. state: of pb.State. size_bytes: the memory or disk that the trace occupies.

    Raises UnicodeEncodeError for text with half a surrogate pair.
    """
    return pb.Trace(
        id=facts.trace_id,
        state=state,
        size_bytes=size_bytes,
        lost=facts.lost,
        exit_code=facts.exit_code,
        signal=facts.signal,
        capture=_CAPTURES.get(facts.capture),
        **dict(zip(_SAME, _same_of(facts), strict=True)),
    )


def capture_word(number: int) -> str | None:
    """Returns the word of a capture policy; None where it is not known; for a newer daemon's policy its number."""
    if number == pb.CAPTURE_UNSPECIFIED:
        return None
    return _WORDS.get(number, str(number))
