# SPDX-License-Identifier: Apache-2.0
"""Values as JSON in printable ASCII."""

from __future__ import annotations

import json
from typing import Final

_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def dumps(value: object) -> str:
    """Returns a value as JSON in printable ASCII."""
    return _encode(value).replace("\x7f", "\\u007f")
