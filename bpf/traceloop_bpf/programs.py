# SPDX-License-Identifier: Apache-2.0
"""The programs of one recorder and the maps that they share: loaded, adopted, exchanged while they record."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls
from traceloop_bpf.geometry import Geometry, possible_cpus
from traceloop_bpf.identity import layout_digest, program_digest
from traceloop_bpf.kept_fds import About, Keeper, KeptRecorder, generation_name, map_name
from traceloop_bpf.loader import BELOW, OWN, PROGRAMS, SHARED, SLOTS, load
from traceloop_decode import layout
from traceloop_decode.arguments.capture import calls_table

_KEY: Final = Struct("<I")
_VARIANT: Final = Struct("<Q")
_TURN: Final = Struct("<Q")
_ABOUT: Final = "about"
_PROGRAM: Final = "program."
_WHOLE: Final = {_ABOUT, *(f"link.{function}" for function in PROGRAMS)}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recorder is to be. Sizes in bytes; `defines` are more -D values, for tests."""

    ring_size: int = 1 << 20
    item_max: int = 256
    call_max: int = 1024
    pool_size: int = 8
    defines: Mapping[str, int] = field(default_factory=dict)

    def about(self) -> About:
        """What the programs by this plan are, on this machine and in this version."""
        geometry = Geometry.fit(self.ring_size, self.item_max, self.call_max, possible_cpus())
        digest = layout_digest(geometry, {"slots": SLOTS, "below": BELOW, "record": layout.RECORD_VERSION})
        table, variants = calls_table(self.item_max, self.call_max)
        rules = table + repr(sorted(variants.items())).encode()
        return About(digest, program_digest(digest, rules, self.defines), geometry)


class Programs:
    """The programs that record, and `maps` of loader.SHARED. about: what they are."""

    def __init__(self, number: int, keeper: Keeper, maps: dict[str, int]) -> None:
        self.number, self.maps = number, maps
        self.about: About
        self._keeper = keeper
        self._generation = 0
        self._fds: dict[str, int] = {}

    @classmethod
    def load(cls, number: int, plan: Plan, keeper: Keeper) -> Programs:
        """Compiles, loads and attaches the first ones, which record at once. Raises LoadError, OSError."""
        programs = cls(number, keeper, {})
        programs._bring_in(plan)
        keeper.keep({map_name(number, name): fd for name, fd in programs.maps.items()})
        programs._set_turn(2 * programs._generation)
        return programs

    @classmethod
    def adopt(cls, kept: KeptRecorder, keeper: Keeper) -> Programs:
        """Those that a former daemon left. Raises ValueError for what is not whole, OSError."""
        if missing := set(SHARED) - kept.maps.keys():
            raise ValueError(f"without the maps {', '.join(sorted(missing))}")
        programs = cls(kept.number, keeper, dict(kept.maps))
        whole = {number for number, fds in kept.generations.items() if fds.keys() >= _WHOLE}
        generation, handing_over = divmod(programs._turn(), 2)
        if handing_over and generation + 1 in whole:
            generation += 1
        if generation not in whole:
            raise ValueError(f"without its programs of generation {generation}")
        programs.about = About.read(kept.generations[generation][_ABOUT])
        programs._set_turn(2 * generation)
        programs._generation, programs._fds = generation, kept.generations[generation]
        for number in kept.generations.keys() - {generation}:  # the daemon died while it exchanged them
            programs._let_go(number, kept.generations.pop(number))
        return programs

    def exchange(self, plan: Plan, wait_for_programs: Callable[[], None]) -> None:
        """Puts the plan's programs in the place of those that record. No event is lost or doubled.

        The layout must be the same. wait_for_programs: returns when none that runs now still does.
        Raises LoadError, OSError; then the old ones go on.
        """
        generation, former = self._generation, self._fds
        self._bring_in(plan)
        self._set_turn(2 * generation + 1)
        wait_for_programs()
        self._set_turn(2 * self._generation)
        self._let_go(generation, former)

    def _bring_in(self, plan: Plan) -> None:
        # The next generation, which is silent as yet.
        about, generation = plan.about(), self._generation + 1
        loaded = load(about.geometry, generation, plan.defines, self.maps)
        table, variants = calls_table(plan.item_max, plan.call_max)
        for number, at in enumerate(range(0, len(table), layout.CALL_SIZE)):
            bpfcalls.update(loaded.maps["calls"], _KEY.pack(number), table[at : at + layout.CALL_SIZE])
        for key, place in variants.items():
            bpfcalls.update(loaded.maps["variants"], _VARIANT.pack(key), _KEY.pack(place))
        for name in OWN:  # the programs have them
            os.close(loaded.maps.pop(name))
        fds = {**loaded.programs, _ABOUT: about.memfd()}
        self._keeper.keep({generation_name(self.number, generation, name): fd for name, fd in fds.items()})
        self.about, self.maps, self._fds, self._generation = about, loaded.maps, fds, generation

    def _turn(self) -> int:
        value = bpfcalls.lookup(self.maps["control"], _KEY.pack(0), _TURN.size)
        return int(_TURN.unpack(value or bytes(_TURN.size))[0])

    def _set_turn(self, turn: int) -> None:
        # One store, unlike an update by bpf(2): programs may read it meanwhile.
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
        """What someone did to the maps or links, so that nothing can be registered or recorded; empty: nothing."""
        for name, fd in self.maps.items():
            if bpfcalls.about(fd).get("frozen", "0") != "0":
                return f"the map {name} was frozen"
        for function, tracepoint in PROGRAMS.items():
            about = bpfcalls.about(self._fds[f"link.{function}"])
            if (about.get("link_type"), about.get("tp_name")) != ("raw_tracepoint", tracepoint):
                return f"{function} was detached from the tracepoint {tracepoint}"
        return ""

    def fds(self) -> dict[str, int]:
        """All descriptors, by the names that the keeper knows."""
        return {
            **{map_name(self.number, name): fd for name, fd in self.maps.items()},
            **{generation_name(self.number, self._generation, name): fd for name, fd in self._fds.items()},
        }

    @contextmanager
    def held(self) -> Iterator[dict[str, int]]:
        """Descriptors of the programs that record now, by function; an exchange meanwhile does not close these."""
        with ExitStack() as stack:
            held = {}
            for name, fd in self._fds.items():
                if name.startswith(_PROGRAM):
                    held[name.removeprefix(_PROGRAM)] = os.dup(fd)
                    stack.callback(os.close, held[name.removeprefix(_PROGRAM)])
            yield held

    def close(self) -> None:
        """Lets go of them; what no keeper has leaves the kernel."""
        for fd in self.fds().values():
            os.close(fd)
