# SPDX-License-Identifier: Apache-2.0
"""Vocabulary between the decoder's layers: the meaning of a Snapshot's records, as frozen values.

::

    Snapshot -> records -> Event = Call | Entered | Returned | Signal | Ignored | TaskExit | Lost -> text

Times are nanoseconds of CLOCK_BOOTTIME (``ts_ns``); a Snapshot knows the offset to CLOCK_REALTIME. The most frequent
values are named tuples, which are created in a quarter of the time of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from traceloop_decode.syscalls import Abi

FIXED_FILE: Final = 0x01
CQE_SKIP_SUCCESS: Final = 0x40
"""IOSQE_* and IORING_CQE_F_* of linux/io_uring.h."""
CQE_F_MORE: Final = 0x02


class DecodeError(ValueError):
    """The bytes are not a snapshot that this version can read. The message says why, and what to do."""


class Item(NamedTuple):
    """Memory that a pointer argument pointed at, or one element of a list there.

    kind: ``layout.KIND_*``. sub: index within a list, ``layout.SUB_NAME``, ``layout.SUB_CONTROL``, or 0.
    size: number of bytes that the call referred to; `data` holds their leading bytes. more: not all bytes were kept.
    fault: the missing bytes could not be read. out: read when the call had returned. tail: the last bytes, if those
    between them and `data` were not kept.
    """

    sub: int
    kind: int
    data: bytes
    size: int
    more: bool
    fault: bool
    out: bool
    tail: bytes = b""

    def of_first(self, size: int) -> tuple[bytes, bytes]:
        """Returns `data` and `tail` as far as they belong to the first `size` bytes: a call may write only those."""
        return self.data[:size], self.tail[: max(0, size - (self.size - len(self.tail)))]


class Arg(NamedTuple):
    """An argument: the kernel's name and C type for it, the register (unsigned, 64 bits), and what it pointed at."""

    name: str
    ctype: str
    raw: int
    items: tuple[Item, ...] = ()


class Socket(NamedTuple):
    """A socket's kind, such as ``TCP``, and the addresses of its ends; "" for those not known.

    protocol: as passed to socket(2). inode: its number, if a call told it, or 0.
    """

    kind: str
    local: str = ""
    remote: str = ""
    protocol: int = 0
    inode: int = 0


class KnownFile(Protocol):
    """The file that a descriptor stood for. text: its name in angle brackets; "" if there is nothing to print.

    shown: as strace prints it: with numbers of the device, or a socket's inode, that tell runs apart.
    """

    @property
    def text(self) -> str: ...

    @property
    def shown(self) -> str: ...

    @property
    def socket(self) -> Socket | None: ...


class Files(NamedTuple):
    """Files that a call's numbers stood for. before: its descriptors when it began; cwd: the directory at that time.

    result: the file of the descriptor that the call returned. cwd and result are None if unknown.
    """

    before: Mapping[int, KnownFile]
    cwd: KnownFile | None
    result: KnownFile | None


class Request(NamedTuple):
    """The properties of an io_uring request that no system call has.

    serial: counts the requests of a trace, from 1. user_data: as the program chose it. flags: IOSQE_* of its entry in
    the queue. slot: where it makes or closes a direct descriptor: 1 + the index, ``requests.ANY_SLOT``, or 0 for none.
    refused: the kernel did not accept it; the arguments were read from the queue, which the program may have changed.
    completion: IORING_CQE_F_* of the completion that gave the result.
    """

    serial: int
    user_data: int
    flags: int = 0
    slot: int = 0
    refused: bool = False
    completion: int = 0

    @property
    def direct(self) -> bool:
        """True if its descriptor is a direct one: an index of the instance's table, no descriptor of the process."""
        return self.flags & FIXED_FILE != 0

    @property
    def silent(self) -> bool:
        """True if the kernel posts a completion only if the request fails (IOSQE_CQE_SKIP_SUCCESS)."""
        return self.flags & CQE_SKIP_SUCCESS != 0

    @property
    def goes_on(self) -> bool:
        """True if more completions follow the one that gave the result (IORING_CQE_F_MORE)."""
        return self.completion & CQE_F_MORE != 0


class Asked(NamedTuple):
    """A capability that the kernel asked for on behalf of a call. number: of linux/capability.h."""

    number: int
    granted: bool


