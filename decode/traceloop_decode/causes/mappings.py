# SPDX-License-Identifier: Apache-2.0
"""Names the places of addresses in code: the file that is mapped there, and the distance in it.

What ld.so and dlopen(3) map is known by the calls of mmap, as far as the ring still has them. The program itself is
mapped by execve, which makes no such call: the kernel tells the addresses of its code with a fault, and the distance in
whichever file if that has a build id.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from traceloop_decode.causes import subject
from traceloop_decode.causes.processes import Processes
from traceloop_decode.model import Call, Fault, Frame

_MAPPINGS_MAX: Final = 1024
_PROCESSES_MAX: Final = 1024
_GENERATIONS_MAX: Final = 16
_PROT_EXEC: Final = 4
_MAP_FIXED: Final = 0x10 | 0x100000  # and MAP_FIXED_NOREPLACE
_MMAP2_SHIFT: Final = 12  # mmap2(2)
_INT: Final = 0xFFFFFFFF
_ARGUMENTS: Final = 6
_BUILD_ID_SHOWN: Final = 12


class _Mapping(NamedTuple):
    # path: "" where something else took the place.
    begin: int
    end: int
    path: str
    offset: int


class Mappings:
    """The files that processes have mapped to execute them."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._by_pid: dict[int, list[_Mapping]] = {}

    def mapped(self, call: Call) -> None:
        """Observes an mmap that succeeded."""
        if len(call.registers) < _ARGUMENTS or call.result is None:
            return
        _, length, prot, flags, fd, offset = call.registers
        known = call.files.before.get(fd & _INT) if prot & _PROT_EXEC and call.files is not None else None
        path = subject.bare(known.text) if known is not None else ""
        if call.name == "mmap2":
            offset <<= _MMAP2_SHIFT
        if path.startswith("/") or flags & _MAP_FIXED:
            self._put(call.pid, _Mapping(call.result, call.result + length, path, offset))

    def unmapped(self, call: Call) -> None:
        """Observes a munmap that succeeded."""
        begin, length, *_ = (*call.registers, 0, 0)
        self._put(call.pid, _Mapping(begin, begin + length, "", 0))

    def executed(self, call: Call) -> None:
        """Observes an execve that succeeded: all mappings are gone."""
        self._by_pid.pop(call.pid, None)

    def _put(self, pid: int, new: _Mapping) -> None:
        others = [one for one in self._by_pid.get(pid, ()) if one.begin < new.begin or one.end > new.end]
        if new.path or any(one.begin < new.end and new.begin < one.end for one in others):
            others.append(new)
        if not others:
            self._by_pid.pop(pid, None)
        elif pid in self._by_pid or len(self._by_pid) < _PROCESSES_MAX:
            self._by_pid[pid] = others[:_MAPPINGS_MAX]

    def places(self, pid: int, fault: Fault) -> list[str]:
        """Returns the places of a stack, from the instruction on; an address where no place is known."""
        return [self.place(pid, frame, fault) or f"{frame.address:#x}" for frame in fault.stack]

    def place(self, pid: int, frame: Frame, fault: Fault) -> str:
        """Returns ``/usr/lib/libc.so.6+0x2a1``; "" if a frame's place is not known. fault: that it is part of."""
        for generation in self._generations(pid):
            for one in reversed(self._by_pid.get(generation, ())):
                if one.begin <= frame.address < one.end:
                    return f"{one.path}+{frame.address - one.begin + one.offset:#x}" if one.path else ""
        begin, end = fault.code
        if begin <= frame.address < end and (path := self._program(pid)):
            return f"{path}+{frame.offset:#x}" if frame.build_id else path
        return f"build id {frame.build_id[:_BUILD_ID_SHOWN]}+{frame.offset:#x}" if frame.build_id else ""

    def _program(self, pid: int) -> str:
        *_, last = self._generations(pid)
        process = self._processes.by_pid.get(last)
        return subject.path(process.execve) if process is not None and process.execve is not None else ""

    def _generations(self, pid: int) -> list[int]:
        # The process, and those whose mappings it has by forks: up to the one that executed the program.
        found = [pid]
        while len(found) < _GENERATIONS_MAX:
            process = self._processes.by_pid.get(found[-1])
            if process is None or process.execve is not None or not process.parent or process.parent in found:
                break
            found.append(process.parent)
        return found
