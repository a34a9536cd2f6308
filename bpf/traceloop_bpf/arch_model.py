# SPDX-License-Identifier: Apache-2.0
"""The form of what the recorder has to know of an architecture, beside its header."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture. bpf, perf_event_open: the numbers of these system calls.

    fields: key of a TL_OFFSET_<key> of the header -> the members whose offsets add up to it, as in `btf.FIELDS`.
    """

    bpf: int
    perf_event_open: int
    fields: dict[str, tuple[tuple[str, str], ...]]
