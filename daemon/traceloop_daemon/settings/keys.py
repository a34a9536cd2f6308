# SPDX-License-Identifier: Apache-2.0
"""The definition of the daemon's settings: each key with its default, its bounds and its description.

A table of the TOML file is a dataclass here, and a key is one field: ``name: type = key(default, convert, text)``.
`convert` turns the value in the file into the field's value, or raises ValueError with a description of valid values.
The reader (`files`), the commented default file (`packaging/traceloop.toml`) and traceloop.toml(5) are derived from
these definitions.
"""

from __future__ import annotations

import enum
import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field
from pathlib import Path
from typing import Any, Final

from traceloop_daemon.archive.retention import Limits
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.privacy.redaction import compiled
from traceloop_daemon.units import Share, size_bytes, size_or_share, size_text, span_s
from traceloop_decode.areas import SIZE_MAX
from traceloop_decode.layout import PARTS_MAX
from traceloop_decode.selection import skipped

Convert = Callable[[object], Any]
_NO_HOST_NAMES: Final = ("", "(none)")  # what a kernel has until a name is set
_SOCKET_MAX: Final = 107  # unix(7)
_LIMIT: Final = re.compile(r"([0-9]{1,10})=([^,\s]+(?:,[^,\s]+)*)")
_UID_MAX: Final = (1 << 32) - 1
_PREFIXES_MAX: Final = 16
_UNITS_MAX: Final = 16
_RING_MIN: Final = 64 << 10
_RING_MAX: Final = 256 << 20  # of the next size, the kernel's verifier takes no place in a ring for bounded: 1 << 29
_JOINED_MAX: Final = 1 << 30


class RecordFrom(enum.Enum):
    """The event with which the recording of a container begins."""

    BIRTH = "birth"
    HOOK = "hook"


class RecordMode(enum.Enum):
    """The rule for containers that no other rule excludes."""

    ALL = "all"
    OPT_IN = "opt-in"


def name_of(one: Field[Any]) -> str:
    """Returns a key's name in a file. A word that is reserved in Python has an underscore after it here."""
    return one.name.removesuffix("_")


def key(default: object, convert: Convert, text: str) -> Any:
    """Defines a key. default: as written in a file. convert: makes the value. text: the description, with the unit."""
    return field(default=convert(default), metadata={"default": default, "convert": convert, "text": text})


def table(kind: type) -> Any:
    """Defines a table of keys, whose description is the dataclass's docstring."""
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


def _prefixes(value: object) -> tuple[str, ...]:
    texts = _texts(value)
    if len(texts) > _PREFIXES_MAX or not all(text and "/" not in text for text in texts):
        raise ValueError(f"a list of at most {_PREFIXES_MAX} strings without a slash, none of them empty")
    return texts


def _units(value: object) -> tuple[str, ...]:
    texts = _texts(value)
    if len(texts) > _UNITS_MAX or not all(text.endswith(".service") for text in texts):
        raise ValueError(f'a list of at most {_UNITS_MAX} globs that end in ".service"')
    return texts


def _limits(value: object) -> tuple[tuple[int, tuple[str, ...]], ...]:
    limits: dict[int, tuple[str, ...]] = {}
    for text in _texts(value):
        found = _LIMIT.fullmatch(text)
        if found is None or int(found[1]) in limits or not 0 < int(found[1]) < _UID_MAX:
            raise ValueError(
                'a list of uids, each once and none 0, and globs of namespaces, such as ["70001=shop,shop-*"]'
            )
        limits[int(found[1])] = tuple(found[2].split(","))
    return tuple(limits.items())


def _calls(value: object) -> tuple[str, ...]:
    words = _texts(value)
    try:
        for word in words:
            skipped.check(word)
    except ValueError as error:
        raise ValueError(f"a list of system calls and classes, as -e takes them: {error}") from None
    return words


def _patterns(value: object) -> tuple[re.Pattern[bytes], ...]:
    return tuple(compiled(pattern) for pattern in _texts(value))


def _one_of(choices: type[CapturePolicy | RecordMode | RecordFrom]) -> Convert:
    def convert(value: object) -> Any:
        try:
            return choices(value)
        except ValueError:
            raise ValueError("one of " + ", ".join(f'"{choice.value}"' for choice in choices)) from None

    return convert