class Call(NamedTuple):
    """A system call, or an io_uring request, as far as it was recorded.

    abi: the table of `number`. number: -1 if the kernel no longer knew it. comm, cpu and ts_ns: at entry (at exit if it
    has none). registers: the arguments, unsigned, 64 bits. items: by the index of their argument.
    result: signed 64 bits; None until the call returns. end_ns, end_cpu, end_comm: time and place of the return; where
    calls are selected by outcome, end_ns of one that never returned is the end of its thread.
    entry_lost: only the exit was recorded; `registers` is then empty, or read at exit.
    by_seccomp: seccomp answered the call, and the kernel did not run it. The answer was an error or a value, or, if
    `result` is None, SIGSYS or the thread's end.
    files: what `descriptors.follow.known` adds, if used.
    read_at_exit: the arguments whose input could not be read at entry, or whose entry was not recorded: the memory was
    read when the call had returned, and another thread may have changed it by then.
    unlearnt: the result says that the call is to be restarted, and the kernel ended the thread instead.
    request: set for an io_uring request, else None. A request begins when it is submitted and returns with its
    completion; pid, tid and comm are those of the thread that submitted it.
    source: empty if the ring has it, else the area that kept it: "firsts", "runtime".
    asked: the capabilities that it asked for: each that was refused, and those granted that were new for such a call.
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
    unlearnt: bool = False
    request: Request | None = None
    by_seccomp: bool = False
    source: str = ""
    asked: tuple[Asked, ...] = ()

    @property
    def key(self) -> int:
        """A number that no other call in flight has: the thread's or, for a request, a negative one."""
        return self.tid if self.request is None else -self.request.serial

    @property
    def title(self) -> str:
        """The name as shown: ``openat``, ``io_uring openat``."""
        return self.name if self.request is None else f"io_uring {self.name}"

    @property
    def duration_ns(self) -> int | None:
        """Time from the entry to the return; None if it did not return, or if one of the times is not known."""
        if self.end_ns is None or self.entry_lost or self.by_seccomp:
            return None
        return None if self.source and self.end_ns == self.ts_ns else self.end_ns - self.ts_ns

    @property
    def missed(self) -> tuple[int, ...]:
        """The capabilities that it was refused, if it failed; a call that succeeded could do without them."""
        if self.result is None or self.result >= 0:
            return ()
        return tuple(sorted({asked.number for asked in self.asked if not asked.granted}))

    @property
    def compat(self) -> bool:
        """True if the call is a 32-bit program's, which has its own table."""
        return self.abi.compat

    @property
    def args(self) -> tuple[Arg, ...]:
        """Arguments with their names and types, as far as the table knows them."""
        syscall = self.abi.lookup(self.number)
        params = syscall.params if syscall is not None else ()
        return tuple(
            Arg(*params[n], raw, self.items.get(n, ()))
            if n < len(params)
            else Arg(f"arg{n}", "unsigned long", raw, self.items.get(n, ()))
            for n, raw in enumerate(self.registers)
        )


class Entered(NamedTuple):
    """A call began, and another event comes before its return: a `Returned`, or nothing, follows later."""

    call: Call


class Returned(NamedTuple):
    """The call of an earlier `Entered` returned; `call` is complete, including the items that came with the exit.

    A call whose entry was lost is a `Returned` too, with ``call.entry_lost``.
    """

    call: Call


class Sender(NamedTuple):
    """The process that sent a signal: its pid in the outermost pid namespace, and the name of its thread."""

    pid: int
    comm: str


class Level(NamedTuple):
    """The memory that a memory cgroup used, those below it included, and its limit; None if it has none."""

    usage_bytes: int
    limit_bytes: int | None


class Frame(NamedTuple):
    """A place in a program's code: an address, and the distance in the file with that build id; "", 0: not known."""

    address: int
    build_id: str = ""
    offset: int = 0


class Fault(NamedTuple):
    """A fault that ended its process, or the place where SIGKILL met the first thread of one.

    ip, sp: instruction and stack pointer. trap, error_code: the processor's; of SIGKILL they are of an earlier fault.

    code: addresses of the program's own code, as begin and end. stack: from the instruction on, as far as frame
    pointers lead; its frames after the first are the places where calls return to.
    """

    ip: int
    sp: int
    trap: int
    error_code: int
    code: tuple[int, int]
    stack: tuple[Frame, ...]


FAULTS: Final = frozenset((4, 5, 7, 8, 11))
"""Signals that the processor's faults become: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Delivery of a signal. siginfo: the first 48 bytes of siginfo_t, all zero if the kernel had none.

    handler: 0 SIG_DFL, 1 SIG_IGN, else an address. flags: sa_flags. sender: only recorded if a process sent the signal,
    and either it ended the receiving process at once, or the sender is outside of the container. memory: set if the
    kernel sent it because memory was short: that of the process's memory cgroup, then of those above it. fault: where a
    fault, or another signal that ended the process, met it. source: as a call's.
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
    source: str = ""
    memory: tuple[Level, ...] = ()
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A signal that a process sent and its receiver ignored: nothing happened there. tid: the thread it was sent to.

    A container's first process ignores all signals that it has no handler for, as long as they come from outside of its
    pid namespace but for SIGKILL and SIGSTOP. siginfo, source: as a Signal's.
    """

    ts_ns: int
    cpu: int
    pid: int
    tid: int
    comm: str
    number: int
    siginfo: bytes
    sender: Sender
    source: str = ""


@dataclass(frozen=True, slots=True)
class TaskExit:
    """End of a thread. code: as wait(2) reports it. source: as a call's.

    superseded_by: the thread whose execve ended this one, which was its process's leader; 0 if none did.

    group_dead: no other thread of its process is left, and code is the process's. Before Linux 6.16, two threads that
    end at the same time may both have it set.

    out_of_memory: the kernel ended the process because memory was short.
    """

    ts_ns: int
    cpu: int
    pid: int
    tid: int
    comm: str
    code: int
    group_dead: bool
    superseded_by: int = 0
    source: str = ""
    out_of_memory: bool = False


LEFT: Final = "left"
"""The reason of a `Lost` from which on calls of the container's first process are missing: nobody counted them."""


NEWER: Final = "newer"
"""The reason of a `Lost` that counts records of types that this version does not know; its events are not known."""


class Lost(NamedTuple):
    """Marks missing events of one CPU. reason: ``overwritten``, ``rejected``, ``dropped``, `LEFT`, `NEWER`, or of
    `forgotten`.

    events: missing calls (by their entry), signals and thread exits; records: those, and missing returns. calls: how
    many of each name were overwritten, where a Lost tells that of all CPUs.
    """

    ts_ns: int
    cpu: int
    events: int
    records: int
    reason: str
    calls: tuple[tuple[str, int], ...] = ()


Event = Call | Entered | Returned | Signal | Ignored | TaskExit | Lost


def event_source(event: Event) -> str:
    """Returns where an event comes from, as `Call.source` says; a Lost has no source."""
    if isinstance(event, Entered | Returned):
        return event.call.source
    return "" if isinstance(event, Lost) else event.source
