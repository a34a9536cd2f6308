# SPDX-License-Identifier: Apache-2.0
"""Counters of what the programs could not note because a table of the whole node was full; `losses.h` has them."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from traceloop_bpf import bpfcalls

MAP: Final = "losses"
_KEY: Final = Struct("<I")
_VALUE: Final = Struct("<Q")


class Losses(NamedTuple):
    """Numbers since the recorder was loaded, in the order of TL_LOSS_....

    in_call: threads in a call whose place another thread took. runtime: processes of runtimes that count as their
    containers'. entry: processes that came into a container, of which the daemon was not told.
    """

    in_call: int = 0
    runtime: int = 0
    entry: int = 0


def read(fd: int) -> Losses:
    """Reads the counters. fd: the map. Raises OSError."""
    values = (bpfcalls.lookup(fd, _KEY.pack(number), _VALUE.size) for number in range(len(Losses._fields)))
    return Losses(*(_VALUE.unpack(value or bytes(_VALUE.size))[0] for value in values))