@dataclass(frozen=True, slots=True)
class RingSettings:
    """The ring in memory that each recorded container has, and limits on what is captured into it."""

    size: int = key("1M", _size(_RING_MIN, _RING_MAX), "Size of a ring, in bytes; rounded up to a power of two.")
    max_size: int = key(
        "1M",
        _size(_RING_MIN, _JOINED_MAX),
        "Largest ring that the annotation io.traceloop.ring-size may request. "
        f"The limit is at least the size above, and at most {PARTS_MAX} times that size.",
    )
    item_max: int = key(256, _size(16, 4096), "Maximum number of bytes captured of one string or buffer.")
    call_max: int = key(
        1024,
        _size(16, 16384),
        "Number of captured bytes after which no further string or buffer of the same call is started.",
    )
    firsts_size: int = key(
        "64K",
        _size(0, SIZE_MAX),
        "Size of the memory beside a ring that keeps each call that is new, by its number, error and what it names, "
        "for the container's whole life; rounded up to pages; 0: none. The annotation io.traceloop.firsts-size lowers "
        "it.",
    )
    spare: int = key(8, _number(1, 256), "Number of empty rings kept ready for the next containers, at least.")
    spare_max: int = key(
        64,
        _number(1, 256),
        "Maximum number of empty rings kept ready. Within it, as many are as containers have lately begun in a second.",
    )

    @property
    def most(self) -> int:
        """Size of the largest ring that a container may have, in bytes."""
        return max(self.size, min(self.max_size, PARTS_MAX * self.size))


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """Selection of the containers that are recorded.

    The rules apply in the order below. The first rule that excludes a container decides, and is logged.

    Globs are those of the shell (* ? [...]). Outside Kubernetes the namespace is "". The annotation
    io.traceloop.record = "false" always excludes a container.
    """

    from_: RecordFrom = key(
        "birth",
        _one_of(RecordFrom),
        '"birth": each container is recorded from the moment at which its cgroup is made, without a hook; '
        '"hook": only containers that a hook, NRI or a user registers, from then on.',
    )
    running: bool = key(
        False, _flag, "Whether containers that run already when the daemon starts are recorded from then on."
    )
    prefixes: tuple[str, ...] = key(
        [],
        _prefixes,
        "Beginnings of the names of further cgroups that are taken for containers, besides those of known engines.",
    )
    units: tuple[str, ...] = key(
        [], _units, 'Globs of systemd services that are recorded from each start, such as "nginx.service".'
    )
    sandboxes: bool = key(False, _flag, "Whether the sandboxes (pause containers) of pods are recorded too.")
    namespaces: tuple[str, ...] = key(
        ["*"], _texts, "Globs of namespaces. Containers in other namespaces are not recorded."
    )
    exclude_namespaces: tuple[str, ...] = key([], _texts, "Globs of namespaces whose containers are not recorded.")
    images: tuple[str, ...] = key(["*"], _texts, "Globs of image names. Containers of other images are not recorded.")
    exclude_images: tuple[str, ...] = key([], _texts, "Globs of image names whose containers are not recorded.")
    mode: RecordMode = key(
        "all",
        _one_of(RecordMode),
        '"all", or "opt-in": only containers whose annotation io.traceloop.record is "true" are recorded.',
    )


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Limits on the stored traces of ended containers.

    Beyond a limit, the oldest traces are removed. The limits are checked for each new trace.
    """

    max_use: int | Share | None = key(
        "auto",
        _room,
        'Maximum size of all stored traces together, such as "2G" or "10%"; '
        '"auto": 10 % of the file system, at most 4G.',
    )
    keep_free: int | Share | None = key(
        "auto", _room, 'Space on the file system to leave free for others; "auto": 15 % of it, at most 4G.'
    )
    max_age: int = key("14d", span_s, "Time after a container's end for which its trace is kept.")
    max_traces: int = key(10_000, _number(1, 1_000_000), "Maximum number of stored traces.")
    memory_max: int = key(
        "64M",
        _size(0, 1 << 40),
        "Maximum size of the traces that wait in memory while the disk cannot be written, in bytes.",
    )

    @property
    def limits(self) -> Limits:
        """Limits of the archive."""
        return Limits(self.max_use, self.keep_free, self.max_age, self.max_traces)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """Limits on what is recorded of the memory that system calls point at; see /usr/share/doc/traceloop/security.md.

    Memory that the policy leaves out is never copied into the ring. The annotation io.traceloop.capture sets the policy
    of one container.
    """

    policy: CapturePolicy = key(
        "all",
        _one_of(CapturePolicy),
        '"all"; "no-payload": no contents of files, pipes and sockets; "paths": file names only.',
    )
    allow_raise: bool = key(False, _flag, "Whether the annotation may choose a policy that records more than this one.")
    environment: bool = key(
        False,
        _flag,
        "Whether the variables of programs' environments are recorded too, up to 16 of each, where the policy records "
        "contents of files. Environments often hold passwords; traceloopctl show -v shows them.",
    )
    skip: tuple[str, ...] = key(
        [],
        _calls,
        'System calls that are counted, but not recorded, such as ["futex", "%clock"]: names and classes, as '
        "traceloopctl show -e takes them. The annotation io.traceloop.skip adds to them. Without the calls that open, "
        "copy and close descriptors or make processes, names of descriptors are wrong.",
    )


@dataclass(frozen=True, slots=True)
class RedactSettings:
    """Redaction of secrets when a trace is archived or shown; see /usr/share/doc/traceloop/security.md."""

    enabled: bool = key(True, _flag, "Whether secrets are redacted.")
    defaults: bool = key(True, _flag, "Whether the patterns that come with traceloop are used.")
    patterns: tuple[re.Pattern[bytes], ...] = key(
        [],
        _patterns,
        "Additional patterns: regular expressions of Python. The text that a pattern's groups match is redacted, or "
        "the whole match if it has no groups.",
    )


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Limits on what members of the group traceloop may read; see /usr/share/doc/traceloop/fleet.md.

    Others in the group read the traces of all namespaces. Root is never limited. The limits hold at the socket: they
    are for the pods of relays, which do not see the archive's files.
    """

    limited: tuple[tuple[int, tuple[str, ...]], ...] = key(
        [],
        _limits,
        "Users who may read only the traces of certain Kubernetes namespaces: the number of each and globs, such as "
        '["70001=shop,shop-*"]. For them there are no other traces.',
    )


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """The daemon's metrics, for node_exporter's textfile collector; see /usr/share/doc/traceloop/metrics.md."""

    textfile: Path | None = key("", _textfile, 'File that the metrics are written to repeatedly, NAME.prom; "": none.')
    interval: int = key("15s", _span(1), "Time between two writes of the file.")


