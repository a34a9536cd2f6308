# SPDX-License-Identifier: Apache-2.0
"""Decides whether a container is recorded, and how much of it, by the node's settings, its names and annotations.

Other people write annotations. One that cannot be understood counts as the most private choice that it could mean.
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
from traceloop_decode.selection import skipped

RECORD: Final = "io.traceloop.record"
CAPTURE: Final = "io.traceloop.capture"
RING_SIZE: Final = "io.traceloop.ring-size"
FIRSTS_SIZE: Final = "io.traceloop.firsts-size"
SKIP: Final = "io.traceloop.skip"
_ORDER: Final = tuple(CapturePolicy)
_SHOWN_MAX: Final = 40
_SKIP_MAX: Final = 4096
_NAMED_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision for a container. refused: the rule that excludes it; empty if it is recorded.

    ring_size, firsts_size: in bytes. skip: the calls to leave out, words of `skipped`. notes: requests of its
    annotations that are not followed, for the log.
    """

    refused: str
    capture: CapturePolicy
    ring_size: int
    firsts_size: int
    skip: frozenset[str] = frozenset()
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
    """Applies the settings to a container's names and annotations. by_label: the annotations that are labels."""

    def asked(key: str) -> _Asked | None:
        return _Asked(key in by_label, key, annotations[key]) if key in annotations else None

    policy, notes = _capture(capture, asked(CAPTURE))
    ring_size, more_notes = _ring_size(ring, asked(RING_SIZE))
    firsts_size, notes_on_firsts = _firsts_size(ring, asked(FIRSTS_SIZE))
    skip, notes_on_skip = _skip(capture, asked(SKIP))
    all_notes = notes + more_notes + notes_on_firsts + notes_on_skip
    return Choice(_refusal(record, names, asked(RECORD)), policy, ring_size, firsts_size, skip, all_notes)


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
        return least, (f'{asked} is {_shown(asked.value)}, not a policy: "{least.value}" applies',)
    if _ORDER.index(policy) >= _ORDER.index(settings.policy) or settings.allow_raise:
        return policy, ()
    kept = settings.policy.value
    return settings.policy, (f'{asked} asks for "{asked.value}", more than allowed: "{kept}" applies',)


def _ring_size(settings: RingSettings, asked: _Asked | None) -> tuple[int, tuple[str, ...]]:
    if asked is None:
        return settings.size, ()
    try:
        size = size_bytes(asked.value)
    except ValueError:
        kept = size_text(settings.size)
        return settings.size, (f'{asked} is {_shown(asked.value)}, not a size such as "4M": {kept} applies',)
    if size <= settings.most:
        return max(size, settings.size), ()
    kept = size_text(settings.most)
    return settings.most, (f"{asked} asks for {_shown(asked.value)}, more than ring.max_size: {kept} applies",)


def _firsts_size(settings: RingSettings, asked: _Asked | None) -> tuple[int, tuple[str, ...]]:
    if asked is None:
        return settings.firsts_size, ()
    try:
        size = size_bytes(asked.value)
    except ValueError:
        return 0, (f'{asked} is {_shown(asked.value)}, not a size such as "16K": no calls that are new are kept',)
    if size <= settings.firsts_size:
        return size, ()
    kept = size_text(settings.firsts_size)
    return settings.firsts_size, (f"{asked} asks for {_shown(asked.value)}, more than allowed: {kept} applies",)


def _skip(settings: CaptureSettings, asked: _Asked | None) -> tuple[frozenset[str], tuple[str, ...]]:
    words, unknown = set(settings.skip), []
    if asked is None:
        return frozenset(words), ()
    if len(asked.value) > _SKIP_MAX:
        return frozenset(words), (f"{asked} has more than {_SKIP_MAX} characters, and is ignored",)
    for word in (one.strip() for one in asked.value.split(",")):
        try:
            skipped.check(word)
            words.add(word)
        except ValueError:
            unknown.append(_shown(word))
    notes = (f"{asked} names no system call and no class: {', '.join(unknown[:_NAMED_MAX])}",) if unknown else ()
    return frozenset(words), notes


def _shown(text: str) -> str:
    return ascii(text)[:_SHOWN_MAX]
