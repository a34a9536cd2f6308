# SPDX-License-Identifier: Apache-2.0
"""The programs of one recorder and their shared maps: loading, adoption, exchange while recording."""

from __future__ import annotations

import mmap
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls, capabilities, io_uring
from traceloop_bpf.compiler import LATER_PROGRAMS, OPTIONAL_PROGRAMS, PROGRAMS
from traceloop_bpf.geometry import FIRSTS_SIZE, Geometry, possible_cpus
from traceloop_bpf.identity import layout_digest, program_digest
from traceloop_bpf.kept_fds import About, Keeper, KeptRecorder, generation_name, map_name
from traceloop_bpf.loader import BELOW, LATER_MAPS, OWN, SHARED, SLOTS, load
from traceloop_decode import layout
from traceloop_decode.arguments.capture import calls_table
from traceloop_decode.requests import OPCODES

_KEY: Final = Struct("<I")
_VARIANT: Final = Struct("<Q")
_TURN: Final = Struct("<Q")
_ABOUT: Final = "about"
_PROGRAM: Final = "program."
_WHOLE: Final = {_ABOUT, *(f"link.{function}" for function in PROGRAMS.keys() - LATER_PROGRAMS)}


@dataclass(frozen=True, slots=True)
class Plan:
    """The configuration of a recorder. Sizes in bytes; defines: further -D values, for tests.

    withheld_at_birth: the classes of memory (layout.CLASS_...) that are kept out of the ring of a container that is
    recorded from its birth, until it is known what it wants. environment: record the strings of environments.
    """

    ring_size: int = 1 << 20
    item_max: int = 256
    call_max: int = 1024
    pool_size: int = 8
    withheld_at_birth: int = 0
    defines: Mapping[str, int] = field(default_factory=dict)
    firsts_size: int = FIRSTS_SIZE
    environment: bool = False

    def about(self) -> About:
        """Returns the description of the programs that this plan gives on this machine and in this version."""
        geometry = Geometry.fit(self.ring_size, self.item_max, self.call_max, possible_cpus(), self.firsts_size)
        digest = layout_digest(geometry, {"slots": SLOTS, "below": BELOW, "record": layout.RECORD_VERSION})
        table, variants = calls_table(self.item_max, self.call_max, platform.machine(), environment=self.environment)
        rules = table + repr((sorted(variants.items()), OPCODES, io_uring.SOURCES)).encode()
        return About(digest, program_digest(digest, rules, self.defines), geometry)


