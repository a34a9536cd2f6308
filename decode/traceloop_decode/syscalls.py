# SPDX-License-Identifier: Apache-2.0
"""System calls by number: their names, and the kernel's names and C types of their arguments.

A number has a meaning only in one of a kernel's tables: an `Abi`. Another architecture takes another table in `tables/`
and a line in `_ARCHES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Final, NamedTuple

from traceloop_decode import multiplexed_calls
from traceloop_decode.tables import aarch64, arm, i386, x86_64

EXECS: Final = frozenset(("execve", "execveat"))
"""Calls that replace a process's program."""
OPENS: Final = frozenset(("open", "openat", "openat2"))
"""Calls that open a file by its name."""
FORKS: Final = frozenset(("clone", "clone3", "fork", "vfork"))
"""Calls that create a process or a thread."""
READS: Final = frozenset(("read", "pread64", "readv", "preadv", "preadv2", "recvfrom", "recvmsg"))
"""Calls whose result is a number of bytes that were read."""
WRITES: Final = frozenset(("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg"))
"""Calls whose result is a number of bytes that were written."""
ACCOUNTS: Final = frozenset(
    (
        *("mmap", "mmap2", "old_mmap", "mremap", "brk", "mprotect", "pkey_mprotect", "remap_file_pages", "shmget"),
        *("madvise", "process_madvise", "mlock", "mlock2", "mlockall", "io_setup", *FORKS, *EXECS),
        # a file in memory grows (mm/shmem.c)
        *("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "sendfile64", "splice", "copy_file_range"),
        *("fallocate", "truncate", "truncate64", "ftruncate", "ftruncate64", "symlink", "symlinkat", "memfd_create"),
    )
)
"""Calls that may take memory, for which the kernel asks for CAP_SYS_ADMIN (mm/util.c) and goes on without."""
QUIET: Final = frozenset(
    (
        *(
            "capget",
            "clock_gettime",
            "clock_nanosleep",
            "epoll_pwait",
            "epoll_wait",
            "futex",
            "getpid",
            "getppid",
            "gettid",
        ),
        *(
            "madvise",
            "mmap",
            "mprotect",
            "munmap",
            "nanosleep",
            "prctl",
            "rt_sigaction",
            "rt_sigprocmask",
            "rt_sigreturn",
        ),
        *("sched_getaffinity", "sched_yield", "sigaltstack", "tgkill"),
    )
)
"""Calls that say nothing of how a container is set up, unless they fail; most of a runtime's are of them."""
MESSAGES: Final = frozenset(
    (
        *("sendto", "recvfrom", "send", "recv", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg"),
        *("read", "write", "readv", "writev"),
    )
)
"""Calls that send or receive a socket's messages."""


class Param(NamedTuple):
    """An argument: ``const char *filename`` has the name ``filename`` and the ctype ``const char *``."""

    name: str
    ctype: str


@dataclass(frozen=True, slots=True)
class Syscall:
    """A system call. known: `params` are its arguments; False for a few calls that Linux names and never had."""

    name: str
    params: tuple[Param, ...]
    known: bool = True


Later = Mapping[int, Syscall]
"""Calls newer than the tables, which the recording kernel named itself, by number."""


@dataclass(frozen=True, slots=True, eq=False)
class Abi:
    """A table of calls. arch: as uname(2) names it. compat: the table of 32-bit programs.

    prototypes: number -> C prototype. later: calls that the recording kernel named itself. within: calls that other
    calls make, by the numbers of `multiplexed_calls`. requests: the numbers are opcodes of io_uring.
    """

    arch: str
    compat: bool
    prototypes: Mapping[int, str]
    later: Later = field(default_factory=dict)
    within: Mapping[int, str] = field(default_factory=dict)
    requests: bool = False

    def lookup(self, number: int) -> Syscall | None:
        """Returns the call of a number, or None if there is no such call."""
        prototype = self.prototypes.get(number) or self.within.get(number)
        return parsed(prototype) if prototype is not None else self.later.get(number)

    def call_name(self, number: int) -> str:
        """Returns the name of a call; strace's form ``syscall_0x270f`` if it has none."""
        call = self.lookup(number)
        if call is None and self.requests:
            return f"opcode_{number}"
        return call.name if call else f"syscall_{number & 0xFFFF_FFFF_FFFF_FFFF:#x}"

    def table(self) -> dict[int, Syscall]:
        """Returns all calls by number."""
        return {**self.later, **{number: parsed(prototype) for number, prototype in self.prototypes.items()}}


X86_64: Final = Abi("x86_64", compat=False, prototypes=x86_64.CALLS)
_BY_NAME: Final = {text.partition("(")[0]: text for text in x86_64.CALLS.values()} | multiplexed_calls.PROTOTYPES
_BY_ANY_NAME: Final = {text.partition("(")[0]: text for calls in (i386, x86_64) for text in calls.CALLS.values()}
_WITHIN: Final = {number: _BY_NAME[call.name] for number, call in multiplexed_calls.CALLS.items()}
I386: Final = Abi("x86_64", compat=True, prototypes=i386.CALLS, within=_WITHIN)
AARCH64: Final = Abi("aarch64", compat=False, prototypes=aarch64.CALLS)
ARM: Final = Abi("aarch64", compat=True, prototypes=arm.CALLS)
_ARCHES: Final = {abis[0].arch: abis for abis in ((X86_64, I386), (AARCH64, ARM))}
ABIS: Final = tuple(abi for abis in _ARCHES.values() for abi in abis)


def abis(arch: str, later: Later | None = None) -> tuple[Abi, Abi]:
    """Returns a kernel's own table and that of its 32-bit programs; empty tables for an unknown architecture.

    later: calls that the kernel named itself; they are added to its own table, if that lacks the number.
    """
    return _abis(arch, frozenset(later.items()) if later else frozenset())


@lru_cache(maxsize=16)  # printers are compiled per Abi, so equal ones are shared
def _abis(arch: str, later: frozenset[tuple[int, Syscall]]) -> tuple[Abi, Abi]:
    native, compat = _ARCHES.get(arch) or (
        Abi(arch, compat=False, prototypes={}),
        Abi(arch, compat=True, prototypes={}),
    )
    if not later:
        return native, compat
    new = {number: call for number, call in later if number not in native.prototypes}
    return Abi(arch, compat=False, prototypes=native.prototypes, later=new), compat


def table(compat: bool) -> dict[int, Syscall]:  # noqa: FBT001 - `compat` is the other half of a call's number
    """Returns all calls of x86 by number."""
    return (I386 if compat else X86_64).table()


@cache
def argument_count(name: str) -> int:
    """Returns how many arguments a call of x86 has, by its name; 0 for an unknown one."""
    prototype = _BY_ANY_NAME.get(name)
    return len(parsed(prototype).params) if prototype is not None else 0


@cache
def parsed(prototype: str) -> Syscall:
    """Returns the call that a C prototype describes."""
    name, _, rest = prototype.removesuffix(")").partition("(")
    if rest == "?":
        return Syscall(name, (), known=False)
    fields = (re.fullmatch(r"(.*?)(\w+)", field) for field in rest.split(", ") if field)
    return Syscall(name, tuple(Param(field[2], field[1].rstrip()) for field in fields if field))
