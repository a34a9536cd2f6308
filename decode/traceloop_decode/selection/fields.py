# SPDX-License-Identifier: Apache-2.0
"""Fields of events that a condition can compare (``show --where``), by name: their kind, their meaning, their values.

An event has no value for a field that does not belong to it, and may have several: a call may name two paths. The table
`FIELDS` is what the manual page and ``show --help`` list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, NamedTuple

from traceloop_decode import layout
from traceloop_decode.errnos import is_error
from traceloop_decode.model import Call, Entered, Event, Ignored, Item, KnownFile, Returned, Signal, TaskExit
from traceloop_decode.selection.paths import descriptors_of, paths_of
from traceloop_decode.wait_status import wait_status

_FD_MAX: Final = 0x7FFFFFFF
_KINDS: Final = {Signal: "signal", Ignored: "ignored", TaskExit: "exit"}
_ON_FILES: Final = frozenset(("fd_path",))


class Kind(Enum):
    """The values of a field, and so what it can be compared with."""

    NUMBER = "a number"
    TEXT = "text"
    CALL = "a system call's name"
    ERROR = "an error's name"
    SIGNAL = "a signal's name"
    SPAN = "a span of time"
    FLAG = "no value: it stands alone"


class Seen(NamedTuple):
    """An event as a condition sees it: a call is whole, and has returned by `until_ns` if it ever did.

    call: the event's, if it is one. until_ns: the end of the call's thread, or of the trace, if it did not return.
    started_ns: when the recording began.
    """

    event: Event
    call: Call | None
    until_ns: int
    started_ns: int


Values = Callable[[Seen], Iterable[int | str]]


class Field(NamedTuple):
    """A field. about: its meaning, as the manual page has it."""

    kind: Kind
    about: str
    values: Values


def needs_files(names: Iterable[str]) -> bool:
    """Tells whether these fields need `descriptors.follow.known`."""
    return not _ON_FILES.isdisjoint(names)


def file_text(known: KnownFile) -> str:
    """Returns the file of a descriptor without brackets: ``/etc/hosts``, ``TCP:[10.0.0.1:80->10.0.0.2:5000]``."""
    if known.text:
        name, _, behind = known.text.removeprefix("<").rpartition(">")
        return f"{name} {behind}" if behind else name
    socket = known.socket
    if socket is None:
        return ""
    return f"{socket.kind}:[{socket.local}{f'->{socket.remote}' if socket.remote else ''}]"


def _of_call(value: Callable[[Call], int | str | None]) -> Values:
    def values(seen: Seen) -> Iterable[int | str]:
        found = value(seen.call) if seen.call is not None else None
        return () if found is None else (found,)

    return values


def _thread(value: Callable[[Call | Signal | Ignored | TaskExit], int | str]) -> Values:
    def values(seen: Seen) -> Iterable[int | str]:
        event = seen.call or seen.event
        return (value(event),) if isinstance(event, Call | Signal | Ignored | TaskExit) else ()

    return values


def _kind(seen: Seen) -> Iterable[str]:
    if seen.call is not None:
        return ("syscall" if seen.call.request is None else "io_uring",)
    return tuple(word for kind, word in _KINDS.items() if isinstance(seen.event, kind))


def _failed(call: Call) -> bool:
    return call.by_seccomp if call.result is None else is_error(call.result) and not call.unlearnt


def _errno(call: Call) -> int | None:
    return -call.result if call.result is not None and is_error(call.result) else None


def _duration_ns(seen: Seen) -> Iterable[int]:
    call = seen.call
    if call is None or call.entry_lost or call.by_seccomp:
        return ()
    return (max(0, (seen.until_ns if call.end_ns is None else call.end_ns) - call.ts_ns),)


def _since_start_ns(seen: Seen) -> Iterable[int]:
    event = seen.call or seen.event
    return () if isinstance(event, Entered | Returned) else (event.ts_ns - seen.started_ns,)


def _paths(seen: Seen) -> Iterable[str]:
    return map(item_text, paths_of(seen.call)) if seen.call is not None else ()


def _fds(seen: Seen) -> Iterable[int]:
    return (fd for fd in descriptors_of(seen.call) if fd <= _FD_MAX) if seen.call is not None else ()


def _fd_paths(seen: Seen) -> Iterable[str]:
    call = seen.call
    if call is None or call.files is None:
        return ()
    before = call.files.before
    known = [before.get(fd) for fd in descriptors_of(call)]
    return (text for file in (*known, call.files.result) if file is not None and (text := file_text(file)))


def _data(seen: Seen) -> Iterable[str]:
    if seen.call is None:
        return ()
    kinds = (layout.KIND_STRING, layout.KIND_BUFFER)
    return (item_text(item) for items in seen.call.items.values() for item in items if item.kind in kinds)


def item_text(item: Item) -> str:
    """Returns recorded memory as text; ``...`` stands for what was not recorded before its end."""
    text = item.data.decode("utf-8", "surrogateescape")
    return f"{text}...{item.tail.decode('utf-8', 'surrogateescape')}" if item.tail else text


def _signal(seen: Seen) -> Iterable[int]:
    event = seen.event
    if isinstance(event, Signal | Ignored):
        return (event.number,)
    signal = wait_status(event.code).signal if isinstance(event, TaskExit) else None
    return () if signal is None else (signal,)


def _exit_code(seen: Seen) -> Iterable[int]:
    code = wait_status(seen.event.code).exit_code if isinstance(seen.event, TaskExit) else None
    return () if code is None else (code,)


FIELDS: Final = {
    "event": Field(Kind.TEXT, "syscall, io_uring, signal, ignored (a signal) or exit", _kind),
    "syscall": Field(Kind.CALL, "name of the call; or a class, such as %file", _of_call(lambda call: call.name)),
    "pid": Field(Kind.NUMBER, "process, as the node numbers it", _thread(lambda event: event.pid)),
    "tid": Field(Kind.NUMBER, "thread", _thread(lambda event: event.tid)),
    "comm": Field(Kind.TEXT, "name of the thread", _thread(lambda event: event.comm)),
    "cpu": Field(Kind.NUMBER, "CPU on which it began", _thread(lambda event: event.cpu)),
    "ret": Field(Kind.NUMBER, "result of a call that returned", _of_call(lambda call: call.result)),
    "errno": Field(Kind.ERROR, "error that a call returned", _of_call(_errno)),
    "failed": Field(Kind.FLAG, "it returned an error, or seccomp refused it", _of_call(_failed)),
    "returned": Field(Kind.FLAG, "it returned", _of_call(lambda call: call.result is not None)),
    "seccomp": Field(Kind.FLAG, "seccomp refused or answered it", _of_call(lambda call: call.by_seccomp)),
    "duration": Field(
        Kind.SPAN, "time in the call; if it never returned, to its thread's or the trace's end", _duration_ns
    ),
    "since_start": Field(Kind.SPAN, "time since the recording began", _since_start_ns),
    "path": Field(Kind.TEXT, "each path that the call names, as it names it", _paths),
    "fd": Field(Kind.NUMBER, "each descriptor in its arguments", _fds),
    "fd_path": Field(Kind.TEXT, "the file or socket of each descriptor, also of one it returned", _fd_paths),
    "data": Field(Kind.TEXT, "each string and buffer that it passed or got, as far as recorded", _data),
    "signal": Field(Kind.SIGNAL, "signal that was delivered or ignored, or that ended a thread", _signal),
    "exit_code": Field(Kind.NUMBER, "exit code of a thread that ended", _exit_code),
}
"""Name -> field."""
