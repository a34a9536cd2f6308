# SPDX-License-Identifier: Apache-2.0
"""The vocabulary between the decoder's layers: what a Snapshot's records mean, as frozen values.

::

    Snapshot -> records -> Event = Call | Entered | Returned | Signal | TaskExit | Lost -> text

Times are nanoseconds of CLOCK_BOOTTIME (``ts_ns``); a Snapshot knows the offset to CLOCK_REALTIME. What there is most
of are named tuples, which are made in a quarter of the time that a frozen dataclass takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from traceloop_decode.syscalls import Abi


class DecodeError(ValueError):
    """The bytes are no snapshot that this version can read. The message says why, and what to do."""


class Item(NamedTuple):
    """What a pointer argument pointed at, or one element of a list that it pointed at.

    kind: ``layout.KIND_*``. sub: index within a list, ``layout.SUB_NAME``, ``layout.SUB_CONTROL``, or 0.
    size: bytes the call spoke of; `data` holds the first of them. more: there was more than was kept.
    fault: what `data` lacks could not be read. out: read when the call had returned.
    """

    sub: int
    kind: int
    data: bytes
    size: int
    more: bool
    fault: bool
    out: bool


class Arg(NamedTuple):
    """One argument: the kernel's own name and C type for it, the register (unsigned, 64 bits), what it pointed at."""

    name: str
    ctype: str
    raw: int
    items: tuple[Item, ...] = ()


class Socket(NamedTuple):
    """A socket's kind, as ``TCP``, and the addresses of its ends; "" for what is not known.

    protocol: as socket(2) was given it.
    """

    kind: str
    local: str = ""
    remote: str = ""
    protocol: int = 0


class KnownFile(Protocol):
    """What a descriptor stood for. text: as it is printed, in angle brackets; "" where there is nothing to print."""

    @property
    def text(self) -> str: ...

    @property
    def socket(self) -> Socket | None: ...


class Files(NamedTuple):
    """What a call's numbers stood for. before: its descriptors, when it began; cwd: the directory then.

    result: of a descriptor that it made. Both are None where that is not known.
    """

    before: Mapping[int, KnownFile]
    cwd: KnownFile | None
    result: KnownFile | None


class Call(NamedTuple):
    """A system call, as far as it was recorded.

    abi: the table that `number` is of. number: -1 where the kernel no longer knew it. comm, cpu and ts_ns are those at
    entry (at exit if there is no entry). registers: the arguments, unsigned, 64 bits. items: by the index of their
    argument.
    result: signed 64 bits; None while the call has not returned. end_ns, end_cpu, end_comm: when and where it returned.
    entry_lost: only the exit was recorded; `registers` is then empty, or read at exit (a call that seccomp refused).
    files: what `descriptors.follow.known` says, where it was asked.
    read_at_exit: the arguments whose input could not be read at entry, or whose entry was not recorded: its memory was
    read when the call had returned, and another thread may have changed it by then.
    """

    ts_ns: int
    cpu: int
    pid: int
    tid: int
    comm: str
    abi: Abi
    number: int
    name: str
    registers: tuple[int, ...]
    items: Mapping[int, tuple[Item, ...]]
    result: int | None = None
    end_ns: int | None = None
    end_cpu: int | None = None
    end_comm: str | None = None
    entry_lost: bool = False
    files: Files | None = None
    read_at_exit: frozenset[int] = frozenset()

    @property
    def compat(self) -> bool:
        """Is it a 32-bit program's, with a table of its own?"""
        return self.abi.compat

    @property
    def args(self) -> tuple[Arg, ...]:
        """The arguments with their names and types, as far as the table knows them."""
        syscall = self.abi.lookup(self.number)
        params = syscall.params if syscall is not None else ()
        return tuple(
            Arg(*params[n], raw, self.items.get(n, ()))
            if n < len(params)
            else Arg(f"arg{n}", "unsigned long", raw, self.items.get(n, ()))
            for n, raw in enumerate(self.registers)
        )


class Entered(NamedTuple):
    """A call began, and something else of the trace comes before its return: `Returned`, or nothing, follows later."""

    call: Call


class Returned(NamedTuple):
    """The call of an earlier `Entered` returned; `call` is whole, its args with the items that came with the exit.

    A call whose entry was lost is a `Returned` as well, with ``call.entry_lost``.
    """

    call: Call


class Sender(NamedTuple):
    """The process that sent a signal: its number in the outermost pid namespace, and the name of its thread."""

    pid: int
    comm: str


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal was delivered. siginfo: the first 48 bytes of siginfo_t, all zero where the kernel had none.

    handler: 0 SIG_DFL, 1 SIG_IGN, else an address. flags: sa_flags. sender: of a signal that a process sent and that
    ends the receiver's process at once; of others it is not recorded.
    """

    ts_ns: int
    cpu: int
    pid: int
    tid: int
    comm: str
    number: int
    siginfo: bytes
    handler: int
    flags: int
    sender: Sender | None = None


@dataclass(frozen=True, slots=True)
class TaskExit:
    """A thread ended. code: as wait(2) reports it.

    group_dead: no other thread of its process is left, and code is the process's. Before Linux 6.16, two threads that
    end at once may both say so.
    """

    ts_ns: int
    cpu: int
    pid: int
    tid: int
    comm: str
    code: int
    group_dead: bool


class Lost(NamedTuple):
    """Here events of one CPU are missing. reason: ``overwritten``, ``rejected`` or ``dropped``.

    events: calls, signals and thread exits that began there; records: the same and the calls that returned there.
    """

    ts_ns: int
    cpu: int
    events: int
    records: int
    reason: str


Event = Call | Entered | Returned | Signal | TaskExit | Lost
