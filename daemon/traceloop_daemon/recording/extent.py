# SPDX-License-Identifier: Apache-2.0
"""The extent of a recording: how much of a container is recorded, as its settings and annotations have it."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from traceloop_bpf.tracer import Recording
from traceloop_decode.selection import skipped
from traceloop_decode.trace_facts import TraceFacts


@dataclass(frozen=True, slots=True)
class Extent:
    """The contents of a ring. withheld: classes of memory, as Tracer.record takes them. Sizes are in bytes.

    firsts_size: None: the node's. skip: the calls that are counted alone, words of `skipped`.
    """

    withheld: int = 0
    ring_size: int = 0
    firsts_size: int | None = None
    skip: frozenset[str] = frozenset()

    @classmethod
    def of(cls, recording: Recording, withheld: int, facts: TraceFacts) -> Extent:
        """Returns the extent of a recording that has begun."""
        ring = recording.ring
        return cls(withheld, ring.data_size, ring.firsts_limit(), skipped.words_of(facts.skipped))

    @property
    def places(self) -> frozenset[int]:
        """The calls to leave out, as Tracer.record takes them."""
        return skipped.places(self.skip, platform.machine())
