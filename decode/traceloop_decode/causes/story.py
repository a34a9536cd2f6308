# SPDX-License-Identifier: Apache-2.0
"""Gathers what a container's events tell, in one pass: the collectors of this room, each with its part of the events.

The pass is quick for calls that succeed and tell nothing, which most of a long trace are. Memory is bounded by the
collectors, whatever the trace's size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Final, NamedTuple

from traceloop_decode import forgotten
from traceloop_decode.causes import subject
from traceloop_decode.causes.configuration import Configurations
from traceloop_decode.causes.failures import Failures
from traceloop_decode.causes.limits import CALLS as OF_LIMITS
from traceloop_decode.causes.limits import Limits
from traceloop_decode.causes.mappings import Mappings
from traceloop_decode.causes.mounts import CALLS as MOUNTING
from traceloop_decode.causes.mounts import PIVOT, Mounts
from traceloop_decode.causes.names import Names
from traceloop_decode.causes.noise import STATS
from traceloop_decode.causes.processes import STOPS, Processes
from traceloop_decode.causes.threads import Threads
from traceloop_decode.causes.words import LastWords
from traceloop_decode.descriptors.streams import Streams
from traceloop_decode.model import FAULTS, Call, Entered, Event, Ignored, Lost, Returned, Signal, TaskExit
from traceloop_decode.program_start import is_runtimes
from traceloop_decode.spans import SECOND_NS
from traceloop_decode.submitted import InFlight
from traceloop_decode.syscalls import EXECS, FORKS, MESSAGES
from traceloop_decode.wait_status import wait_status

_INT: Final = 0xFFFFFFFF
_ENDS: Final = frozenset(("exit_group", "exit"))
_OPENS: Final = frozenset(("open", "openat", "openat2", "creat"))
_SIGNALLING: Final = frozenset(("kill", "tkill", "tgkill", "rt_sigqueueinfo"))
_TO_THREAD: Final = frozenset(("tkill", "tgkill"))
_OF_RAISE: Final = frozenset(("rt_sigprocmask", "rt_sigaction", "getpid", "gettid"))  # raise(3) and abort(3) make these
_WAITS_MAX: Final = 4096
_BOUND_MAX: Final = 4096
_HANDLED_MAX: Final = 1 << 16
_THREADS_MAX: Final = 4096
_SIGNALS_MAX: Final = 64
_SIGCHLD: Final = 17
_SIG_IGN: Final = 1
_RESOLVER: Final = ":53"
_ERROR_MIN: Final = -4095
_EINTR: Final = -4
_FUTEX: Final = "futex"
_OVERWRITTEN: Final = "overwritten"
_OF_AREAS: Final = (forgotten.CALLS, forgotten.FIRSTS, forgotten.FIRSTS_DROPPED, forgotten.RUNTIME)


class Blocked(NamedTuple):
    """A call that had not returned when its thread ended, at `until_ns`, or at the trace's end."""

    call: Call
    until_ns: int


class Silent(NamedTuple):
    """A thread that a signal ended while it was in no call. last: its last call, None if not known."""

    last: Call | None
    end: TaskExit


