# SPDX-License-Identifier: Apache-2.0
"""From a call's line of `arguments.table` to its printers, compiled once a call.

Where a kind is looked for: `memory` for strings, buffers and lists; ``VALUES`` and ``STRUCTS`` of the family modules;
`xlat` for names of numbers (a word that names a table: ``open_flags`` for sets of bits, ``=whence`` is written
``one_whence`` for single values). A word ``-``, and arguments behind the last word, are printed by their C type.
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
from traceloop_decode.arguments.words import UNKNOWN, Line, Word, line_of
from traceloop_decode.errnos import ERRNO
from traceloop_decode.model import Call
from traceloop_decode.printers import families, memory, numbers
from traceloop_decode.printers.view import Printer, View
from traceloop_decode.printers.widening import widened
from traceloop_decode.syscalls import Abi, Param
from traceloop_decode.values.c_types import is_pointer, width
from traceloop_decode.values.options import Options
from traceloop_decode.values.xlat import XLATS, xlat

READ_AT_EXIT: Final = " /* read at exit */"
_COMPILED_MAX: Final = 4096
_REGISTER_MASK: Final = (1 << 64) - 1
_ONE: Final = "one_"
_RESTARTS: Final = "ERESTART"  # the kernel restarts the call, or makes it EINTR: programs never see these
_OF_NO_CALL: Final = Word("hex")
_NEVER_RETURN: Final = frozenset(("exit", "exit_group"))


_Named = tuple[str, int, Printer]


@dataclass(frozen=True, slots=True)
class CallPrinter:
    """One call's printers, each with its argument's name, which is the kernel's own, and index.

    before_out: how many stand before an output; those are shown when the call begins.
    """

    named: tuple[_Named, ...]
    before_out: int
    print_result: Callable[[View], str]

    @property
    def has_late(self) -> bool:
        """Are there arguments that are shown only when the call has returned?"""
        return self.before_out < len(self.named)

    def args(self, view: View) -> list[str]:
        """The text of each argument that means something in this call."""
        return [text for _, index, print_one in self.named if (text := print_one(view, index)) is not None]

    def early(self, view: View) -> list[str]:
        """Those of `args` that are known when the call begins."""
        shown = self.named[: self.before_out]
        return [text for _, index, print_one in shown if (text := print_one(view, index)) is not None]

    def late(self, view: View) -> list[str]:
        """The rest of `args`."""
        shown = self.named[self.before_out :]
        return [text for _, index, print_one in shown if (text := print_one(view, index)) is not None]

    def result(self, view: View) -> str:
        """What stands behind ``= ``; ``?`` for a call that has not returned."""
        if view.failed:
            return error(view.call.result or 0)
        if not view.returned:
            return "?"
        shown = self.print_result(view)
        return shown + view.made() if view.call.files is not None else shown


def printer_of(call: Call) -> CallPrinter:
    """The printers for a call: those of its variant, where it has any."""
    abi = call.abi
    selector = selector_of(call) if abi.compat or call.name in SELECTORS else ""
    return _compiled(call.number, abi, selector, len(call.registers))


def marking_printer_of(call: Call) -> CallPrinter:
    """The same; behind arguments whose memory was read at the call's exit, it says so."""
    printer, again = printer_of(call), call.read_at_exit
    if not again:  # as nearly always
        return printer
    named = [(name, n, _marking(print_one) if n in again else print_one) for name, n, print_one in printer.named]
    return replace(printer, named=tuple(named))


def _marking(print_one: Printer) -> Printer:
    def print_marked(view: View, index: int) -> str | None:
        text = print_one(view, index)
        return None if text is None else f"{text}{READ_AT_EXIT}"

    return print_marked


def seen(call: Call) -> Call:
    """A call as its printers look at it."""
    return widened(call) if call.abi.compat else call


def view_of(call: Call, options: Options) -> View:
    """What they see of it."""
    return View(widened(call) if call.abi.compat else call, options)


@cache
def error(number: int) -> str:
    """``-1 ENOENT (No such file or directory)``; restart codes as ``? ERESTARTSYS (...)``."""
    if -number not in ERRNO:
        return f"-1 (errno {-number})"
    name, message = ERRNO[-number]
    return f"{'?' if name.startswith(_RESTARTS) else '-1'} {name} ({message})"


def never_returns(call: Call) -> bool:
    """Does the call end its thread?"""
    return call.name in _NEVER_RETURN


@lru_cache(maxsize=_COMPILED_MAX)  # programs may call any number
def _compiled(number: int, abi: Abi, selector: str, registers: int) -> CallPrinter:
    syscall = abi.lookup(number)
    params = syscall.params if syscall is not None else ()
    line = line_of(syscall, selector, compat=abi.compat, arch=abi.arch) if syscall is not None else None
    words = line.words if line is not None else ()
    named, before_out = [], registers
    for index in range(registers):
        word = words[index] if index < len(words) else Word(UNKNOWN) if syscall is not None else _OF_NO_CALL
        spare = f"arg{index}" if word.what == UNKNOWN or word is _OF_NO_CALL else word.what
        param = params[index] if index < len(params) else Param(spare, "unsigned long")
        named.append((param.name, index, _printer(word, param, abi)))
        if word.is_out or word.what in families.LATE or f"{word.direction}:{word.what}" in families.LATE:
            before_out = min(before_out, index)
    return CallPrinter(tuple(named), before_out, _result_printer(line))


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
        table = xlat(what, abi)
        return lambda view, index: table.flags(view.registers[index] & 0xFFFFFFFF, view.options)
    if what.startswith(_ONE) and what.removeprefix(_ONE) in XLATS:
        table = xlat(what.removeprefix(_ONE), abi)
        return lambda view, index: table.one(view.registers[index] & 0xFFFFFFFF, view.options)
    if is_pointer(param.ctype):
        return numbers.VALUES["addr"]
    bits, signed = width(param.ctype, compat=abi.compat)
    mask, sign = (1 << bits) - 1, 1 << bits - 1 if signed else 0
    return lambda view, index: str((view.registers[index] & mask ^ sign) - sign)
