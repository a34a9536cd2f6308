# SPDX-License-Identifier: Apache-2.0
"""The descriptors that outlive the daemon: their names, and the interface of their keeper.

Programs run and maps stay as long as any process holds a descriptor of them. The keeper (systemd's descriptor store, or
pins in a bpf file system) holds them for the daemon, and passes them to the next daemon with their names::

    r<R>.map.<map>                a map that all programs of recorder R share
    r<R>.ring.<slot>              a ring, in stock or taken
    r<R>.g<G>.program.<function>  a program of its generation G
    r<R>.g<G>.link.<function>     the link that attaches the program to its tracepoint
    r<R>.g<G>.about               a memfd that describes these programs (`About`)

A recorder is a set of maps of one layout. Its programs can be exchanged while it records: the next generation is
attached beside the current one, and records nothing until `control` holds its number.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol

from traceloop_bpf.geometry import Geometry

_MAP: Final = re.compile(r"r(\d+)\.map\.(\w+)")
_RING: Final = re.compile(r"r(\d+)\.ring\.(\d+)")
_OF_GENERATION: Final = re.compile(r"r(\d+)\.g(\d+)\.(about|(?:program|link)\.\w+)")
_ABOUT: Final = re.compile(r"r\d+\.g\d+\.about")
_ABOUT_MAX: Final = 1 << 16


class Keeper(Protocol):
    """A store of descriptors that outlives this process. Safe to use from several threads."""

    def keep(self, fds: Mapping[str, int]) -> None:
        """Keeps descriptors, given by name. They are safe once this returns."""
        ...

    def drop(self, names: Iterable[str]) -> None:
        """Drops the descriptors of these names."""
        ...


class NoKeeper:
    """A keeper that keeps nothing: no descriptor outlives this process."""

    def keep(self, fds: Mapping[str, int]) -> None:
        """Ignores the descriptors."""

    def drop(self, names: Iterable[str]) -> None:
        """Ignores the names."""


@dataclass(frozen=True, slots=True)
class About:
    """A description of a generation's programs. layout, program: digests made by `identity`."""

    layout: str
    program: str
    geometry: Geometry

    def memfd(self) -> int:
        """Writes the description into a new memfd and returns it."""
        return memfd(json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, fd: int) -> About:
        """Reads a description from a memfd. Raises ValueError, TypeError or KeyError if it holds none."""
        fields = json.loads(content(fd))
        return cls(fields["layout"], fields["program"], Geometry(**fields["geometry"]))


@dataclass(frozen=True, slots=True)
class KeptRecorder:
    """The descriptors of one recorder. rings: by slot. generations: by number, then by the end of the name."""

    number: int
    maps: dict[str, int] = field(default_factory=dict)
    rings: dict[int, int] = field(default_factory=dict)
    generations: dict[int, dict[str, int]] = field(default_factory=dict)

    def named(self) -> dict[str, int]:
        """Returns all descriptors by their full names."""
        number = self.number
        return {
            **{map_name(number, name): fd for name, fd in self.maps.items()},
            **{ring_name(number, slot): fd for slot, fd in self.rings.items()},
            **{
                generation_name(number, generation, name): fd
                for generation, fds in self.generations.items()
                for name, fd in fds.items()
            },
        }


def is_memfd(name: str) -> bool:
    """Returns whether the descriptor of this name is a memfd; all others are maps, programs and links."""
    return _ABOUT.fullmatch(name) is not None


def memfd(data: bytes) -> int:
    """Returns a new memfd with this content."""
    fd = os.memfd_create("traceloop-about", os.MFD_CLOEXEC)
    os.write(fd, data)
    return fd


def content(fd: int) -> bytes:
    """Returns the content of a memfd."""
    return os.pread(fd, _ABOUT_MAX, 0)


def map_name(recorder: int, name: str) -> str:
    """Returns the name under which a map is kept."""
    return f"r{recorder}.map.{name}"


def ring_name(recorder: int, slot: int) -> str:
    """Returns the name under which a ring is kept."""
    return f"r{recorder}.ring.{slot}"


def generation_name(recorder: int, generation: int, name: str) -> str:
    """Returns the name under which a descriptor of a generation is kept."""
    return f"r{recorder}.g{generation}.{name}"


def sort(fds: Mapping[str, int]) -> tuple[list[KeptRecorder], list[str]]:
    """Sorts what a keeper handed over by recorder, the oldest first; also returns the names that are not ours."""
    recorders: dict[int, KeptRecorder] = {}
    unknown = []

    def recorder(number: str) -> KeptRecorder:
        return recorders.setdefault(int(number), KeptRecorder(int(number)))

    for name, fd in fds.items():
        if found := _MAP.fullmatch(name):
            recorder(found[1]).maps[found[2]] = fd
        elif found := _RING.fullmatch(name):
            recorder(found[1]).rings[int(found[2])] = fd
        elif found := _OF_GENERATION.fullmatch(name):
            recorder(found[1]).generations.setdefault(int(found[2]), {})[found[3]] = fd
        else:
            unknown.append(name)
    return [recorders[number] for number in sorted(recorders)], unknown
