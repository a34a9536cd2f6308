# SPDX-License-Identifier: Apache-2.0
"""The daemon's settings: the one place that has each key, its default, its bounds and what it means.

A table of the TOML file is a dataclass here, and a key one line of it: ``name: type = key(default, convert, text)``.
`convert` makes the value of what stands in the file, or raises ValueError with what it should have been. Reading
(`files`), the commented default file and its check (`packaging/traceloop.toml`) follow from this.
"""

from __future__ import annotations

import enum
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from traceloop_daemon.archive.retention import Limits
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.privacy.redaction import compiled
from traceloop_daemon.units import Share, size_bytes, size_or_share, size_text, span_s
from traceloop_decode.layout import PARTS_MAX

Convert = Callable[[object], Any]
_SOCKET_MAX: Final = 107  # unix(7)
_RING_MIN: Final = 64 << 10
_RING_MAX: Final = 1 << 30


class RecordMode(enum.Enum):
    """Which containers are recorded when no other rule says no."""

    ALL = "all"
    OPT_IN = "opt-in"


def key(default: object, convert: Convert, text: str) -> Any:
    """A key: its default as it stands in the file, how a value is made of that, and what it means, with its unit."""
    return field(default=convert(default), metadata={"default": default, "convert": convert, "text": text})


def table(kind: type) -> Any:
    """A table of keys. The dataclass's docstring is its description."""
    return field(default_factory=kind)


def _size(least: int, most: int) -> Convert:
    def convert(value: object) -> int:
        size = size_bytes(value)
        if not least <= size <= most:
            raise ValueError(f"a size from {size_text(least)} to {size_text(most)}")
        return size

    return convert


def _room(value: object) -> int | Share | None:
    return None if value == "auto" else size_or_share(value)


def _number(least: int, most: int) -> Convert:
    def convert(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"a number from {least} to {most}")
        return value

    return convert


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not all(letter.isprintable() for letter in value):
        raise ValueError("a string in quotes, of printable characters")
    return value


def _textfile(value: object) -> Path | None:
    path = Path(_text(value))
    if value and not (path.is_absolute() and path.suffix == ".prom"):
        raise ValueError('"", or an absolute path that ends in .prom')
    return path if value else None


