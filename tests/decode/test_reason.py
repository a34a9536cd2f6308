# SPDX-License-Identifier: Apache-2.0
"""The answer of the process that finds reasons: whatever it sends, one bounded line of printable text is taken from it."""

from __future__ import annotations

import pytest

from traceloop_decode.model import DecodeError
from traceloop_decode.reason import ANSWER_MAX, TEXT_MAX, NotExplained, answered, failure_answer, reason_answer


@pytest.mark.parametrize(
    ("reason", "taken"),
    [
        ("", ""),
        ("cat could not open /etc/x: it does not exist.", "cat could not open /etc/x: it does not exist."),
        ("a\nb\x1b[2J\N{SNOWMAN}", r"a\nb\33[2J\342\230\203"),
        ("x" * TEXT_MAX, "x" * TEXT_MAX),
        ("x" * (TEXT_MAX + 1), "x" * (TEXT_MAX - 3) + "..."),
        ("\N{SNOWMAN}" * TEXT_MAX, (r"\342\230\203" * TEXT_MAX)[: TEXT_MAX - 3] + "..."),
    ],
)
def test_a_reason_arrives_as_one_printable_line(reason: str, taken: str) -> None:
    answer = reason_answer(reason)
    assert answered(answer) == taken
    assert len(answer) <= ANSWER_MAX


def test_a_failure_arrives_as_one() -> None:
    with pytest.raises(NotExplained, match=r"^damaged: \\33$"):
        answered(failure_answer("damaged: \x1b"))
    with pytest.raises(NotExplained):
        answered(failure_answer(""))


@pytest.mark.parametrize(
    "answer",
    [b"", b"reason", b"=a\nb", b"=\x1b[2J", b"=\xe2\x98\x83", b"=\0", b"!\n", b"=" + b"x" * (TEXT_MAX + 1), b"\0"],
)
def test_anything_else_is_refused(answer: bytes) -> None:
    with pytest.raises(DecodeError):
        answered(answer)
