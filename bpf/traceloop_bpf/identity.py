# SPDX-License-Identifier: Apache-2.0
"""Digests of layout and programs, which tell whether a running recorder equals this version's."""

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
_LAYOUT: Final = ("record.h", "layout.bpf.h", "births.h")
_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def layout_digest(geometry: Geometry, maps: Mapping[str, object]) -> str:
    """Returns a digest of everything that determines the bytes of rings and maps.

    maps: further values that determine the shape of the shared maps.
    """
    return _digest(*map(_code, _LAYOUT), json.dumps([asdict(geometry), dict(maps)], sort_keys=True))


def program_digest(layout: str, tables: bytes, defines: Mapping[str, int]) -> str:
    """Returns a digest of everything that determines what programs do: sources, the calls' rules, -D values."""
    sources = sorted(path.name for path in _HERE.glob("*.[ch]"))
    return _digest(layout, *map(_code, sources), tables.hex(), json.dumps(dict(defines), sort_keys=True))


def _code(name: str) -> str:
    # Comments and white space are dropped, as they change no program.
    return " ".join(_COMMENT.sub(" ", (_HERE / name).read_text()).split())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
