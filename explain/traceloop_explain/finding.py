# SPDX-License-Identifier: Apache-2.0
"""Finds the reason of one archive file, given by a descriptor."""

from __future__ import annotations

import os
import stat
from typing import Final

from traceloop_decode.archive_file import unpack
from traceloop_decode.causes.explain import explain
from traceloop_decode.causes.verdict import in_one_line
from traceloop_decode.model import DecodeError
from traceloop_decode.snapshot import Snapshot

FILE_MAX_BYTES: Final = 256 << 20
"""Larger files are not explained here; `traceloopctl why` explains them."""


def reason_of(fd: int) -> str:
    """Returns in one line why the container ended; empty if there is nothing to explain, or nothing known.

    Raises DecodeError for what is no archive file, or too large; OSError.
    """
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise DecodeError("not a regular file")
    if found.st_size > FILE_MAX_BYTES:
        raise DecodeError(f"too large: {found.st_size} bytes of {FILE_MAX_BYTES}")
    with open(fd, "rb", closefd=False) as file:
        info, encoded = unpack(file.read(FILE_MAX_BYTES))
    snapshot = Snapshot.decode(encoded)
    del encoded  # as large as the ring, of which the snapshot has its own copy
    return in_one_line(explain(snapshot, info))
