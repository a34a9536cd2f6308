# SPDX-License-Identifier: Apache-2.0
"""Compiles a call's line of `arguments.table` into its printers, once per call.

A word's kind is looked up in this order: ``VALUES`` of the family modules; `memory` for strings, buffers and lists;
``STRUCTS`` of the family modules; `xlat` for names of numbers (a word that names a table: ``open_flags`` for sets of
bits, ``one_whence`` for single values of ``whence``). ``-``, and arguments after the last word, are printed by their
C type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Final

from traceloop_decode.arguments.compat import name_of
from traceloop_decode.arguments.selectors import SELECTORS
from traceloop_decode.arguments.table import sizes
from traceloop_decode.arguments.variants import selector_of
from traceloop_decode.arguments.words import UNKNOWN, Line, Word, line_of, request_line
from traceloop_decode.c_types import is_pointer, width
from traceloop_decode.errnos import ERRNO
from traceloop_decode.model import Call
from traceloop_decode.printers import families, memory, numbers
from traceloop_decode.printers.view import Printer, View
from traceloop_decode.printers.widening import widened
from traceloop_decode.syscalls import Abi, Param
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, xlat

READ_AT_EXIT: Final = " /* read at exit */"
_STRINGS: Final = frozenset(
    ("path", "string", "bytes", "hex_bytes", "sent", "received", "thread_name", "task_name", "mount_type")
)
_COMPILED_MAX: Final = 4096
_REGISTER_MASK: Final = (1 << 64) - 1
_ONE: Final = "one_"
_RESTARTS: Final = "ERESTART"  # the kernel restarts the call, or turns this into EINTR: programs never see it
_UNKNOWN_CALL_WORD: Final = Word("hex")
_NEVER_RETURN: Final = frozenset(("exit", "exit_group"))


_Named = tuple[str, int, Printer]


@dataclass(frozen=True, slots=True)
class CallPrinter:
    """Printers of one call.

    named: the kernel's name of each argument, its index, and the printer of its own register and memory, in the
    kernel's order. traced: the same in strace's order, with strace's label of an argument, or "". before_out: the
    number of arguments of `traced` before the first output; these are shown when the call begins. structs: the
    indices of arguments that point at more than a string.
    """

    named: tuple[_Named, ...]
    traced: tuple[_Named, ...]
    before_out: int
    structs: frozenset[int]
    print_result: Callable[[View], str]

    @property
    def has_late(self) -> bool:
        """Tells whether some arguments are shown only when the call has returned."""
        return self.before_out < len(self.traced)

    def args(self, view: View) -> list[str]:
        """Returns strace's text of each argument that has a meaning in this call."""
        return _texts(self.traced, view, self.named)

    def early(self, view: View) -> list[str]:
        """Returns the part of `args` that is known when the call begins."""
        return _texts(self.traced[: self.before_out], view, self.named)

    def late(self, view: View) -> list[str]:
        """Returns the part of `args` that `early` leaves out."""
        return _texts(self.traced[self.before_out :], view, self.named)

    def result(self, view: View) -> str:
        """Returns the text after ``= ``; ``?`` for a call that has not returned."""
        if view.failed:
            return error(view.call.result or 0)
        if not view.returned:
            return "?"
        shown = self.print_result(view)
        return shown + view.made() if view.call.files is not None or view.call.request is not None else shown


def _texts(printers: tuple[_Named, ...], view: View, named: tuple[_Named, ...]) -> list[str]:
    if view.options.arg_names:
        printers = tuple((label or named[index][0], index, print_one) for label, index, print_one in printers)
    return [
        f"{label}={text}" if label else text
        for label, index, print_one in printers
        if (text := print_one(view, index)) is not None
    ]


def printer_of(call: Call) -> CallPrinter:
    """Returns the printers of a call, or of its variant if it is one."""
    abi = call.abi
    selector = selector_of(call) if abi.compat or call.name in SELECTORS else ""
    return _compiled(call.number, abi, selector, len(call.registers))


def marking_printer_of(call: Call) -> CallPrinter:
    """Returns `printer_of` with a mark after each argument whose memory was read only at the call's exit."""
    printer, again = printer_of(call), call.read_at_exit
    if not again:  # nearly always
        return printer

    def marked(printers: tuple[_Named, ...]) -> tuple[_Named, ...]:
        return tuple((name, n, _marking(print_one) if n in again else print_one) for name, n, print_one in printers)

    return replace(printer, named=marked(printer.named), traced=marked(printer.traced))


def traced_printer_of(call: Call, options: Options) -> CallPrinter:
    """Returns the same as strace's options want it: with addresses of structs where -e verbose= leaves the call out."""
    printer, shown = marking_printer_of(call), options.verbose_calls
    if shown is None or shown(call.name, call.compat):
        return printer
    address = numbers.VALUES["addr"]
    traced = ((label, n, address if n in printer.structs else print_one) for label, n, print_one in printer.traced)
    return replace(printer, traced=tuple(traced))