@dataclass(frozen=True, slots=True)
class NriSettings:
    """The Node Resource Interface, by which the daemon learns of containerd's containers.

    See /usr/share/doc/traceloop/nri.md.
    """

    enabled: bool = key(False, _flag, "Whether the daemon connects to the interface.")
    socket: Path = key("/var/run/nri/nri.sock", _path, "Path of the interface's socket.")


@dataclass(frozen=True, slots=True)
class Config:
    """The daemon's settings, by table."""

    node: str = key("", _text, 'Name of this node, with which trace ids begin; "": its host name.')
    ring: RingSettings = table(RingSettings)
    record: RecordSettings = table(RecordSettings)
    archive: ArchiveSettings = table(ArchiveSettings)
    capture: CaptureSettings = table(CaptureSettings)
    redact: RedactSettings = table(RedactSettings)
    access: AccessSettings = table(AccessSettings)
    metrics: MetricsSettings = table(MetricsSettings)
    nri: NriSettings = table(NriSettings)

    @property
    def node_name(self) -> str:
        """Name of the node, with which trace ids begin."""
        host = socket.gethostname()
        return self.node or (host if host not in _NO_HOST_NAMES else "localhost")  # as systemd has it, hostname(5)


def conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """Yields the name of each key whose value conflicts with another key's, and a message: why, and what to do."""
    if config.ring.call_max < config.ring.item_max:
        yield "ring.call_max", f"is less than ring.item_max ({config.ring.item_max}): set it to that at least"
