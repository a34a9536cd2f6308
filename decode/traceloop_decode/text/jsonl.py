# SPDX-License-Identifier: Apache-2.0
"""JSON lines: one object per event; version 1 of the schema.

Every object has::

    schema       1
    event        "syscall", "io_uring", "signal", "ignored", "exit" or "lost"
    ts_ns        CLOCK_BOOTTIME; for a syscall, the time of its entry
    time_ns      the same time as CLOCK_REALTIME, since 1970
    cpu pid tid comm
    source                      only if the ring has overwritten it and it was kept because it was new: "firsts", or if
                                the container's runtime made the call: "runtime"; not in a lost
    syscall args ret errno      null except in a syscall; in a lost, pid, tid and comm are null

A syscall is one object, written when the call returns; ``ret`` is the signed result, ``errno`` the error's name or
null. A call that never returned has ``ret`` null and is written when its thread ends, or last. Further fields::

    ret_text                    the result as strace -v writes it; "?" if the call never returned
    number compat               the call's number; whether the number is from the 32-bit table
    duration_ns end_cpu         null if the call never returned; duration_ns also if seccomp answered it, or if the
                                firsts have its return without its entry's time: ts_ns is the time of the return then
    entry_lost                  the entry was overwritten: args may be missing, and ts_ns is the time of the return
    read_at_exit                only if there are any: the names of arguments whose memory was read only when the call
                                returned, so another thread may have changed it during the call
    seccomp                     only if seccomp answered the call and the kernel did not run it: "answered" by a value,
                                or "refused" by an error, or by SIGSYS or the thread's end (``ret`` is null then)
    capabilities                only if there are any: ``granted`` and ``refused``, lists of the names of the
                                capabilities that the call asked for: each refused one, and those granted that were new
                                for a call of this name; a call that succeeded could do without what was refused
    dns                         only if there are any: the messages to or from name servers in the call's buffers, each
                                with ``id``, ``code`` (of an answer, ``"NXDOMAIN"``; null in a query), ``name`` and
                                ``kind`` (``"AAAA"``) of the question, ``records`` (each ``name``, ``kind``, ``ttl_s``
                                and ``data``), and ``cut``: not all of the answer was recorded
    fds                         with -y, if any are known: an object that maps each of the call's descriptors, by number
                                or as "AT_FDCWD", to the file that it stood for when the call began
    ret_fd                      with -y, if known: the file that the returned descriptor stands for

An io_uring request (event ``io_uring``) has the fields of a syscall, except that ``syscall`` is null: it begins when
the thread of ``tid`` submits it and returns with its completion; ``number`` is its opcode. It also has ``io_uring``::

    request      its name: that of the system call that does the same, if there is one
    user_data    as the program chose it
    flags        a list of names: IOSQE_...
    slot         where it makes or closes a direct descriptor: an index, "any", or null
    refused      the kernel did not accept it: args were read from the queue, which the program may have changed
    goes_on      more completions follow: more objects with its ts_ns and user_data

``args`` is a list of objects: ``name``, the kernel's; ``raw``, the register, unsigned; ``value``, the register with the
width and sign of its C type; ``text``, as strace -v writes the argument, with all recorded bytes of strings, or null
where strace omits the argument because it has no meaning. Where strace prints two registers as one number, each half
has its own text. If memory was read through the argument, the object also has the fields of a *piece*::

    data or base64              data if the bytes are valid UTF-8, else base64: nothing is replaced
    tail or tail_base64         the same for the last bytes, if those in between were not recorded
    size                        the number of bytes that the call referred to
    more                        there were more bytes than were recorded
    fault                       the missing bytes could not be read

or, for an iovec, an argv or a message, ``list``, a list of pieces, and ``cut``, true if the list has more elements. A
message also has the pieces ``msg_name`` and ``msg_control``, if they were recorded.

A signal has ``number``, ``signal`` (its name), ``siginfo`` (an object of numbers), ``handler`` (0 SIG_DFL, 1 SIG_IGN,
else an address), ``flags`` and ``sender``: ``pid`` and ``comm``, if a process sent it that is outside of the container,
or if it ended the receiving process at once; else null. If the kernel ended the process because memory was short,
``memory`` is a list of the process's memory cgroup and of those above it, each with ``usage_bytes`` and
``limit_bytes`` (null without a limit). If a fault ended the process, ``fault`` has ``ip`` and ``sp``, the processor's
``trap`` and ``error_code``, ``code_begin`` and ``code_end``, the addresses of the program's own code, and ``stack``, a
list: each an ``address`` and, if known, the ``build_id`` of a file and the ``offset`` in it. Another
signal that ends a process has the ``stack`` of its first thread, if that was recorded.

An ignored is a signal that a process sent and its receiver ignored, so that nothing happened there. It has ``number``,
``signal``, ``siginfo`` and ``sender``.

An exit has ``exit_code`` and ``signal`` (one of them is null), ``core_dumped``, and ``process`` (true
for the last thread of its process); if an execve of another thread ended it, ``superseded_by`` is that thread;
``out_of_memory`` is true if the kernel ended the process because memory was short, and else left out. A lost
has ``events``, ``records`` and ``reason``; with ``left`` both are 0: the container's first process left its cgroup, and
its calls in another are not recorded. Between the firsts and the ring a lost with ``overwritten_calls`` has ``calls``,
an object of the number of calls of each name that were overwritten, and null for ``events``, ``records`` and ``cpu``.
With ``overwritten_firsts`` firsts are missing before it, as more was new than is kept, and with
``overwritten_runtime`` calls of the container's runtime; with ``dropped_firsts``, ``records`` of the firsts had no
room. Some lost objects come first, with ``events``, ``records`` and ``cpu`` null:
``io_uring`` has ``rings``, the number of rings whose requests are not recorded; ``cgroups`` has ``cgroups``,
the number of cgroups below the container's own that are not recorded; ``not_read_again`` has ``calls``, the number of
calls whose arguments could neither be read at entry nor remembered until their exit.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from traceloop_decode.c_types import integer
from traceloop_decode.capability_names import name_of
from traceloop_decode.errnos import ERRNO
from traceloop_decode.forgotten import CALLS, FIRSTS, NO_CPU, RUNTIME
from traceloop_decode.json_text import dumps
from traceloop_decode.model import (
    FAULTS,
    Arg,
    Asked,
    Call,
    Event,
    Fault,
    Ignored,
    Item,
    Lost,
    Request,
    Signal,
    TaskExit,
)
from traceloop_decode.multiplexed_calls import kernel_number
from traceloop_decode.printers import network_dns
from traceloop_decode.printers.core import printer_of, seen
from traceloop_decode.printers.view import View
from traceloop_decode.requests import ANY_SLOT, IOSQE
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.text.contents import contents
from traceloop_decode.text.notes import seccomp_word
from traceloop_decode.values.dns import Message
from traceloop_decode.values.options import Options
from traceloop_decode.values.siginfo import fields, signal_name
from traceloop_decode.wait_status import wait_status
from traceloop_decode.whole_calls import Whole, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from traceloop_decode.snapshot import Snapshot

SCHEMA: Final = 1
_WHOLE: Final = Options(string_max=1 << 32, verbose=True)


def array(objects: Iterable[str]) -> Iterator[str]:
    """Yields these objects' lines as one JSON array, one object per line."""
    before = "["
    for line in objects:
        yield before + line
        before = ","
    yield "[]" if before == "[" else "]"