def _marking(print_one: Printer) -> Printer:
    def print_marked(view: View, index: int) -> str | None:
        text = print_one(view, index)
        return None if text is None else f"{text}{READ_AT_EXIT}"

    return print_marked


def seen(call: Call) -> Call:
    """Returns the call in the form that printers expect, with a 32-bit program's structs widened."""
    return widened(call) if call.abi.compat else call


def view_of(call: Call, options: Options) -> View:
    """Returns the view of a call for its printers."""
    return View(widened(call) if call.abi.compat else call, options)


@cache
def error(number: int) -> str:
    """Returns ``-1 ENOENT (No such file or directory)``; for restart codes, ``? ERESTARTSYS (...)``."""
    if -number not in ERRNO:
        return f"-1 (errno {-number})"
    name, message = ERRNO[-number]
    return f"{'?' if name.startswith(_RESTARTS) else '-1'} {name} ({message})"


def never_returns(call: Call) -> bool:
    """Tells whether the call ends its thread."""
    return call.name in _NEVER_RETURN


@lru_cache(maxsize=_COMPILED_MAX)  # programs may call any number
def _compiled(number: int, abi: Abi, selector: str, registers: int) -> CallPrinter:
    syscall = abi.lookup(number)
    params = syscall.params if syscall is not None else ()
    line = None
    if syscall is not None:
        line = request_line(syscall) if abi.requests else line_of(syscall, selector, compat=abi.compat, arch=abi.arch)
    words = line.words if line is not None else ()
    named, traced = [], []
    late = set()
    for index in range(registers):
        word = words[index] if index < len(words) else Word(UNKNOWN) if syscall is not None else _UNKNOWN_CALL_WORD
        spare = f"arg{index}" if word.what == UNKNOWN or word is _UNKNOWN_CALL_WORD else word.what
        param = params[index] if index < len(params) else Param(spare, "unsigned long")
        named.append((param.name, index, _printer(word, param, abi)))
        traced.append(("", index, families.TRACED.get(word.what, named[-1][2])))
        if word.is_out or word.what in families.LATE or f"{word.direction}:{word.what}" in families.LATE:
            late.add(index)
    if line is not None and line.name in families.ORDERS:
        by_name = {name: (index, print_one) for name, index, print_one in named}
        traced = [(label, *by_name[name]) for name, label in families.ORDERS[line.name] if name in by_name]
    before_out = next((n for n, (_, index, _) in enumerate(traced) if index in late), len(traced))
    structs = frozenset(n for n, word in enumerate(words) if word.direction and word.what not in _STRINGS)
    return CallPrinter(tuple(named), tuple(traced), before_out, structs, _result_printer(line))


def _hex(number: int) -> str:
    return f"{number & _REGISTER_MASK:#x}" if number else "0"


_RESULTS: Final[Mapping[str, Callable[[Any], str]]] = {"hex": _hex, "mode": numbers.mode}


def _result_printer(line: Line | None) -> Callable[[View], str]:
    suffix = families.RESULTS.get(name_of(line.name)) if line is not None else None
    what = line.result.what if line is not None and line.result is not None else ""

    show = _RESULTS.get(what, str)
    if suffix is None:
        return lambda view: show(view.call.result)
    return lambda view: show(view.call.result) + (suffix(view) if view.registers else "")


_MEMORY: Final[Mapping[str, Callable[[Word], Printer]]] = {
    "path": memory.string,
    "string": memory.string,
    "bytes": memory.buffer,
    "argv": memory.argv,
    "vars": memory.variables,
}


def _printer(word: Word, param: Param, abi: Abi) -> Printer:
    what = word.what
    if what in families.VALUES:
        return families.VALUES[what]
    if what in _MEMORY:
        return _MEMORY[what](word)
    if what in families.STRUCTS:
        return memory.struct(word, sizes(abi.arch)[what], families.STRUCTS[what])
    if what in XLATS:
        table, mask = xlat(what, abi), (1 << (64 if "long" in param.ctype else 32)) - 1
        return lambda view, index: table.flags(view.registers[index] & mask, view.options)
    if what.startswith(_ONE) and what.removeprefix(_ONE) in XLATS:
        table = xlat(what.removeprefix(_ONE), abi)
        return lambda view, index: table.one(view.registers[index] & 0xFFFFFFFF, view.options)
    if is_pointer(param.ctype):
        return numbers.VALUES["addr"]
    bits, signed = width(param.ctype, compat=abi.compat)
    mask, sign = (1 << bits) - 1, 1 << bits - 1 if signed else 0
    return lambda view, index: str((view.registers[index] & mask ^ sign) - sign)
