# SPDX-License-Identifier: Apache-2.0
"""A container's labels, and its pod's, as far as they are kept of a trace.

They are words of users, of any number and length, and every trace of a node has them in memory: no more are kept than
the bounds here say, whole or not at all. What labels repeat of a pod's names is left out uncounted: `names` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern
from typing import Final

LABELS_MAX: Final = 64
LABELS_MAX_BYTES: Final = 4096
"""Of names and values together, in UTF-8."""

_NAMES: Final = frozenset(
    ("io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid", "io.kubernetes.container.name")
)


@dataclass(frozen=True, slots=True)
class Labels:
    """pairs: of name and value, by name. left_out: how many others there were."""

    pairs: tuple[tuple[str, str], ...] = ()
    left_out: int = 0

    @classmethod
    def of(cls, told: Mapping[str, str], left_out: int = 0) -> Labels:
        """Those that fit, in the order of their names. left_out: how many are missing already."""
        pairs: list[tuple[str, str]] = []
        room_bytes = LABELS_MAX_BYTES
        for name, value in sorted((_text(name), _text(value)) for name, value in told.items() if name not in _NAMES):
            size_bytes = len(name.encode()) + len(value.encode())
            if len(pairs) == LABELS_MAX or size_bytes > room_bytes:
                left_out += 1
                continue
            room_bytes -= size_bytes
            pairs.append((intern(name), intern(value)))  # the containers of a node share most of them
        return cls(tuple(pairs), left_out)

    @classmethod
    def of_fields(cls, pairs: Iterable[tuple[str, str]], left_out: int) -> Labels:
        """From the values of its fields, which may have gone through JSON. Raises TypeError, ValueError."""
        return cls.of(dict(pairs), left_out)

    def __bool__(self) -> bool:
        """Whether there were any."""
        return bool(self.pairs or self.left_out)


def _text(text: str) -> str:
    # An engine's JSON can spell half a surrogate pair, which no other encoding can: gRPC could not send it on.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


NO_LABELS: Final = Labels()