def lines(events: Iterable[Event], snapshot: Snapshot) -> Iterator[str]:
    """Yields one line per event; memory grows with the calls in flight."""
    for event in whole(events):
        yield _dumped(event, snapshot)


def unrecorded_lines(snapshot: Snapshot) -> Iterator[str]:
    """Yields lines for the losses that the snapshot counts without a record."""
    what = unrecorded(snapshot)
    for reason, field, count in (
        ("io_uring", "rings", what.io_urings),
        ("cgroups", "cgroups", what.cgroups),
        ("not_read_again", "calls", what.rereads),
    ):
        if count:
            head = _head(Lost(snapshot.started_ns, 0, 0, 0, reason), "lost", snapshot)
            yield dumps(head | {"cpu": None, "events": None, "records": None, "reason": reason, field: count})


def _dumped(event: Whole, snapshot: Snapshot) -> str:
    if isinstance(event, Call):
        kind, rest = ("syscall" if event.request is None else "io_uring"), _syscall(event)
    elif isinstance(event, Signal):
        kind, rest = "signal", _signal(event)
    elif isinstance(event, Ignored):
        kind, rest = "ignored", _ignored(event)
    elif isinstance(event, TaskExit):
        kind, rest = "exit", _exit(event)
    else:
        kind, rest = "lost", _lost(event)
    source = {"source": event.source} if not isinstance(event, Lost) and event.source else {}
    return dumps(_head(event, kind, snapshot) | rest | source)


