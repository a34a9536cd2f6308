# SPDX-License-Identifier: Apache-2.0
"""How wide the terminal is that a person reads on, and text folded to it. Pipes and files have any width."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import Final

_LEAST: Final = 40  # on a terminal that is narrower, it may break the lines itself


def columns() -> int | None:
    """Of the terminal that standard output is; None: it is none, or does not tell. COLUMNS counts more, as for ls."""
    return (shutil.get_terminal_size((0, 0)).columns or None) if sys.stdout.isatty() else None


def folded(text: str, width: int | None, first: str, rest: str) -> list[str]:
    """Lines of at most this width, if words are not longer; `first` before the first, `rest` before the others."""
    if width is None:
        return [f"{first}{text}"]
    return textwrap.wrap(
        text,
        max(width, _LEAST),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
