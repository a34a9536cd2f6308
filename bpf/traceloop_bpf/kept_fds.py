# SPDX-License-Identifier: Apache-2.0
"""The descriptors that outlive the daemon: their names, and who keeps them.

Programs run, and maps stay, as long as any process holds a descriptor of theirs. Whoever keeps them for the daemon (it
is systemd) hands them to the next one, with their names::

    r<R>.map.<map>                a map that all programs of recorder R share
    r<R>.ring.<slot>              a ring, in stock or taken
    r<R>.g<G>.program.<function>  a program of its generation G
    r<R>.g<G>.link.<function>     what attaches it to its tracepoint
    r<R>.g<G>.about               a memfd: what these programs are (`About`)

A recorder is a set of maps of one layout. Its programs can be exchanged while it records: the next generation is
attached beside the last one, silent until `control` names it.
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
_ABOUT_MAX: Final = 1 << 16


class Keeper(Protocol):
    """Keeps descriptors beyond this process's end. Safe to use from several threads."""

    def keep(self, fds: Mapping[str, int]) -> None:
        """Keeps these, by name. When it returns they are safe."""
        ...

    def drop(self, names: Iterable[str]) -> None:
        """Lets go of these."""
        ...


class NoKeeper:
    """Nothing outlives this process."""

    def keep(self, fds: Mapping[str, int]) -> None:
        """Does nothing."""

    def drop(self, names: Iterable[str]) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class About:
    """What a generation's programs are. layout, program: digests, see `identity`."""

    layout: str
    program: str
    geometry: Geometry

    def memfd(self) -> int:
        """It as the contents of a new memfd."""
        fd = os.memfd_create("traceloop-about", os.MFD_CLOEXEC)
        os.write(fd, json.dumps(asdict(self)).encode())
        return fd

    @classmethod
    def read(cls, fd: int) -> About:
        """From a memfd. Raises ValueError, TypeError, KeyError for what is none."""
        fields = json.loads(os.pread(fd, _ABOUT_MAX, 0))
        return cls(fields["layout"], fields["program"], Geometry(**fields["geometry"]))


@dataclass(frozen=True, slots=True)
class KeptRecorder:
    """The descriptors of one recorder. rings: by slot. generations: by number, then by the end of the name."""

    number: int
    maps: dict[str, int] = field(default_factory=dict)
    rings: dict[int, int] = field(default_factory=dict)
    generations: dict[int, dict[str, int]] = field(default_factory=dict)

    def named(self) -> dict[str, int]:
        """All of them by their whole names."""
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


def map_name(recorder: int, name: str) -> str:
    """The name under which a map is kept."""
    return f"r{recorder}.map.{name}"


def ring_name(recorder: int, slot: int) -> str:
    """The name under which a ring is kept."""
    return f"r{recorder}.ring.{slot}"


def generation_name(recorder: int, generation: int, name: str) -> str:
    """The name under which something of a generation is kept."""
    return f"r{recorder}.g{generation}.{name}"


def sort(fds: Mapping[str, int]) -> tuple[list[KeptRecorder], list[str]]:
    """What a keeper handed over, by recorder, the oldest first; and the names that are none of ours."""
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
