# SPDX-License-Identifier: Apache-2.0
"""How much is kept of the memory that system calls point at: the policies, and what each withholds."""

from __future__ import annotations

import enum
from typing import Final

from traceloop_decode import layout


class CapturePolicy(enum.Enum):
    """What is kept of memory, from most to least."""

    ALL = "all"
    NO_PAYLOAD = "no-payload"
    PATHS = "paths"

    @property
    def withheld(self) -> int:
        """``tl_ring.withheld``: a bit for each class of memory that never gets into the ring."""
        return _WITHHELD[self]

    @classmethod
    def of(cls, withheld: int) -> CapturePolicy | None:
        """The policy that withholds this; None: none of these does."""
        return next((policy for policy, bits in _WITHHELD.items() if bits == withheld), None)


_WITHHELD: Final = {
    CapturePolicy.ALL: 0,
    CapturePolicy.NO_PAYLOAD: layout.CLASS_PAYLOAD,
    CapturePolicy.PATHS: layout.CLASS_ANY & ~layout.CLASS_PATH,
}
