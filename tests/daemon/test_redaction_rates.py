# SPDX-License-Identifier: Apache-2.0
"""The default patterns keep error lines and remove secrets, at rates that may only rise."""

from __future__ import annotations

import pytest
from redaction_corpus import ERRORS, HELD_OUT, secrets

from traceloop_daemon.privacy.redaction import Redactor

DEFAULT = Redactor()
KEPT_FLOOR, HELD_OUT_FLOOR, GONE_FLOOR = 110, 45, 84
"""Minimum numbers of error lines that stay whole, the same of the lines held out, and of lines whose secret is gone."""


def _gone(line: bytes, left: bytes) -> bool:
    # Nothing of the secret may stay; more than it may go.
    shown = DEFAULT.blotted(line)
    return all(new == ord("*") for new, wanted in zip(shown, left, strict=True) if wanted == ord("*") != new)


def _rate(what: str, count: int, total: int) -> str:
    return f"{what}: {count} of {total} lines, {100 * count / total:.1f} %"


@pytest.mark.parametrize(
    ("what", "lines", "floor"),
    [
        ("error lines that stay whole", ERRORS, KEPT_FLOOR),
        ("such lines that no word was chosen for", HELD_OUT, HELD_OUT_FLOOR),
    ],
)
def test_causes_stay(capsys: pytest.CaptureFixture[str], what: str, lines: list[str], floor: int) -> None:
    lost = [(line, shown) for line in lines if (shown := DEFAULT.blotted(line.encode()).decode()) != line]
    with capsys.disabled():
        print("\n" + _rate(what, len(lines) - len(lost), len(lines)))
        print("".join(f"  {shown}\n" for _, shown in lost), end="")
    assert len(lines) - len(lost) >= floor, lost


def test_secrets_go(capsys: pytest.CaptureFixture[str]) -> None:
    lines = secrets()
    left = [(DEFAULT.blotted(line).decode(), wanted.decode()) for line, wanted in lines if not _gone(line, wanted)]
    with capsys.disabled():
        print("\n" + _rate("lines whose secret is gone", len(lines) - len(left), len(lines)))
        print("".join(f"  {shown!r}, not {wanted!r}\n" for shown, wanted in left), end="")
    assert len(lines) - len(left) >= GONE_FLOOR, left