class Programs:
    """The programs that record. maps: descriptors of loader.SHARED. about: a description of the programs."""

    def __init__(self, number: int, keeper: Keeper, maps: dict[str, int]) -> None:
        self.number, self.maps = number, maps
        self.about: About
        self._keeper = keeper
        self._generation = 0
        self._fds: dict[str, int] = {}

    @classmethod
    def load(cls, number: int, plan: Plan, keeper: Keeper) -> Programs:
        """Compiles, loads and attaches the first generation, which records at once. Raises LoadError, OSError."""
        programs = cls(number, keeper, {})
        programs._bring_in(plan)
        keeper.keep({map_name(number, name): fd for name, fd in programs.maps.items()})
        programs._set_turn(2 * programs._generation)
        return programs

    @classmethod
    def adopt(cls, kept: KeptRecorder, keeper: Keeper) -> Programs:
        """Adopts the programs that a former daemon left. Raises ValueError if some are missing, OSError."""
        if missing := set(SHARED) - set(LATER_MAPS) - kept.maps.keys():
            raise ValueError(f"maps are missing: {', '.join(sorted(missing))}")
        programs = cls(kept.number, keeper, dict(kept.maps))
        whole = {number for number, fds in kept.generations.items() if fds.keys() >= _WHOLE}
        generation, handing_over = divmod(programs._turn(), 2)
        if handing_over and generation + 1 in whole:
            generation += 1
        if generation not in whole:
            raise ValueError(f"programs of generation {generation} are missing")
        programs.about = About.read(kept.generations[generation][_ABOUT])
        programs._set_turn(2 * generation)
        programs._generation, programs._fds = generation, kept.generations[generation]
        for number in kept.generations.keys() - {generation}:  # the daemon died during an exchange
            programs._let_go(number, kept.generations.pop(number))
        return programs

    def exchange(self, plan: Plan, wait_for_programs: Callable[[], None]) -> None:
        """Replaces the programs by the plan's. No event is lost or recorded twice.

        The layout must be the same. wait_for_programs: waits until every program that is running now has returned.
        Raises LoadError, OSError; the former programs go on recording then.
        """
        generation, former, had = self._generation, self._fds, self.maps.keys()
        self._bring_in(plan)
        later = self.maps.keys() - had  # an older version's recorder lacks them
        self._keeper.keep({map_name(self.number, name): self.maps[name] for name in later})
        self._set_turn(2 * generation + 1)
        wait_for_programs()
        self._set_turn(2 * self._generation)
        self._let_go(generation, former)

    def _bring_in(self, plan: Plan) -> None:
        # Loads the next generation, which records nothing yet.
        about, generation = plan.about(), self._generation + 1
        loaded = load(about, generation, plan.defines, self.maps)
        table, variants = calls_table(plan.item_max, plan.call_max, platform.machine(), environment=plan.environment)
        for number, at in enumerate(range(0, len(table), layout.CALL_SIZE)):
            bpfcalls.update(loaded.maps["calls"], _KEY.pack(number), table[at : at + layout.CALL_SIZE])
        for key, place in variants.items():
            bpfcalls.update(loaded.maps["variants"], _VARIANT.pack(key), _KEY.pack(place))
        for name in OWN:  # the programs hold references to these maps
            os.close(loaded.maps.pop(name))
        fds = {**loaded.programs, _ABOUT: about.memfd()}
        self._keeper.keep({generation_name(self.number, generation, name): fd for name, fd in fds.items()})
        self.about, self.maps, self._fds, self._generation = about, loaded.maps, fds, generation

    def _turn(self) -> int:
        value = bpfcalls.lookup(self.maps["control"], _KEY.pack(0), _TURN.size)
        return int(_TURN.unpack(value or bytes(_TURN.size))[0])

    def _set_turn(self, turn: int) -> None:
        # A single store, unlike an update by bpf(2): programs may read the value at the same time.
        access = mmap.PROT_READ | mmap.PROT_WRITE
        with (
            mmap.mmap(self.maps["control"], mmap.PAGESIZE, mmap.MAP_SHARED, access) as memory,
            memoryview(memory) as view,
            view.cast("Q") as words,
        ):
            words[0] = turn

    def _let_go(self, generation: int, fds: Mapping[str, int]) -> None:
        self._keeper.drop([generation_name(self.number, generation, name) for name in fds])
        for fd in fds.values():
            os.close(fd)

    def trouble(self) -> str:
        """Returns what another program did to the maps or links that prevents recording; empty if nothing."""
        for name, fd in self.maps.items():
            if bpfcalls.about(fd).get("frozen", "0") != "0":
                return f"the map {name} was frozen"
        for function, tracepoint in (PROGRAMS | OPTIONAL_PROGRAMS | capabilities.TRACEPOINTS).items():
            if (link := self._fds.get(f"link.{function}")) is None:  # an older version, or another kernel
                continue
            about = bpfcalls.about(link)
            if (about.get("link_type"), about.get("tp_name")) != ("raw_tracepoint", tracepoint):
                return f"{function} was detached from the tracepoint {tracepoint}"
        for function, tracepoints in (io_uring.TRACEPOINTS | io_uring.OPTIONAL).items():
            if (link := self._fds.get(f"link.{function}")) is None:  # the kernel has no such tracepoint
                continue
            about = bpfcalls.about(link)
            if about.get("link_type") != "raw_tracepoint" or about.get("tp_name") not in tracepoints:
                return f"{function} was detached from the tracepoint {tracepoints[0]}"
        return ""

    @property
    def records_requests(self) -> bool:
        """True if requests of io_uring are recorded: the kernel has the tracepoints."""
        return all(f"link.{function}" in self._fds for function in io_uring.TRACEPOINTS)

    @property
    def records_capabilities(self) -> bool:
        """True if what capabilities are asked for is recorded: the kernel has the tracepoint."""
        return f"link.{capabilities.FUNCTION}" in self._fds

    def fds(self) -> dict[str, int]:
        """Returns all descriptors by their names at the keeper."""
        return {
            **{map_name(self.number, name): fd for name, fd in self.maps.items()},
            **{generation_name(self.number, self._generation, name): fd for name, fd in self._fds.items()},
        }

    @contextmanager
    def held(self) -> Iterator[dict[str, int]]:
        """Yields duplicates of the current programs' descriptors, by function; an exchange does not close them."""
        with ExitStack() as stack:
            held = {}
            for name, fd in self._fds.items():
                if name.startswith(_PROGRAM):
                    held[name.removeprefix(_PROGRAM)] = os.dup(fd)
                    stack.callback(os.close, held[name.removeprefix(_PROGRAM)])
            yield held

    def close(self) -> None:
        """Closes all descriptors. The kernel frees the programs and maps that no keeper holds."""
        for fd in self.fds().values():
            os.close(fd)
