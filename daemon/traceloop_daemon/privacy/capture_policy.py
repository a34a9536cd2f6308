# SPDX-License-Identifier: Apache-2.0
"""Capture policies: how much is recorded of the memory that system calls point at, and what each policy withholds."""

from __future__ import annotations

import enum
from typing import Final

from traceloop_decode import layout


class CapturePolicy(enum.Enum):
    """The capture policies, from the one that records most memory to the one that records least."""

    ALL = "all"
    NO_PAYLOAD = "no-payload"
    PATHS = "paths"

    @property
    def withheld(self) -> int:
        """Value of ``tl_ring.withheld``: a bit for each class of memory that is never copied into the ring."""
        return _WITHHELD[self]

    @classmethod
    def of(cls, withheld: int) -> CapturePolicy | None:
        """Returns the policy that withholds exactly these classes, or None."""
        return next((policy for policy, bits in _WITHHELD.items() if bits == withheld), None)


_WITHHELD: Final = {
    CapturePolicy.ALL: 0,
    CapturePolicy.NO_PAYLOAD: layout.CLASS_PAYLOAD,
    CapturePolicy.PATHS: layout.CLASS_ANY & ~layout.CLASS_PATH,
}
