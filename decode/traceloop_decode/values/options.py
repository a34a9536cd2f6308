# SPDX-License-Identifier: Apache-2.0
"""How the reader wants values shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """strace's options for values. string_max: -s. verbose: -v. escape: 0, 1 (-x) or 2 (-xx).

    constants: -X, ``abbrev``, ``raw`` or ``verbose``.
    """

    string_max: int = 32
    verbose: bool = False
    escape: int = 0
    constants: str = "abbrev"
