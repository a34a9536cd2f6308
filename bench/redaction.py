# SPDX-License-Identifier: Apache-2.0
"""Measures the search for secrets: in a full ring, and in the strings on which the default patterns take longest."""

from __future__ import annotations

import statistics
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from decoding import full_ring
from report import Figure, spread

from traceloop_daemon.privacy.redaction import Redactor
from traceloop_decode.places import places
from traceloop_decode.ring_reader import Record, RingReader
from traceloop_decode.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SNAPSHOT_MS: Final = 200
ITEM_MS: Final = 50
_SOURCE: Final = Path(__file__).with_name("mixed.c")
_SIZE: Final = 1 << 20
_ITEM_MAX: Final = 4096
_HARD: Final = (
    b"password",
    b"password-",
    b"a:",
    b"://",
    b"://a:",
    b"eyJ.",
    b"eyJ",
    b"$6$",
    b"x-",
    b"-----BEGIN ",
    b"gho_",
)


def measure(rounds: int) -> Iterator[Figure]:
    """Yields medians of CPU time."""
    redactor = Redactor()
    with TemporaryDirectory(prefix="traceloop-bench-") as name:
        program = Path(name) / "mixed"
        subprocess.run(["cc", "-O2", "-Wall", "-o", program, _SOURCE], check=True)
        snapshot = Snapshot.decode(full_ring(program, _SIZE, Path(name) / "trace").read_bytes())
    found = sum(1 for record in RingReader(snapshot).records() if isinstance(record, Record))
    items = len(places(snapshot).begins)
    took = [_ms(lambda: redactor.redacted(snapshot, "bench")) for _ in range(rounds)]
    detail = f"{found:,} records, {items:,} strings and buffers; {spread(took)}"
    yield Figure("a ring of 1 MiB", statistics.median(took), "ms", SNAPSHOT_MS, detail=detail)
    worst, text = max((_ms(lambda item=item: redactor.blotted(item)), item[:16]) for item in map(_filled, _HARD))
    yield Figure(
        f"the worst of {len(_HARD)} made-up strings", worst, "ms", ITEM_MS, detail=f"{_ITEM_MAX} bytes: {text!r}"
    )


def _filled(part: bytes) -> bytes:
    return (part * _ITEM_MAX)[:_ITEM_MAX]


def _ms(work: Callable[[], object]) -> float:
    began_s = time.thread_time()
    work()
    return (time.thread_time() - began_s) * 1000
