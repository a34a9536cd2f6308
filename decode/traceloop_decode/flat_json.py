# SPDX-License-Identifier: Apache-2.0
"""Reader of untrusted JSON that bounds the number of values, so that they take little more memory than their text.

A list or an object takes a hundred bytes in Python but two in JSON: 16 MiB of ``[],[],`` would become 500.

`json` has no limit of its own.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

# A string, or the character that comes with each further value. An unterminated string extends to the end of the text,
# so that no part of the text is scanned twice.
_PIECE: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{,]', re.DOTALL)


def loads(text: bytes, pieces_max: int) -> Any:
    """Parses JSON. pieces_max: of strings, lists, objects and commas. Raises ValueError, RecursionError."""
    for count, _ in enumerate(_PIECE.finditer(text), 1):
        if count > pieces_max:
            raise ValueError(f"it has more than {pieces_max} strings, lists and commas")
    return json.loads(text)
