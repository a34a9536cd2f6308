# SPDX-License-Identifier: Apache-2.0
"""Creates the recorder's maps, and loads and attaches its compiled programs.

What the compiler made is kept (`compiled_cache`), and loaded the same way whether it was kept or has just been made.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

from traceloop_bpf import bpfcalls, compiled_cache, compiler, losses
from traceloop_bpf.compiled import GENERATION, PID_NAMESPACE, Compiled, CompiledMap, CompiledProgram
from traceloop_bpf.errors import LoadError
from traceloop_bpf.geometry import Geometry
from traceloop_bpf.kept_fds import About
from traceloop_decode import layout

BIRTH_MAPS: Final = ("stock", "births", "shapes", "runtimes")
"""Names of the maps that recording from births needs."""
LATER_MAPS: Final = (*BIRTH_MAPS, losses.MAP)
"""Names of the maps that a recorder of an older version may lack."""
SHARED: Final = ("rings", "cgroup_front", "cgroups", "below", "entered", "control", *LATER_MAPS)
"""Names of the maps that all generations of a recorder's programs share."""
OWN: Final = ("calls", "variants")
"""Names of the maps that belong to one generation: its capture rules. `opcodes` is filled here."""
SLOTS: Final = layout.FRONT_MASK + 1
BELOW: Final = 16 * layout.BELOW_SHARE
"""Maximum number of recorded cgroups below containers' own, for all containers together."""
_OPCODES: Final = "opcodes"
_LOG_SHOWN_CHARACTERS: Final = 1 << 16
_VERIFIED_AT_ONCE: Final = min(8, os.cpu_count() or 1)
_KEY: Final = Struct("<I")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Descriptors by name. maps: SHARED and OWN. programs: ``program.F`` and ``link.F`` for each function F."""

    maps: dict[str, int]
    programs: dict[str, int]


def load(
    about: About,
    generation: int,
    defines: Mapping[str, int] | None = None,
    shared: Mapping[str, int] | None = None,
) -> Loaded:
    """Loads the recorder's programs into the kernel; they record nothing until `control` holds 2 * `generation`.

    defines: further -D values, for tests. shared: the maps of SHARED that the generation before uses, to be used as
    well. The programs stay attached as long as the links' descriptors are open. Raises LoadError, OSError.
    """
    values = values_of(about.geometry, defines or {})
    name = compiled_cache.key(about.program, values)
    compiled = compiled_cache.find(name)
    if compiled is None:
        compiled = compiler.compiled(values)
        compiled_cache.keep(name, compiled)
    numbers = {GENERATION: generation, PID_NAMESPACE: Path("/proc/self/ns/pid").stat().st_ino}
    with ExitStack() as undo:
        maps = _maps(compiled, shared or {}, undo)
        for opcode, how in compiled.opcodes.items():
            bpfcalls.update(maps[_OPCODES], _KEY.pack(opcode), how)
        programs: dict[str, int] = {}
        loaded = _all_loaded({each.function: each.code_for(maps, numbers) for each in compiled.programs}, undo)
        for program in compiled.programs:
            fd = loaded[program.function]
            link = _attached(program, fd)
            undo.callback(os.close, link)
            programs |= {f"program.{program.function}": fd, f"link.{program.function}": link}
        undo.pop_all()
    for passing in maps.keys() - {*SHARED, *OWN}:  # the programs hold references to these maps
        os.close(maps.pop(passing))
    return Loaded(maps, programs)


def values_of(geometry: Geometry, defines: Mapping[str, int]) -> dict[str, int]:
    """Returns the -D values of the programs but for those that the kernel's BTF tells."""
    return {
        "TL_RING_SIZE": geometry.ring_size,
        "TL_CHUNK_SIZE": geometry.chunk_size,
        "TL_CPUS": geometry.cpus,
        "TL_ITEM_MAX": geometry.item_max,
        "TL_CALL_MAX": geometry.call_max,
        "TL_SLACK": geometry.slack,
        "TL_DATA_OFFSET": geometry.data_offset,
        "TL_FIRSTS_SIZE": geometry.firsts_size,
        "TL_RUNTIME_SIZE": geometry.runtime_size,
        "TL_TOTALS": geometry.totals,
        "TL_SLOTS": SLOTS,
        "TL_BELOW": BELOW,
        "TL_PAGE_SIZE": mmap.PAGESIZE,
        **defines,
    }


def _maps(compiled: Compiled, shared: Mapping[str, int], undo: ExitStack) -> dict[str, int]:
    # Returns all maps by name: `shared` ones, and the others, which are new.
    fds = dict(shared)
    for wanted in sorted(compiled.maps, key=lambda each: bool(each.template)):
        if wanted.name not in shared:
            fds[wanted.name] = _created(wanted, fds.get(wanted.template, 0))
            undo.callback(os.close, fds[wanted.name])
        elif bpfcalls.map_info(shared[wanted.name]).shape != wanted.shape:
            raise LoadError(f"the map {wanted.name} in the kernel differs from this version's: restart with new rings")
    return fds


def _created(wanted: CompiledMap, template: int) -> int:
    try:
        return bpfcalls.create_map(wanted.shape, wanted.name, template)
    except OSError as error:
        raise _refused(f"map {wanted.name}", error) from error


def _all_loaded(code: Mapping[str, bytes], undo: ExitStack) -> dict[str, int]:
    # The verifier takes a CPU for up to half a second for each, so several run at the same time, the longest first.
    with ThreadPoolExecutor(_VERIFIED_AT_ONCE) as threads:
        longest = sorted(code.items(), key=lambda one: -len(one[1]))
        loading = {function: threads.submit(_loaded, function, its) for function, its in longest}
    for future in loading.values():
        if future.exception() is None:
            undo.callback(os.close, future.result())
    return {function: future.result() for function, future in loading.items()}


def _loaded(function: str, code: bytes) -> int:
    try:
        return bpfcalls.load_program(code, function)
    except OSError as error:
        log = bpfcalls.verifier_log(code, function)[-_LOG_SHOWN_CHARACTERS:]
        raise _refused(f"program {function}", error, log) from error


def _refused(what: str, error: OSError, log: str = "") -> LoadError:
    why = os.strerror(error.errno or 0)
    return LoadError(f"the kernel refuses the {what}: {why}: {compiler.remedy(f'{why} {log}')}", log.splitlines())


def _attached(program: CompiledProgram, fd: int) -> int:
    try:
        return bpfcalls.attach(fd, program.tracepoint)
    except OSError as error:
        what = f"attach {program.function} to the raw tracepoint {program.tracepoint}"
        raise LoadError(f"the kernel refused to {what}: {error}") from error