def _head(event: Call | Signal | Ignored | TaskExit | Lost, kind: str, snapshot: Snapshot) -> dict[str, Any]:
    thread = event if not isinstance(event, Lost) else None
    return {
        "schema": SCHEMA,
        "event": kind,
        "ts_ns": event.ts_ns,
        "time_ns": event.ts_ns + snapshot.boot_offset_ns,
        "cpu": event.cpu if event.cpu != NO_CPU else None,
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
    view, printer, args = _Bare(seen(call), _WHOLE), printer_of(call), call.args
    shown: dict[str, Any] = {
        "syscall": call.name if call.request is None else None,
        "args": [_argument(args, n, print_one(view, n), compat=call.compat) for _, n, print_one in printer.named],
        "ret": call.result,
        "errno": error[0] if error else None,
        "ret_text": printer.result(view),
        "number": kernel_number(call.number),
        "compat": call.compat,
        "duration_ns": call.duration_ns if call.result is not None else None,
        "end_cpu": call.end_cpu,
        "entry_lost": call.entry_lost,
    }
    if call.request is not None:
        shown["io_uring"] = _request(call.name, call.request)
    if call.read_at_exit:
        shown["read_at_exit"] = [name for name, index, _ in printer.named if index in call.read_at_exit]
    if call.by_seccomp:
        shown["seccomp"] = seccomp_word(call)
    if call.asked:
        shown["capabilities"] = _capabilities(call.asked)
    if asked := [_dns(message) for message in network_dns.messages(view)]:
        shown["dns"] = asked
    if view.fds:
        shown["fds"] = view.fds
    if call.files is not None and call.files.result is not None and call.files.result.text:
        shown["ret_fd"] = _bare(call.files.result.text)
    return shown


def _capabilities(asked: tuple[Asked, ...]) -> dict[str, Any]:
    words = {"granted": True, "refused": False}
    return {word: [name_of(one.number) for one in asked if one.granted is granted] for word, granted in words.items()}


def _lost(lost: Lost) -> dict[str, Any]:
    if lost.reason == CALLS:
        return {"events": None, "records": None, "reason": lost.reason, "calls": dict(lost.calls)}
    if lost.reason in (FIRSTS, RUNTIME):
        return {"events": None, "records": None, "reason": lost.reason}
    return {"events": lost.events, "records": lost.records, "reason": lost.reason}


def _request(name: str, request: Request) -> dict[str, Any]:
    return {
        "request": name,
        "user_data": request.user_data,
        "flags": [f"IOSQE_{flag}" for bit, flag in enumerate(IOSQE) if request.flags >> bit & 1],
        "slot": None if not request.slot else "any" if request.slot == ANY_SLOT else request.slot - 1,
        "refused": request.refused,
        "goes_on": request.goes_on,
    }


class _Bare(View):
    """A view that prints descriptors as plain numbers and collects in ``fds`` the files that are known for them."""

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


def _dns(message: Message) -> dict[str, Any]:
    return {
        "id": message.ident,
        "code": message.code or None,
        **message.question._asdict(),
        "records": [record._asdict() for record in message.records],
        "cut": message.cut,
    }


def _bare(text: str) -> str:
    # Removes the brackets: ``</etc/hosts>(deleted)`` becomes ``/etc/hosts (deleted)``.
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
    shown = _bytes("data", "base64", item.data)
    if item.tail:
        shown |= _bytes("tail", "tail_base64", item.tail)
    return shown | {"size": item.size, "more": item.more, "fault": item.fault}


def _bytes(name: str, other: str, data: bytes) -> dict[str, Any]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {other: b64encode(data).decode()}


def _signal(signal: Signal) -> dict[str, Any]:
    return {
        "number": signal.number,
        "signal": signal_name(signal.number),
        "siginfo": fields(signal),
        "handler": signal.handler,
        "flags": signal.flags,
        "sender": signal.sender._asdict() if signal.sender is not None else None,
        **({"memory": [level._asdict() for level in signal.memory]} if signal.memory else {}),
        **(_place(signal.number, signal.fault) if signal.fault is not None else {}),
    }


def _place(number: int, fault: Fault) -> dict[str, Any]:
    if number not in FAULTS:
        return {"stack": _stack(fault)}
    found = {
        "ip": fault.ip,
        "sp": fault.sp,
        "trap": fault.trap,
        "error_code": fault.error_code,
        "code_begin": fault.code[0],
        "code_end": fault.code[1],
        "stack": _stack(fault),
    }
    return {"fault": found}


def _stack(fault: Fault) -> list[dict[str, Any]]:
    return [
        {"address": frame.address} | ({"build_id": frame.build_id, "offset": frame.offset} if frame.build_id else {})
        for frame in fault.stack
    ]


def _ignored(ignored: Ignored) -> dict[str, Any]:
    return {
        "number": ignored.number,
        "signal": signal_name(ignored.number),
        "siginfo": fields(ignored),
        "sender": ignored.sender._asdict(),
    }


def _exit(end: TaskExit) -> dict[str, Any]:
    code, signal, core_dumped = wait_status(end.code)
    more: dict[str, Any] = {"superseded_by": end.superseded_by} if end.superseded_by else {}
    if end.out_of_memory:
        more["out_of_memory"] = True
    return {
        "exit_code": code,
        "signal": None if signal is None else signal_name(signal),
        "core_dumped": core_dumped,
        "process": end.group_dead,
        **more,
    }
