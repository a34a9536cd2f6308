# SPDX-License-Identifier: Apache-2.0
"""Whether what runs in the kernel is what this version would bring there: digests of layout and programs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from traceloop_bpf.geometry import Geometry

_HERE: Final = Path(__file__).parent
_LAYOUT: Final = ("record.h", "layout.bpf.h")
_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def layout_digest(geometry: Geometry, maps: Mapping[str, object]) -> str:
    """Of all that a ring's or a map's bytes depend on. maps: whatever else tells the shared maps' shape."""
    return _digest(*map(_code, _LAYOUT), json.dumps([asdict(geometry), dict(maps)], sort_keys=True))


def program_digest(layout: str, tables: bytes, defines: Mapping[str, int]) -> str:
    """Of all that the programs do: their sources, the calls' rules, and -D values."""
    sources = sorted(path.name for path in _HERE.glob("*.[ch]"))
    return _digest(layout, *map(_code, sources), tables.hex(), json.dumps(dict(defines), sort_keys=True))


def _code(name: str) -> str:
    # Without comments and blanks, which change nothing.
    return " ".join(_COMMENT.sub(" ", (_HERE / name).read_text()).split())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
