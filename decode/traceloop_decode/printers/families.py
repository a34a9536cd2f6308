# SPDX-License-Identifier: Apache-2.0
"""Tables of the family modules, merged. A new family is added here, and nowhere else.

A family is a module with any of the names below; two families may not define the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from traceloop_decode.printers import (
    aio,
    bpf_attributes,
    files,
    files_attributes,
    files_fcntl,
    files_memory,
    files_mounts,
    files_vectors,
    io_uring,
    ioctl,
    ipc,
    network,
    numbers,
    perf_events,
    poll,
    process,
    process_children,
    process_memory,
    process_options,
    process_scheduling,
    ptrace,
    ptrace_registers,
    quotas,
    signals,
    system,
    time,
)
from traceloop_decode.printers.view import Printer, StructPrinter, View

_FAMILIES: Final = (
    numbers,
    files,
    files_attributes,
    files_fcntl,
    files_memory,
    files_mounts,
    files_vectors,
    network,
    ioctl,
    process,
    process_children,
    ipc,
    process_memory,
    process_options,
    process_scheduling,
    ptrace,
    ptrace_registers,
    quotas,
    system,
    bpf_attributes,
    perf_events,
    io_uring,
    aio,
    poll,
    signals,
    time,
)


def _merged(name: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for family in _FAMILIES:
        theirs = getattr(family, name, {})
        twice = theirs.keys() & merged.keys()
        if twice:
            raise ValueError(f"{family.__name__}: {name} has {twice}, which another family has")
        merged |= theirs
    return merged


VALUES: Final[dict[str, Printer]] = _merged("VALUES")
"""Word -> printer of an argument that the family prints itself, from its register or its memory."""
STRUCTS: Final[dict[str, StructPrinter]] = _merged("STRUCTS")
"""Word -> printer of one struct in memory; its size is in `arguments.table.SIZES`."""
RESULTS: Final[dict[str, Callable[[View], str]]] = _merged("RESULTS")
"""Call -> text after the number of its result, such as `` (flags O_RDWR)``."""
LATE: Final[frozenset[str]] = frozenset(word for family in _FAMILIES for word in getattr(family, "LATE", ()))
"""Words, or ``direction:word``, that strace prints only after the call has returned, although they are no outputs."""
TRACED: Final[dict[str, Printer]] = _merged("TRACED")
"""word -> printer of the argument in strace's line, if that is not the argument's own value."""
ORDERS: Final[dict[str, tuple[tuple[str, str], ...]]] = _merged("ORDERS")
"""call -> strace's order of its arguments, if it differs from the kernel's: the kernel's names, and strace's."""
