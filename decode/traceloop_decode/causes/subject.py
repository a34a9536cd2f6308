# SPDX-License-Identifier: Apache-2.0
"""The subject of a call: the path, address or descriptor that it is about, and its line of text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from traceloop_decode import layout
from traceloop_decode.arguments.variants import selector_of
from traceloop_decode.arguments.words import line_of, request_line
from traceloop_decode.capability_names import refusal_note
from traceloop_decode.causes.report import Evidence
from traceloop_decode.descriptors.names import address
from traceloop_decode.model import Call, Item, KnownFile, Signal, TaskExit
from traceloop_decode.printers.core import never_returns, printer_of, view_of
from traceloop_decode.safe_text import printable, quote
from traceloop_decode.syscalls import MESSAGES, Abi
from traceloop_decode.values.options import Options

_OPTIONS: Final = Options(string_max=96, dns=True, ends=True)
_LINE_MAX: Final = 300
_FRAMES_SHOWN: Final = 8
_INT: Final = 0xFFFFFFFF
_AT_FDCWD: Final = -100 & _INT
_NAME: Final = re.compile(r"<(.*)>(?:\(deleted\))?")
_SECOND: Final = frozenset(("mount", "symlink", "symlinkat"))  # the first path of these need not exist
_RESTARTS: Final = frozenset(range(-516, -511))


@lru_cache(maxsize=4096)
def _places(number: int, abi: Abi, selector: str) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    # The arguments of a call that are paths, socket addresses and descriptors.
    call = abi.lookup(number)
    line = None
    if call is not None:
        line = request_line(call) if abi.requests else line_of(call, selector, compat=abi.compat)
    words = line.words if line is not None else ()

    def of(*what: str) -> tuple[int, ...]:
        return tuple(n for n, word in enumerate(words) if word.what in what)

    return of("path"), tuple(n for n in of("sockaddr") if not words[n].is_out), of("fd", "dirfd")


def path(call: Call) -> str:
    """Returns the first path that a call names, as it gave it, or from its directory if that is known; else ""."""
    paths, _, fds = _places(call.number, call.abi, selector_of(call))
    for index in reversed(paths) if call.name in _SECOND else paths:
        for item in call.items.get(index, ()):
            if item.kind == layout.KIND_STRING and item.data:
                return _from_directory(call, index - 1 if index - 1 in fds else None, text(item))
    return ""


def text(item: Item) -> str:
    """Returns recorded bytes as printable text; a gap is marked by ``...``."""
    whole = item.data + (b"..." if item.more or item.tail else b"") + item.tail
    return quote(whole)[1:-1].replace('\\"', '"')


def _from_directory(call: Call, index: int | None, name: str) -> str:
    # index: of the argument that is the directory's descriptor.
    if name.startswith("/") or call.files is None or (index is not None and index >= len(call.registers)):
        return name
    directory = call.registers[index] & _INT if index is not None else _AT_FDCWD
    found = call.files.cwd if directory == _AT_FDCWD else call.files.before.get(directory)
    base = bare(found.text) if found is not None else ""
    return f"{base.rstrip('/')}/{name.removeprefix('./')}" if base.startswith("/") else name


def peer(call: Call) -> str:
    """Returns the address that a call names, or that its socket is connected to: ``127.0.0.1:80``; else ""."""
    _, addresses, fds = _places(call.number, call.abi, selector_of(call))
    for index in addresses:
        for item in call.items.get(index, ()):
            if found := address(item.data):
                return found.strip('"')
    if call.name in MESSAGES:
        for item in (item for items in call.items.values() for item in items if item.sub == layout.SUB_NAME):
            if found := address(item.data):
                return found.strip('"')
    known = _file(call, fds)
    return known.socket.remote.strip('"') if known is not None and known.socket is not None else ""


def descriptor(call: Call) -> str:
    """Returns the file or socket of a call's first descriptor: ``/data/db``, ``TCP:[127.0.0.1:80->...]``; else ""."""
    known = _file(call, _places(call.number, call.abi, selector_of(call))[2])
    return bare(known.text) if known is not None else ""


def _file(call: Call, fds: tuple[int, ...]) -> KnownFile | None:
    if call.files is None:
        return None
    found = (call.files.before.get(call.registers[n] & _INT) for n in fds if n < len(call.registers))
    return next((known for known in found if known is not None), None)


def bare(text: str) -> str:
    """Removes the brackets: ``</etc/hosts>`` becomes ``/etc/hosts``."""
    found = _NAME.fullmatch(text)
    return found[1] if found else text


def line(call: Call) -> str:
    """Returns the call as strace prints it."""
    printer, view = printer_of(call), view_of(call, _OPTIONS)
    args = ", ".join(printer.args(view))
    interrupted = call.result in _RESTARTS
    result = (
        " ..." if (call.result is None and not never_returns(call)) or interrupted else f" = {printer.result(view)}"
    )
    refused = " (refused by seccomp)" if call.by_seccomp else ""
    whole = f"{call.title}({args}){result}{refused}{refusal_note(call)}"
    return whole if len(whole) <= _LINE_MAX else f"{whole[: _LINE_MAX - 3]}..."


def evidence(call: Call) -> Evidence:
    """Returns the call as evidence, at the time of its entry."""
    return Evidence(call.ts_ns, call.tid, line(call))


def stack(places: list[str]) -> str:
    """Returns ``the stack, by frame pointers: /bin/app+0x11a4, ...``. places: from the instruction on."""
    return printable(f"the stack, by frame pointers: {', '.join(places[:_FRAMES_SHOWN])}")


def evidence_of(event: Signal | TaskExit, note: str) -> Evidence:
    """Returns another event as evidence. note: its text."""
    return Evidence(event.ts_ns, event.tid, note)
