# SPDX-License-Identifier: Apache-2.0
"""Tables of the family modules, merged. A new family is added here, and nowhere else; then `make tables`.

A family is a module with any of the names below; two families may not define the same key. Together they take a third
of the time in which `traceloopctl show` starts, and a trace needs few: `owners` says which family has a word,
and the family is loaded when the word is looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Final, TypeVar

from traceloop_decode.printers import owners
from traceloop_decode.printers.view import Printer, StructPrinter, View

FAMILIES: Final = (
    "numbers",
    "files",
    "files_attributes",
    "files_fcntl",
    "files_memory",
    "files_mounts",
    "files_vectors",
    "network",
    "ioctl",
    "process",
    "process_children",
    "ipc",
    "process_memory",
    "process_options",
    "process_scheduling",
    "ptrace",
    "ptrace_registers",
    "quotas",
    "system",
    "bpf_attributes",
    "perf_events",
    "io_uring",
    "aio",
    "poll",
    "signals",
    "time",
)
TABLES: Final = ("VALUES", "STRUCTS", "RESULTS", "TRACED", "ORDERS")
_Value = TypeVar("_Value")


@cache
def module(family: str) -> ModuleType:
    """Returns a family's module."""
    match family:
        case "numbers":
            from traceloop_decode.printers import numbers

            return numbers
        case "files":
            from traceloop_decode.printers import files

            return files
        case "files_attributes":
            from traceloop_decode.printers import files_attributes

            return files_attributes
        case "files_fcntl":
            from traceloop_decode.printers import files_fcntl

            return files_fcntl
        case "files_memory":
            from traceloop_decode.printers import files_memory

            return files_memory
        case "files_mounts":
            from traceloop_decode.printers import files_mounts

            return files_mounts
        case "files_vectors":
            from traceloop_decode.printers import files_vectors

            return files_vectors
        case "network":
            from traceloop_decode.printers import network

            return network
        case "ioctl":
            from traceloop_decode.printers import ioctl

            return ioctl
        case "process":
            from traceloop_decode.printers import process

            return process
        case "process_children":
            from traceloop_decode.printers import process_children

            return process_children
        case "ipc":
            from traceloop_decode.printers import ipc

            return ipc
        case "process_memory":
            from traceloop_decode.printers import process_memory

            return process_memory
        case "process_options":
            from traceloop_decode.printers import process_options

            return process_options
        case "process_scheduling":
            from traceloop_decode.printers import process_scheduling

            return process_scheduling
        case "ptrace":
            from traceloop_decode.printers import ptrace

            return ptrace
        case "ptrace_registers":
            from traceloop_decode.printers import ptrace_registers

            return ptrace_registers
        case "quotas":
            from traceloop_decode.printers import quotas

            return quotas
        case "system":
            from traceloop_decode.printers import system

            return system
        case "bpf_attributes":
            from traceloop_decode.printers import bpf_attributes

            return bpf_attributes
        case "perf_events":
            from traceloop_decode.printers import perf_events

            return perf_events
        case "io_uring":
            from traceloop_decode.printers import io_uring

            return io_uring
        case "aio":
            from traceloop_decode.printers import aio

            return aio
        case "poll":
            from traceloop_decode.printers import poll

            return poll
        case "signals":
            from traceloop_decode.printers import signals

            return signals
        case "time":
            from traceloop_decode.printers import time

            return time
        case _:
            raise KeyError(family)


class _Merged(Mapping[str, _Value]):
    # One table of all families.
    def __init__(self, table: str, by_word: Mapping[str, str]) -> None:
        self._table, self._owners = table, by_word

    def __getitem__(self, word: str) -> _Value:
        theirs: Mapping[str, _Value] = getattr(module(self._owners[word]), self._table)
        return theirs[word]

    def __contains__(self, word: object) -> bool:
        return word in self._owners

    def __iter__(self) -> Iterator[str]:
        return iter(self._owners)

    def __len__(self) -> int:
        return len(self._owners)


VALUES: Final[Mapping[str, Printer]] = _Merged("VALUES", owners.VALUES)
"""Word -> printer of an argument that the family prints itself, from its register or its memory."""
STRUCTS: Final[Mapping[str, StructPrinter]] = _Merged("STRUCTS", owners.STRUCTS)
"""Word -> printer of one struct in memory; its size is in `arguments.table.SIZES`."""
RESULTS: Final[Mapping[str, Callable[[View], str]]] = _Merged("RESULTS", owners.RESULTS)
"""Call -> text after the number of its result, such as `` (flags O_RDWR)``."""
LATE: Final[frozenset[str]] = owners.LATE
"""Words, or ``direction:word``, that strace prints only after the call has returned, although they are no outputs."""
TRACED: Final[Mapping[str, Printer]] = _Merged("TRACED", owners.TRACED)
"""word -> printer of the argument in strace's line, if that is not the argument's own value."""
ORDERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = _Merged("ORDERS", owners.ORDERS)
"""call -> strace's order of its arguments, if it differs from the kernel's: the kernel's names, and strace's."""
