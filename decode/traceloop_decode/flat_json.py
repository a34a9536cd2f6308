# SPDX-License-Identifier: Apache-2.0
"""Reads JSON that anyone may have made: no more of it than a limit, so that it takes little more memory than its text.

A list or an object takes Python a hundred bytes, and two of JSON: 16 MiB of ``[],[],`` would become 500.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

# A string, or what comes with each further value. A string that does not end goes to the end of the text, so that none
# of it is looked at twice.
_PIECE: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{,]', re.DOTALL)


def loads(text: bytes, pieces_max: int) -> Any:
    """What the text means. pieces_max: of strings, lists, objects and commas. Raises ValueError, RecursionError."""
    for count, _ in enumerate(_PIECE.finditer(text), 1):
        if count > pieces_max:
            raise ValueError(f"it has more than {pieces_max} strings, lists and commas")
    return json.loads(text)
