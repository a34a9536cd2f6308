# SPDX-License-Identifier: Apache-2.0
"""The form of a rule about failed calls.

``say`` is a sentence with the fields of `sentences.sentence`, such as ``{who}`` the program, ``{path}``, ``{peer}``
with its name if known, ``{call}``, ``{error}`` as strerror(3) words it, ``{subject}`` the path, the peer or the call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.story import Story

Fits = Callable[[Failure, Story], bool]


def always(_failure: Failure, _story: Story) -> bool:
    """Fits any failure."""
    return True


class Rule(NamedTuple):
    """Fits failures of these calls with these errors (None: any), if `fits` agrees.

    weight: from 0 to 100, how much such a failure explains by itself. by_name: failures with the same last name in
    different directories are one, and none if the name was found in another.
    """

    kind: str
    calls: frozenset[str] | None
    errors: frozenset[str] | None
    weight: int
    say: str
    fits: Fits = always
    by_name: bool = False


def words(text: str) -> frozenset[str]:
    """Returns the words of a text."""
    return frozenset(text.split())


def path_like(pattern: str) -> Fits:
    """Makes a `fits` for failures on paths that contain a regular expression, in any case."""
    found = re.compile(pattern, re.IGNORECASE)
    return lambda failure, _story: found.search(failure.path) is not None
