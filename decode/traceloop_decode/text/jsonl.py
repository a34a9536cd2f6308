# SPDX-License-Identifier: Apache-2.0
"""One JSON object an event, a line each; version 1 of the schema.

Every object has::

    schema       1
    event        "syscall", "signal", "exit" or "lost"
    ts_ns        CLOCK_BOOTTIME; of a call, when it began
    time_ns      the same as CLOCK_REALTIME, since 1970
    cpu pid tid comm
    syscall args ret errno      null but in a syscall; pid, tid and comm are null in a lost

A syscall is one object, which comes when it returned; ``ret`` is the signed result, ``errno`` the error's name or null.
A call that never returned has ``ret`` null, and comes where its thread ends, or last. It has also::

    ret_text                    the result as strace -v writes it; "?" if it never returned
    number compat               of the call; compat: of the 32-bit table
    duration_ns end_cpu         null if it never returned
    entry_lost                  its beginning was overwritten: args may be missing, ts_ns is the return's
    read_at_exit                if there are any: the names of arguments whose memory was read only when the call had
                                returned: another thread may have changed it meanwhile
    fds                         with -y, if any is known: an object, what its descriptors stood for when it began, by
                                their numbers, and "AT_FDCWD"
    ret_fd                      with -y, if it is known: what the descriptor that it returned stands for

``args`` is a list of objects: ``name``, the kernel's; ``raw``, the register, unsigned; ``value``, the same with its C
type's width and sign; ``text``, as strace -v writes it, with all that was recorded of strings; null where strace leaves
the argument out, which then means nothing. If memory was read through it, the fields of a *piece* are there as well::

    data or base64              data if the bytes are UTF-8, else base64: nothing is replaced
    size                        bytes that the call spoke of
    more                        there were more bytes than were recorded
    fault                       what is not there could not be read

or, of an iovec, an argv or a message, ``list``: pieces; and ``cut``: the list went on. A message has also the pieces
``msg_name`` and ``msg_control``, where there are any.

A signal has ``number``, ``signal`` (its name), ``siginfo`` (an object of numbers), ``handler`` (0 SIG_DFL, 1 SIG_IGN,
else an address), ``flags`` and ``sender`` (``pid`` and ``comm`` of who sent a signal that ended the process at once;
else null). An exit has ``exit_code`` and ``signal`` (one is null), ``core_dumped``, and ``process`` (true: the last
thread of its process). A lost has ``events``, ``records`` and ``reason``. Some come first and have neither number nor
``cpu``: ``io_uring`` has ``rings``, how many the container set up, whose requests are not recorded; ``cgroups`` has
``cgroups``, how many below the container's own are not recorded; ``not_read_again`` has ``calls``, how many arguments
could not be remembered until they could be read.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.model import Arg, Call, Entered, Event, Item, Lost, Returned, Signal, TaskExit
from traceloop_decode.printers.core import printer_of, seen
from traceloop_decode.printers.view import View
from traceloop_decode.ring import unrecorded
from traceloop_decode.text.contents import contents
from traceloop_decode.text.notes import exit_status
from traceloop_decode.values.c_types import integer
from traceloop_decode.values.options import Options
from traceloop_decode.values.siginfo import fields, signal_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.snapshot import Snapshot

SCHEMA: Final = 1
_WHOLE: Final = Options(string_max=1 << 32, verbose=True)
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def array(objects: Iterable[str]) -> Iterator[str]:
    """Such lines as one JSON array, a line each."""
    before = "["
    for line in objects:
        yield before + line
        before = ","
    yield "[]" if before == "[" else "]"


def lines(events: Iterable[Event], snapshot: Snapshot) -> Iterator[str]:
    """One line an event; memory holds the calls in flight."""
    pending: dict[int, Call] = {}
    for event in events:
        if isinstance(event, Entered):
            yield from _never_returned(pending, event.call.tid, snapshot)
            pending[event.call.tid] = event.call
            continue
        if isinstance(event, Returned) and not event.call.entry_lost:
            pending.pop(event.call.tid, None)
        elif isinstance(event, TaskExit):
            yield from _never_returned(pending, event.tid, snapshot)
        yield _dumped(event, snapshot)
    for call in pending.values():
        yield _dumped(call, snapshot)


def unrecorded_lines(snapshot: Snapshot) -> Iterator[str]:
    """What no record could tell."""
    what = unrecorded(snapshot)
    for reason, field, count in (
        ("io_uring", "rings", what.io_urings),
        ("cgroups", "cgroups", what.cgroups),
        ("not_read_again", "calls", what.rereads),
    ):
        if count:
            head = _head(Lost(snapshot.started_ns, 0, 0, 0, reason), "lost", snapshot)
            yield dumps(head | {"cpu": None, "events": None, "records": None, "reason": reason, field: count})


def _never_returned(pending: dict[int, Call], tid: int, snapshot: Snapshot) -> Iterator[str]:
    call = pending.pop(tid, None)
    if call is not None:
        yield _dumped(call, snapshot)


def dumps(value: object) -> str:
    """JSON in printable ASCII."""
    return _encode(value).replace("\x7f", "\\u007f")


def _dumped(event: Event, snapshot: Snapshot) -> str:
    if isinstance(event, Entered | Returned):
        event = event.call
    if isinstance(event, Call):
        kind, rest = "syscall", _syscall(event)
    elif isinstance(event, Signal):
        kind, rest = "signal", _signal(event)
    elif isinstance(event, TaskExit):
        kind, rest = "exit", _exit(event)
    else:
        kind, rest = "lost", {"events": event.events, "records": event.records, "reason": event.reason}
    return dumps(_head(event, kind, snapshot) | rest)


def _head(event: Call | Signal | TaskExit | Lost, kind: str, snapshot: Snapshot) -> dict[str, Any]:
    thread = event if not isinstance(event, Lost) else None
    return {
        "schema": SCHEMA,
        "event": kind,
        "ts_ns": event.ts_ns,
        "time_ns": event.ts_ns + snapshot.boot_offset_ns,
        "cpu": event.cpu,
        "pid": thread and thread.pid,
        "tid": thread and thread.tid,
        "comm": thread and thread.comm,
        "syscall": None,
        "args": None,
        "ret": None,
        "errno": None,
    }


def _syscall(call: Call) -> dict[str, Any]:
    error = ERRNO.get(-call.result) if call.result is not None and call.result < 0 else None
    duration_ns = None if call.end_ns is None or call.entry_lost else call.end_ns - call.ts_ns
    view, printer, args = _Bare(seen(call), _WHOLE), printer_of(call), call.args
    shown: dict[str, Any] = {
        "syscall": call.name,
        "args": [_argument(args, n, print_one(view, n), compat=call.compat) for _, n, print_one in printer.named],
        "ret": call.result,
        "errno": error[0] if error else None,
        "ret_text": printer.result(view),
        "number": call.number,
        "compat": call.compat,
        "duration_ns": duration_ns,
        "end_cpu": call.end_cpu,
        "entry_lost": call.entry_lost,
    }
    if call.read_at_exit:
        shown["read_at_exit"] = [name for name, index, _ in printer.named if index in call.read_at_exit]
    if view.fds:
        shown["fds"] = view.fds
    if call.files is not None and call.files.result is not None and call.files.result.text:
        shown["ret_fd"] = _bare(call.files.result.text)
    return shown


class _Bare(View):
    """Prints descriptors as numbers, whether or not it is known what they stand for. fds: what is known of those."""

    __slots__ = ("fds",)

    def __init__(self, call: Call, options: Options) -> None:
        super().__init__(call, options)
        self.fds: dict[str, str] = {}

    def fd(self, number: int) -> str:
        files = self.call.files
        known = files.before.get(number) if files is not None else None
        if known is not None and known.text:
            self.fds[str(number)] = _bare(known.text)
        return str(number)

    def cwd(self) -> str:
        if found := super().cwd():
            self.fds["AT_FDCWD"] = _bare(found)
        return ""

    def made(self) -> str:
        return ""


def _bare(text: str) -> str:
    # Without the brackets: ``</etc/hosts>(deleted)``.
    name, _, behind = text.removeprefix("<").rpartition(">")
    return f"{name} {behind}" if behind else name


def _argument(args: tuple[Arg, ...], index: int, text: str | None, *, compat: bool) -> dict[str, Any]:
    arg, found = args[index], contents(args, index)
    value = integer(arg.raw, arg.ctype, compat=compat)
    shown: dict[str, Any] = {"name": arg.name, "raw": arg.raw, "value": value, "text": text}
    if found.whole is not None:
        shown |= _piece(found.whole)
    if found.elements is not None:
        shown |= {"list": [_piece(item) for item in found.elements], "cut": found.cut}
    if found.name is not None:
        shown["msg_name"] = _piece(found.name)
    if found.control is not None:
        shown["msg_control"] = _piece(found.control)
    return shown


def _piece(item: Item) -> dict[str, Any]:
    try:
        shown = {"data": item.data.decode()}
    except UnicodeDecodeError:
        shown = {"base64": b64encode(item.data).decode()}
    return shown | {"size": item.size, "more": item.more, "fault": item.fault}


def _signal(signal: Signal) -> dict[str, Any]:
    return {
        "number": signal.number,
        "signal": signal_name(signal.number),
        "siginfo": fields(signal),
        "handler": signal.handler,
        "flags": signal.flags,
        "sender": signal.sender._asdict() if signal.sender is not None else None,
    }


def _exit(end: TaskExit) -> dict[str, Any]:
    status, signal, core_dumped = exit_status(end.code)
    return {
        "exit_code": status,
        "signal": None if signal is None else signal_name(signal),
        "core_dumped": core_dumped,
        "process": end.group_dead,
    }
