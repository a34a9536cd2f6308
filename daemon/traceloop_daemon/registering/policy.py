# SPDX-License-Identifier: Apache-2.0
"""Whether a container is recorded, and how much of it: by the node's settings, its names and its annotations.

Annotations are words that others wrote. One that cannot be understood counts as the most private that it could mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from traceloop_daemon.naming.names import Names
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.settings.keys import CaptureSettings, RecordMode, RecordSettings, RingSettings
from traceloop_daemon.units import size_bytes, size_text

RECORD: Final = "io.traceloop.record"
CAPTURE: Final = "io.traceloop.capture"
RING_SIZE: Final = "io.traceloop.ring-size"
_ORDER: Final = tuple(CapturePolicy)
_SHOWN_MAX: Final = 40


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
    *,
    by_label: Collection[str] = (),
) -> Choice:
    """What the settings say of a container of these names and annotations. by_label: which of these are labels."""

    def asked(key: str) -> _Asked | None:
        return _Asked(key in by_label, key, annotations[key]) if key in annotations else None

    policy, notes = _capture(capture, asked(CAPTURE))
    ring_size, more_notes = _ring_size(ring, asked(RING_SIZE))
    return Choice(_refusal(record, names, asked(RECORD)), policy, ring_size, notes + more_notes)


@dataclass(frozen=True, slots=True)
class _Asked:
    is_label: bool
    key: str
    value: str

    def __str__(self) -> str:
        return f"its {'label' if self.is_label else 'annotation'} {self.key}"


def _refusal(record: RecordSettings, names: Names, asked: _Asked | None) -> str:
    if asked is not None and asked.value != "true":
        return f"{asked} is {_shown(asked.value)}"
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
    if record.mode is RecordMode.OPT_IN and asked is None:
        return f'record.mode is "opt-in", and it has no annotation {RECORD} = "true"'
    return ""


def _fits(value: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(value, glob) for glob in globs)


def _capture(settings: CaptureSettings, asked: _Asked | None) -> tuple[CapturePolicy, tuple[str, ...]]:
    if asked is None:
        return settings.policy, ()
    try:
        policy = CapturePolicy(asked.value)
    except ValueError:
        least = _ORDER[-1]
        return least, (f'{asked} is {_shown(asked.value)}, not a policy: "{least.value}" holds',)
    if _ORDER.index(policy) >= _ORDER.index(settings.policy) or settings.allow_raise:
        return policy, ()
    kept = settings.policy.value
    return settings.policy, (f'{asked} asks for "{asked.value}", more than allowed: "{kept}" holds',)


def _ring_size(settings: RingSettings, asked: _Asked | None) -> tuple[int, tuple[str, ...]]:
    if asked is None:
        return settings.size, ()
    try:
        size = size_bytes(asked.value)
    except ValueError:
        kept = size_text(settings.size)
        return settings.size, (f'{asked} is {_shown(asked.value)}, not a size such as "4M": {kept} holds',)
    if size <= settings.most:
        return max(size, settings.size), ()
    kept = size_text(settings.most)
    return settings.most, (f"{asked} asks for {_shown(asked.value)}, more than ring.max_size: {kept} holds",)


def _shown(text: str) -> str:
    return ascii(text)[:_SHOWN_MAX]
