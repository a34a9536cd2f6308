# SPDX-License-Identifier: Apache-2.0
"""The labels of a container and its pod that a trace keeps.

Users choose labels, of any number and length, and the daemon has those of every trace in memory. So their number and
size are limited here; a label is kept whole or left out. Labels that repeat a pod's names are left out and not counted,
as `names` has these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern
from typing import Final

from traceloop_decode.safe_text import encodable

LABELS_MAX: Final = 64
LABELS_MAX_BYTES: Final = 4096
"""Maximum size of names and values together, in UTF-8."""

_NAMES: Final = frozenset(
    ("io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid", "io.kubernetes.container.name")
)


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels. pairs: names and values, sorted by name. left_out: how many more there were."""

    pairs: tuple[tuple[str, str], ...] = ()
    left_out: int = 0

    @classmethod
    def of(cls, told: Mapping[str, str], left_out: int = 0) -> Labels:
        """Keeps the labels that fit, sorted by name. left_out: how many are missing already."""
        pairs: list[tuple[str, str]] = []
        room_bytes = LABELS_MAX_BYTES
        chosen = ((encodable(name), encodable(value)) for name, value in told.items() if name not in _NAMES)
        for name, value in sorted(chosen):
            size_bytes = len(name.encode()) + len(value.encode())
            if len(pairs) == LABELS_MAX or size_bytes > room_bytes:
                left_out += 1
                continue
            room_bytes -= size_bytes
            pairs.append((intern(name), intern(value)))  # most labels are the same for many containers of a node
        return cls(tuple(pairs), left_out)

    @classmethod
    def of_fields(cls, pairs: Iterable[tuple[str, str]], left_out: int) -> Labels:
        """Restores labels from the values of the fields, which may come from JSON. Raises TypeError, ValueError."""
        return cls.of(dict(pairs), left_out)

    def __bool__(self) -> bool:
        """Returns whether there were any labels."""
        return bool(self.pairs or self.left_out)


NO_LABELS: Final = Labels()