def _span(least_s: int) -> Convert:
    def convert(value: object) -> int:
        span = span_s(value)
        if span < least_s:
            raise ValueError(f"a span of time of at least {least_s}s")
        return span

    return convert


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value.startswith("/") or len(os.fsencode(value)) > _SOCKET_MAX:
        raise ValueError(f"a path in quotes that begins with /, of at most {_SOCKET_MAX} bytes")
    return Path(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError('a list of strings, such as ["one", "two"]')
    return tuple(value)


def _patterns(value: object) -> tuple[re.Pattern[bytes], ...]:
    return tuple(compiled(pattern) for pattern in _texts(value))


def _one_of(choices: type[CapturePolicy | RecordMode]) -> Convert:
    def convert(value: object) -> Any:
        try:
            return choices(value)
        except ValueError:
            raise ValueError("one of " + ", ".join(f'"{choice.value}"' for choice in choices)) from None

    return convert


@dataclass(frozen=True, slots=True)
class RingSettings:
    """The ring in memory that each recorded container has, and what goes into it."""

    size: int = key("1M", _size(_RING_MIN, _RING_MAX), "Bytes of a ring; rounded up to a power of two.")
    max_size: int = key(
        "1M",
        _size(_RING_MIN, _RING_MAX),
        f"What the annotation io.traceloop.ring-size may ask for: at most {PARTS_MAX} times the size, and never less.",
    )
    item_max: int = key(256, _size(16, 4096), "Most bytes that are kept of one string or buffer.")
    call_max: int = key(1024, _size(16, 16384), "Bytes of one call's strings and buffers behind which none begins.")
    spare: int = key(8, _number(1, 256), "Empty rings that are kept ready, so that no container waits for one.")

    @property
    def most(self) -> int:
        """The largest ring that a container may have."""
        return max(self.size, min(self.max_size, PARTS_MAX * self.size))


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """Which containers are recorded. The first rule that says no decides, in the order below; it is logged.

    Globs are the shell's (* ? [...]). Outside Kubernetes the namespace is "". The annotation io.traceloop.record
    = "false" always keeps a container out.
    """

    sandboxes: bool = key(False, _flag, "Also the sandboxes (pause containers) of pods.")
    namespaces: tuple[str, ...] = key(["*"], _texts, "Globs of namespaces; others are not recorded.")
    exclude_namespaces: tuple[str, ...] = key([], _texts, "Globs of namespaces that are not recorded.")
    images: tuple[str, ...] = key(["*"], _texts, "Globs of image names; others are not recorded.")
    exclude_images: tuple[str, ...] = key([], _texts, "Globs of image names that are not recorded.")
    mode: RecordMode = key(
        "all", _one_of(RecordMode), '"all", or "opt-in": those whose annotation io.traceloop.record is "true".'
    )


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Traces of containers that have ended. Beyond a limit the oldest go; they are looked at with each new one."""

    max_use: int | Share | None = key(
        "auto", _room, 'Most bytes of all together, such as "2G" or "10%"; "auto": 10 % of the file system, at most 4G.'
    )
    keep_free: int | Share | None = key(
        "auto", _room, 'Bytes that others find free there; "auto": 15 % of the file system, at most 4G.'
    )
    max_age: int = key("14d", span_s, "How long after a container's end its trace is kept.")
    max_traces: int = key(10_000, _number(1, 1_000_000), "How many are kept.")
    memory_max: int = key("64M", _size(0, 1 << 40), "Bytes that wait in memory while the disk cannot be written.")

    @property
    def limits(self) -> Limits:
        """What the archive may hold."""
        return Limits(self.max_use, self.keep_free, self.max_age, self.max_traces)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """What is kept of the memory that system calls point at; see /usr/share/doc/traceloop/security.md.

    What is left out never gets into the ring. The annotation io.traceloop.capture chooses for one container.
    """

    policy: CapturePolicy = key(
        "all",
        _one_of(CapturePolicy),
        '"all"; "no-payload": no contents of files, pipes, sockets; "paths": file names alone.',
    )
    allow_raise: bool = key(False, _flag, "Whether the annotation may ask for more than the policy.")


@dataclass(frozen=True, slots=True)
class RedactSettings:
    """Secrets, which are blotted out when a trace is archived or shown; see /usr/share/doc/traceloop/security.md."""

    enabled: bool = key(True, _flag, "Whether anything is.")
    defaults: bool = key(True, _flag, "Whether the patterns that come with traceloop are looked for.")
    patterns: tuple[re.Pattern[bytes], ...] = key(
        [],
        _patterns,
        "More patterns: Python's regular expressions. What its groups fit is blotted out, or all, if it has none.",
    )


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The daemon's numbers, for node_exporter's textfile collector; see /usr/share/doc/traceloop/metrics.md."""

    textfile: Path | None = key("", _textfile, 'A file that is written again and again, NAME.prom; "": none.')
    interval: int = key("15s", _span(1), "How often.")


@dataclass(frozen=True, slots=True)
class NriSettings:
    """containerd's Node Resource Interface, to learn of its containers; see /usr/share/doc/traceloop/nri.md."""

    enabled: bool = key(False, _flag, "Whether the daemon connects to it.")
    socket: Path = key("/var/run/nri/nri.sock", _path, "Where it is.")


@dataclass(frozen=True, slots=True)
class Config:
    """All settings."""

    node: str = key("", _text, 'What this node is called in the names of traces; "": its host name.')
    ring: RingSettings = table(RingSettings)
    record: RecordSettings = table(RecordSettings)
    archive: ArchiveSettings = table(ArchiveSettings)
    capture: CaptureSettings = table(CaptureSettings)
    redact: RedactSettings = table(RedactSettings)
    metrics: MetricsSettings = table(MetricsSettings)
    nri: NriSettings = table(NriSettings)

    @property
    def node_name(self) -> str:
        """The node's name, in trace ids too."""
        return self.node or socket.gethostname()


def conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Keys that are right by themselves, but not with others: the key's name, and why."""
    if config.ring.call_max < config.ring.item_max:
        yield "ring.call_max", f"is less than ring.item_max ({config.ring.item_max})"
