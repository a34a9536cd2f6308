# SPDX-License-Identifier: Apache-2.0
"""Where the snapshots of ended containers are kept, behind one interface."""

from __future__ import annotations

import threading
import zlib
from typing import Final, Protocol

_FASTEST: Final = 1


class Archive(Protocol):
    """Keeps encoded snapshots by trace id. Safe to use from several threads."""

    def put(self, trace_id: str, encoded: bytes) -> tuple[int, list[str]]:
        """Keeps a snapshot: its size in bytes there, and the ids that went for it, oldest first. Raises OSError."""
        ...

    def get(self, trace_id: str) -> bytes:
        """The snapshot again. Raises KeyError, OSError."""
        ...

    def delete(self, trace_id: str) -> None:
        """Forgets a snapshot, if there is one."""
        ...


class MemoryArchive:
    """An Archive in this process's memory, compressed, of at most `max_bytes`; the oldest make room."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put(self, trace_id: str, encoded: bytes) -> tuple[int, list[str]]:
        packed = zlib.compress(encoded, _FASTEST)
        gone = []
        with self._lock:
            self._kept[trace_id] = packed
            total = sum(len(kept) for kept in self._kept.values())
            for other in list(self._kept):
                if total <= self._max_bytes or other == trace_id:
                    break
                total -= len(self._kept.pop(other))
                gone.append(other)
        return len(packed), gone

    def get(self, trace_id: str) -> bytes:
        with self._lock:
            packed = self._kept[trace_id]
        return zlib.decompress(packed)

    def delete(self, trace_id: str) -> None:
        with self._lock:
            self._kept.pop(trace_id, None)
