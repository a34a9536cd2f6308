# SPDX-License-Identifier: Apache-2.0
"""The capabilities (capabilities(7)) that a container's program asked the kernel for, in its whole life.

The recorder notes them in the ring's header, for each CPU, whatever the ring still holds: marks.h says where. Those of
the container's runtime are left out, as are the questions for CAP_SYS_ADMIN by which the kernel accounts for memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from traceloop_decode import layout

if TYPE_CHECKING:
    from traceloop_decode.snapshot import Snapshot

_MASK_BITS: Final = 64
_PAD: Final = 9  # of layout.RING


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The numbers of the capabilities that were asked for, in order. whole: from the container's first call on."""

    granted: tuple[int, ...]
    refused: tuple[int, ...]
    whole: bool = True

    def facts(self) -> dict[str, int]:
        """Returns them as the facts of a trace, by their names in TraceFacts."""
        return {"capabilities_granted": mask_of(self.granted), "capabilities_refused": mask_of(self.refused)}

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self | None:
        """Reads them from a snapshot; None if nothing is known, as on a kernel that does not tell."""
        return cls.of_headers(snapshot.headers[-1], snapshot.cpus)

    @classmethod
    def of_headers(cls, headers: bytes, cpus: int) -> Self | None:
        """Reads them from the headers of a ring; `of` tells when there are none."""
        granted = refused = 0
        for at in range(layout.RING.size, layout.headers_size(cpus), layout.CPU.size):
            late = layout.CPU.unpack_from(headers, at)[9]
            pads = [pad for (pad,) in layout.LATE_PAD.iter_unpack(late)]
            granted, refused = granted | pads[layout.GRANTED], refused | pads[layout.REFUSED]
        whole = layout.RING.unpack_from(headers)[_PAD] & layout.NOTES_CAPABILITIES != 0
        return cls(numbers_in(granted), numbers_in(refused), whole) if whole or granted or refused else None


def mask_of(numbers: Iterable[int]) -> int:
    """Returns a number with a bit for each capability."""
    return sum(1 << number for number in set(numbers))


def numbers_in(mask: int) -> tuple[int, ...]:
    """Returns the capabilities whose bits a number has."""
    return tuple(number for number in range(_MASK_BITS) if mask >> number & 1)
