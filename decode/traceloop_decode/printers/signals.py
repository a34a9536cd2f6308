# SPDX-License-Identifier: Apache-2.0
"""Arguments of calls on signals: sets, actions, stacks, siginfo, and timers' notifications."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Final

from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.signals import SIGNAL
from traceloop_decode.values.options import styled
from traceloop_decode.values.siginfo import SIZE, fields_of, signal_name, text_of
from traceloop_decode.values.xlat import XLATS

_SIGNALS: Final = 64
_SET_BYTES: Final = _SIGNALS // 8
_NEARLY_FULL: Final = _SIGNALS * 2 // 3
"""Minimum number of signals in a set that is printed as its complement."""
_SHORT: Final = tuple(SIGNAL.get(number, str(number)).removeprefix("SIG") for number in range(1, _SIGNALS + 1))

_ACTION: Final = Struct("<QQQQ")
_HANDLERS: Final = {0: "SIG_DFL", 1: "SIG_IGN", (1 << 64) - 1: "SIG_ERR"}
_SA_RESTORER: Final = 0x04000000
_STACK: Final = Struct("<QI4xQ")
_EVENT: Final = Struct("<QiI")
_EVENT_THREAD: Final = Struct("<i")
_EVENT_FUNCTION: Final = Struct("<QQ")
_VALUE_INT: Final = Struct("<i")
_NOTIFIES_WITH_SIGNAL: Final = frozenset(("SIGEV_SIGNAL", "SIGEV_THREAD", "SIGEV_THREAD_ID"))


@lru_cache(maxsize=4096)
def set_text(mask: int, constants: str) -> str:
    """Returns ``[USR1 TERM]``, or ``~[...]`` for a nearly full set. mask: bit 0 is signal 1. constants: as -X says."""
    inverted = mask.bit_count() >= _NEARLY_FULL
    wanted = ~mask if inverted else mask
    names = [styled(name, str(bit + 1), constants) for bit, name in enumerate(_SHORT) if wanted >> bit & 1]
    return f"{'~' if inverted else ''}[{' '.join(names)}]"


def _set_printer(*, out: bool = False, late: bool = False) -> Printer:
    # late: strace prints the set when the call has returned, and like an output only if it did not fail.
    hidden: Callable[[View], bool] = (
        (lambda view: not view.returned or view.failed) if out or late else (lambda _view: False)
    )

    def print_set(view: View, index: int) -> str:
        item = None if hidden(view) else view.item(index, out=out)
        # The kernel accepts only sets of its own size; as output it returns leading bytes if less was asked for.
        if item is None or not (item.size == _SET_BYTES or (out and 0 < item.size < _SET_BYTES)):
            return address(view.registers[index])
        if len(item.data) < item.size:
            return address(view.registers[index]) if item.fault else "[...]"
        return set_text(int.from_bytes(item.data, "little"), view.options.constants)

    return print_set


def _sigaction(data: bytes, view: View) -> str:
    if len(data) < _ACTION.size:
        return "{...}"
    handler, flags, restorer, mask = _ACTION.unpack_from(data)
    constants = view.options.constants
    number = address(handler) if handler else "0"
    by = f", sa_restorer={address(restorer)}" if flags & _SA_RESTORER else ""
    return (
        f"{{sa_handler={styled(_HANDLERS.get(handler, ''), number, constants)}, sa_mask={set_text(mask, constants)}, "
        f"sa_flags={XLATS['sa_flags'].flags(flags, view.options)}{by}}}"
    )


def _stack(data: bytes, view: View) -> str:
    if len(data) < _STACK.size:
        return "{...}"
    start, flags, size = _STACK.unpack_from(data)
    return (
        f"{{ss_sp={address(start)}, ss_flags={XLATS['sigaltstack_flags'].flags(flags, view.options)}, ss_size={size}}}"
    )


def _siginfo(data: bytes, view: View) -> str:
    return text_of(fields_of(data), view.options.constants, view.call.abi.arch) if len(data) >= SIZE else "{...}"


def _sigevent(data: bytes, view: View) -> str:
    if len(data) < _EVENT.size + _EVENT_FUNCTION.size:
        return "{...}"
    value, signal, notify = _EVENT.unpack_from(data)
    (number,) = _VALUE_INT.unpack_from(data)
    held = f"sigev_value={{sival_int={number}, sival_ptr={address(value)}}}, " if value else ""
    how = XLATS["sigev_notify"].names.get(notify, "")
    named = how in _NOTIFIES_WITH_SIGNAL
    name, number = (SIGNAL.get(signal, ""), signal) if named else ("", signal & 0xFFFFFFFF)
    more = ""
    if how == "SIGEV_THREAD_ID":
        more = f", sigev_notify_thread_id={_EVENT_THREAD.unpack_from(data, _EVENT.size)[0]}"
    elif how == "SIGEV_THREAD":
        function, attributes = map(address, _EVENT_FUNCTION.unpack_from(data, _EVENT.size))
        more = f", sigev_notify_function={function}, sigev_notify_attributes={attributes}"
    notified = XLATS["sigev_notify"].one(notify, view.options)
    return f"{{{held}sigev_signo={styled(name, str(number), view.options.constants)}, sigev_notify={notified}{more}}}"


def _received(view: View) -> str:
    return f" ({signal_name(view.call.result or 0)})"


VALUES: Final[dict[str, Printer]] = {
    "sigset": _set_printer(),
    "sigset_out": _set_printer(out=True),
    "sigset_late": _set_printer(late=True),
}
STRUCTS: Final[dict[str, StructPrinter]] = {
    "sigaction": _sigaction,
    "sigevent": _sigevent,
    "siginfo": _siginfo,
    "saved_mask": lambda data, view: f"{{mask={set_text(int.from_bytes(data, 'little'), view.options.constants)}}}",
    "stack": _stack,
}
RESULTS: Final[dict[str, Callable[[View], str]]] = {"rt_sigtimedwait": _received}
LATE: Final = ("sigset_late",)
