# SPDX-License-Identifier: Apache-2.0
"""The width of the terminal, and text wrapped to it. Pipes and files have no width."""

from __future__ import annotations

import sys
from typing import Final

_LEAST: Final = 40  # narrower terminals break the lines themselves


def columns() -> int | None:
    """Returns the width of the terminal on standard output, None if there is none. COLUMNS overrides it, as for ls."""
    if not sys.stdout.isatty():
        return None
    import shutil  # noqa: PLC0415 - as textwrap below: lists in pipes need neither

    return shutil.get_terminal_size((0, 0)).columns or None


def folded(text: str, width: int | None, first: str, rest: str, *, anywhere: bool = False) -> list[str]:
    """Wraps text at this width (None: never) between words; `first` indents the first line, `rest` the others.

    anywhere: a word that is longer than a line is broken.
    """
    if width is None:
        return [f"{first}{text}"]
    import textwrap  # noqa: PLC0415

    return textwrap.wrap(
        text,
        max(width, _LEAST),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=anywhere,
        break_on_hyphens=False,
    )
