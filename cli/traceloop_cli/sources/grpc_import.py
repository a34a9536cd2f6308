# SPDX-License-Identifier: Apache-2.0
"""Imports grpcio without its half for asyncio, which is loaded when something of it is used: never by traceloopctl.

grpcio imports asyncio, and `grpc.aio` with it, whether or not a program uses them: a third of the time of its import.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Final

_LATER: Final = frozenset(("asyncio", "grpc.aio"))


class _Later:
    # Finds these modules as usual, and has them loaded at the first use of an attribute.
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _LATER else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


sys.meta_path.insert(0, _Later)
try:
    import grpc
finally:
    sys.meta_path.remove(_Later)

__all__ = ("grpc",)
