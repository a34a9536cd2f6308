# SPDX-License-Identifier: Apache-2.0
"""Whether a container is recorded, and how much of it: by the node's settings, its names and its annotations.

Annotations are words that others wrote. One that cannot be understood counts as the most private that it could mean.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from traceloop_daemon.units import size_bytes, size_text
from traceloop_decode import layout

if TYPE_CHECKING:
    from traceloop_daemon.names import Names
    from traceloop_daemon.settings import CaptureSettings, RecordSettings, RingSettings

RECORD: Final = "io.traceloop.record"
CAPTURE: Final = "io.traceloop.capture"
RING_SIZE: Final = "io.traceloop.ring-size"
_SHOWN_MAX: Final = 40


class RecordMode(enum.Enum):
    """Which containers are recorded when no other rule says no."""

    ALL = "all"
    OPT_IN = "opt-in"


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
_ORDER: Final = tuple(CapturePolicy)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided for a container. refused: the rule that keeps it from being recorded, or ``""``.

    ring_size: bytes that its ring is to hold. notes: what could not be done as its annotations ask, for the log.
    """

    refused: str
    capture: CapturePolicy
    ring_size: int
    notes: tuple[str, ...] = ()


def choose(
    record: RecordSettings,
    capture: CaptureSettings,
    ring: RingSettings,
    names: Names,
    annotations: Mapping[str, str],
) -> Choice:
    """What the settings say of a container of these names and annotations."""
    policy, notes = _capture(capture, annotations.get(CAPTURE))
    ring_size, more_notes = _ring_size(ring, annotations.get(RING_SIZE))
    return Choice(_refusal(record, names, annotations.get(RECORD)), policy, ring_size, notes + more_notes)


def _refusal(record: RecordSettings, names: Names, wanted: str | None) -> str:
    if wanted not in (None, "true"):
        return f"its annotation {RECORD} is {_shown(wanted)}"
    if names.sandbox and not record.sandboxes:
        return "it is the sandbox of a pod, and record.sandboxes is false"
    for what, value, only, but in (
        ("namespace", names.namespace, record.namespaces, record.exclude_namespaces),
        ("image", names.image, record.images, record.exclude_images),
    ):
        if not _fits(value, only):
            return f"its {what} {_shown(value)} is not in record.{what}s"
        if _fits(value, but):
            return f"its {what} {_shown(value)} is in record.exclude_{what}s"
    if record.mode is RecordMode.OPT_IN and wanted != "true":
        return f'record.mode is "opt-in", and it has no annotation {RECORD} = "true"'
    return ""


def _fits(value: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(value, glob) for glob in globs)


def _capture(settings: CaptureSettings, wanted: str | None) -> tuple[CapturePolicy, tuple[str, ...]]:
    if wanted is None:
        return settings.policy, ()
    try:
        policy = CapturePolicy(wanted)
    except ValueError:
        least = _ORDER[-1]
        return least, (f'its annotation {CAPTURE} is {_shown(wanted)}, not a policy: "{least.value}" holds',)
    if _ORDER.index(policy) >= _ORDER.index(settings.policy) or settings.allow_raise:
        return policy, ()
    kept = settings.policy.value
    return settings.policy, (f'its annotation {CAPTURE} asks for "{wanted}", more than allowed: "{kept}" holds',)


def _ring_size(settings: RingSettings, wanted: str | None) -> tuple[int, tuple[str, ...]]:
    if wanted is None:
        return settings.size, ()
    try:
        size = size_bytes(wanted)
    except ValueError:
        kept = size_text(settings.size)
        return settings.size, (
            f'its annotation {RING_SIZE} is {_shown(wanted)}, not a size such as "4M": {kept} holds',
        )
    if size <= settings.most:
        return max(size, settings.size), ()
    kept = size_text(settings.most)
    return settings.most, (
        f"its annotation {RING_SIZE} asks for {_shown(wanted)}, more than ring.max_size: {kept} holds",
    )


def _shown(text: str | None) -> str:
    return ascii(text or "")[:_SHOWN_MAX]