class Story:
    """The facts that events told. begun_ns, ended_ns: times of the first and last one. events: calls, signals and ends.

    firsts: those of the events that only an area beside the ring has.
    signals: the last ones, without SIGCHLD. ignored: the last ones that their processes ignored. sent: the last calls
    that sent a signal. blocked: calls in flight when their threads ended. silent: the threads that were in none when a
    signal ended them. whole_since_ns: since then no call is missing; infinity: some may be. skips: calls of some names
    were not recorded. runtime: the program never started, and the story is the runtime's. kills: by process, the signal
    that ended it and tells where its first thread was. handled: (process, signal) with a handler. refused: those that a
    process set to be ignored.
    before_signal: by process, the last call of a thread before an unhandled signal reached it; before_stop: before a
    handled signal to stop did. raised: likewise, a call
    that sent a signal to one thread, after which the thread did nothing but what raise(3) does. bound: address -> the
    call that bound it.
    """

    def __init__(self, streams: Streams | None = None) -> None:
        """streams: of the program."""
        self.processes, self.failures, self.words = Processes(), Failures(), LastWords()
        self.names, self.configurations, self.mounts = Names(), Configurations(), Mounts()
        self.mappings, self.limits = Mappings(self.processes), Limits(self.processes)
        self.threads = Threads()
        self.ignored: deque[Ignored] = deque(maxlen=_SIGNALS_MAX)
        self.signals: deque[Signal] = deque(maxlen=_SIGNALS_MAX)
        self.sent: deque[Call] = deque(maxlen=_SIGNALS_MAX)
        self.blocked: deque[Blocked] = deque(maxlen=_WAITS_MAX)
        self.silent: deque[Silent] = deque(maxlen=_WAITS_MAX)
        self.begun_ns = self.ended_ns = self.events = self.firsts = 0
        self.kills: dict[int, Signal] = {}
        self.whole_since_ns: float = 0
        self.skips = False
        self.runtime = False
        self.before_signal: dict[int, Call] = {}
        self.before_stop: dict[int, Call] = {}
        self.raised: dict[int, Call] = {}
        self.bound: dict[str, Call] = {}
        self.handled: set[tuple[int, int]] = set()
        self.refused: set[tuple[int, int]] = set()
        self._latest: dict[int, Call] = {}
        self._raising: dict[int, Call] = {}
        self._flight = InFlight()
        self._streams = streams or Streams()
        self._runtimes: dict[str, bool] = {}
        self._handlers = self._by_name()

    def watch(self, events: Iterable[Event], *, runtime: bool = False) -> None:
        """Observes the events, in their order. runtime: also those of the runtime's processes."""
        self.runtime = runtime
        for event in events:
            if isinstance(event, Call | Returned):
                call = event if isinstance(event, Call) else event.call
                if runtime or not self._is_runtimes(call.comm) or (call.result == 0 and call.name in EXECS):
                    self._ended(call, whole=event is call)
            elif isinstance(event, Entered):
                if runtime or not self._is_runtimes(event.call.comm):
                    self._entered(event.call)
            elif isinstance(event, Signal):
                self._signal(event)
            elif isinstance(event, Ignored):
                self._ignored(event)
            elif isinstance(event, TaskExit) and (runtime or not self._is_runtimes(event.comm)):
                self._exit(event)
            elif isinstance(event, Lost) and event.reason not in _OF_AREAS:
                since_ns = event.ts_ns if event.reason == _OVERWRITTEN else inf
                self.whole_since_ns = max(self.whole_since_ns, since_ns)
        self.blocked.extend(Blocked(call, self.ended_ns) for call in self._flight)

    def watch_before(self, events: Iterable[Event]) -> None:
        """Observes what the runtime did before the program: only its mounts and its root count."""
        for event in events:
            call = event.call if isinstance(event, Returned) else event
            if isinstance(call, Call) and call.name in MOUNTING:
                self.mounts.observe(call)

    # -- events

    def _entered(self, call: Call) -> None:
        self._passed(call.ts_ns)
        self.events += 1
        self.firsts += call.source != ""
        self._see(call)
        self._flight.put(call)
        if call.name in FORKS:
            self.processes.fork(call)
        elif call.name in _ENDS:
            self.processes.exit(call)
        elif call.name == _FUTEX:
            self.threads.wakes(call)

    def _ended(self, call: Call, *, whole: bool) -> None:
        self._passed(call.end_ns or call.ts_ns)
        self._see(call)
        if whole:
            self.events += 1
            self.firsts += call.source != ""
            if call.name in FORKS:
                self.processes.fork(call)
            elif call.name == _FUTEX:
                self.threads.wakes(call)
        else:
            self._flight.drop(call)
            if call.name in FORKS and call.result is not None and call.result < 0:
                self.processes.not_forked(call)
        self._latest[call.tid] = call
        if len(self._latest) > _THREADS_MAX:
            del self._latest[next(iter(self._latest))]
        if self._raising and call.name not in _OF_RAISE:
            self._raising.pop(call.tid, None)
        result = call.result
        if call.unlearnt:
            self.blocked.append(Blocked(call, call.end_ns or call.ts_ns))
        elif call.by_seccomp or (result is not None and _ERROR_MIN <= result < 0):
            self.failures.fail(call)
        elif (handler := self._handlers.get(call.name)) is not None:
            handler(call)

    def _see(self, call: Call) -> None:
        process = self.processes.by_pid.get(call.pid)
        if process is None or process.end is not None:  # its number may be another one's now
            self.processes.seen(call.pid, call.comm, call.ts_ns)

    def _signal(self, signal: Signal) -> None:
        self._passed(signal.ts_ns)
        self.events += 1
        self.firsts += signal.source != ""
        self.processes.signal(signal)
        if signal.fault is not None and signal.number not in FAULTS:
            self.kills[signal.pid] = signal
        if signal.tid in self._latest:
            if not signal.handler:
                self.before_signal[signal.pid] = self._latest[signal.tid]
            elif signal.number in STOPS:
                self.before_stop[signal.pid] = self._latest[signal.tid]
        if not signal.handler and signal.tid in self._raising:
            self.raised[signal.pid] = self._raising[signal.tid]
        if signal.number != _SIGCHLD:
            self.signals.append(signal)

    def _ignored(self, ignored: Ignored) -> None:
        self._passed(ignored.ts_ns)
        self.events += 1
        self.firsts += ignored.source != ""
        self.ignored.append(ignored)

    def _exit(self, end: TaskExit) -> None:
        self._passed(end.ts_ns)
        self.events += 1
        self.firsts += end.source != ""
        unfinished = self._flight.end(end)
        for call in unfinished:
            if call.name not in _ENDS:
                self.blocked.append(Blocked(call, end.ts_ns))
        self.processes.end(end)
        self.threads.ended(end)
        last = self._latest.pop(end.tid, None)
        if wait_status(end.code).signal is not None and not any(call.key == end.tid for call in unfinished):
            self._killed(end, last)
        self._raising.pop(end.tid, None)

    def _killed(self, end: TaskExit, last: Call | None) -> None:
        # A call that the kill itself interrupted has an error that its thread did not learn; a handler would have made
        # rt_sigreturn its last one.
        if last is not None and last.result == _EINTR and end.ts_ns - (last.end_ns or 0) < SECOND_NS:
            self.blocked.append(Blocked(last, end.ts_ns))
        elif last is None or not last.unlearnt:
            self.silent.append(Silent(last, end))

    def _passed(self, ts_ns: int) -> None:
        if not self.begun_ns:
            self.begun_ns = ts_ns
        self.ended_ns = max(self.ended_ns, ts_ns)

    def _is_runtimes(self, comm: str) -> bool:
        found = self._runtimes.get(comm)
        if found is None:
            if len(self._runtimes) >= _WAITS_MAX:
                self._runtimes.clear()
            found = self._runtimes[comm] = is_runtimes(comm)
        return found

    # -- calls that succeeded

    def _by_name(self) -> dict[str, Callable[[Call], None]]:
        table: dict[str, Callable[[Call], None]] = {
            **dict.fromkeys(MESSAGES, self._transferred),
            **dict.fromkeys(("pread64", "preadv"), self._read),
            **dict.fromkeys(STATS, self.failures.succeed),
            **dict.fromkeys(_OPENS, self._opened),
            **dict.fromkeys(_SIGNALLING, self._sent),
            **dict.fromkeys(EXECS, self._executed),
            **dict.fromkeys(("poll", "ppoll"), self.names.polled),
            "rt_sigaction": self._handles,
            **dict.fromkeys(("mmap", "mmap2"), self.mappings.mapped),
            "munmap": self.mappings.unmapped,
            **dict.fromkeys(("mount", PIVOT), self.mounts.observe),
            **dict.fromkeys(OF_LIMITS, self.limits.observe),
            "bind": self._bound,
            "connect": self.failures.connected,
            "getsockopt": self.failures.option,
            "chdir": self.failures.succeed,
            _FUTEX: self.threads.waited,
        }
        return table

    def _sent(self, call: Call) -> None:
        self.sent.append(call)
        if call.name in _TO_THREAD:
            if len(self._raising) >= _THREADS_MAX:
                del self._raising[next(iter(self._raising))]
            self._raising[call.tid] = call

    def _executed(self, call: Call) -> None:
        self.failures.succeed(call)
        self.mappings.executed(call)
        self.processes.executed(call)

    def _opened(self, call: Call) -> None:
        self.failures.succeed(call)
        self.configurations.opened(call)

    def _bound(self, call: Call) -> None:
        if (address := subject.peer(call)) and len(self.bound) < _BOUND_MAX:
            self.bound[address] = call

    def _handles(self, call: Call) -> None:
        if not call.registers:
            return
        new = next((item.data for item in call.items.get(1, ()) if not item.out), b"")[:8]
        handler, key = int.from_bytes(new, "little"), (call.pid, call.registers[0])
        if handler == _SIG_IGN and len(self.refused) < _HANDLED_MAX:
            self.refused.add(key)
        elif new:
            self.refused.discard(key)
        if handler > _SIG_IGN and len(self.handled) < _HANDLED_MAX:
            self.handled.add(key)

    def _transferred(self, call: Call) -> None:
        if not call.registers:
            return
        fd = call.registers[0] & _INT
        if call.name in ("write", "writev"):
            stream = self._streams.of(call, fd)
            if stream is not None:
                self.words.wrote(call, stream)
                return
            if self.runtime:
                self.words.told(call)
        elif call.name in ("read", "readv"):
            self._read(call)
        known = call.files.before.get(fd) if call.files is not None else None
        socket = known.socket if known is not None else None
        if socket is not None and (
            socket.remote.endswith(_RESOLVER) or (socket.kind[:3] == "UDP" and not socket.remote)
        ):
            self.names.message(call)

    def _read(self, call: Call) -> None:
        path = self.configurations.read(call)
        if path:
            self.names.read(call, path)
