# SPDX-License-Identifier: Apache-2.0
"""Arguments of calls that wait for descriptors: poll, select and epoll."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.memory import bracketed, is_readable
from traceloop_decode.printers.numbers import address, signed32
from traceloop_decode.printers.signals import set_text
from traceloop_decode.printers.time import left, timespec, timeval
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_POLLFD: Final = Struct("<iHH")
_PAIR: Final = Struct("<QQ")
_PAIR_32: Final = Struct("<II")
_EVENT: Final = Struct("<IQ")
_EVENT_ARM64: Final = Struct("<I4xQ")  # only x86-64 packs it
_EPOLL_CTL_DEL: Final = 2
_SET_BYTES: Final = 8
_SELECT_MAX: Final = 1 << 20  # descriptors: more than a process may have (fs.nr_open)
_SETS: Final = ((1, "in"), (2, "out"), (3, "except"))  # select's arguments
_TIMEOUT: Final = " (Timeout)"


def _polled(data: bytes) -> Iterator[tuple[int, int, int]]:
    # Descriptor, events, revents.
    return _POLLFD.iter_unpack(data[: len(data) // _POLLFD.size * _POLLFD.size])


def _pollfds(view: View, index: int) -> str:
    start = view.registers[index]
    count = view.registers[index + 1] & 0xFFFFFFFF if index + 1 < len(view.registers) else 0
    item = view.item(index)
    if item is None:
        return address(start) if count or not start else "[]"
    events = XLATS["poll_events"]
    shown = [
        f"{{fd={fd}}}" if fd < 0 else f"{{fd={view.fd(fd)}, events={events.flags(wanted, view.options)}}}"
        for fd, wanted, _ in _polled(item.data)
    ]
    return bracketed(shown, item, _POLLFD.size, start, view)


def _listed(shown: list[str], count: int, view: View) -> str:
    # strace shows at most as many elements of an array as -s says.
    most = len(shown) if view.options.verbose else view.options.string_max
    cut = [*shown[:most], "..."] if min(most, len(shown)) < count else shown
    return f"[{', '.join(cut)}]"


def _ready(view: View) -> str:
    # For poll: the descriptors with events.
    if not view.call.result:
        return _TIMEOUT
    events = XLATS["poll_events"]
    shown = [
        f"{{fd={fd}, revents={events.flags(found, view.options)}}}"
        for fd, _, found in _polled(view.data(0, out=True))
        if found
    ]
    return f" ({_listed(shown, view.call.result, view)})"


def _ready_or_left(view: View) -> str:
    # For ppoll: the remaining time too.
    ready, rest = _ready(view), left(view, 2, timespec)
    return f"{ready[:-1]}, {rest})" if rest and ready != _TIMEOUT else ready


def _fds(item: Item, count: int, show: Callable[[int], str]) -> list[str]:
    known = min(count, 8 * len(item.data))
    bits = int.from_bytes(item.data, "little") & (1 << known) - 1
    return [show(fd) for fd in range(bits.bit_length()) if bits >> fd & 1] + ["..."] * (known < count)


def _fd_set(view: View, index: int) -> str:
    count, item = signed32(view.registers[0]), view.item(index)
    count = min(count, _SELECT_MAX)
    if item is None or count <= 0 or (item.fault and len(item.data) < item.size):
        return address(view.registers[index])
    return f"[{' '.join(_fds(item, count, view.fd))}]"


def _selected(show: StructPrinter) -> Callable[[View], str]:
    def print_selected(view: View) -> str:
        if not view.call.result:
            return _TIMEOUT
        count, shown = signed32(view.registers[0]), []
        for index, name in _SETS:
            item = view.item(index, out=True)
            fds = _fds(item, min(count, _SELECT_MAX), str) if item is not None and count > 0 else []
            if fds:
                shown.append(f"{name} [{' '.join(fds)}]")
        rest = left(view, 4, show)
        return f" ({', '.join([*shown, rest] if rest else shown)})"

    return print_selected


def _mask_and_size(view: View, index: int) -> str:
    # For pselect6: a pointer and a size, in the layout of an iovec, and what the pointer points at.
    items = view.call.items.get(index, ())
    pair_of = _PAIR_32 if view.call.compat else _PAIR
    pair = next((item for item in items if item.kind == layout.KIND_IOVEC and len(item.data) >= pair_of.size), None)
    mask = next((item for item in items if item.kind == layout.KIND_BUFFER), None)
    if mask is not None and (pair is None or (mask.data and mask.size == _SET_BYTES)):
        text = set_text(int.from_bytes(mask.data, "little"), view.options.constants) if mask.data else "NULL"
        return f"{{sigmask={text if mask.size == _SET_BYTES else '...'}, sigsetsize={mask.size}}}"
    if pair is None:
        return address(view.registers[index])
    pointer, size = pair_of.unpack_from(pair.data)
    return f"{{sigmask={address(pointer)}, sigsetsize={size}}}"


def _event(data: bytes, view: View) -> str:
    layout = _EVENT_ARM64 if view.call.abi.arch == "aarch64" else _EVENT
    if len(data) < layout.size:
        return "{...}"
    events, value = layout.unpack_from(data)
    shown = f"data={{u32={value & 0xFFFFFFFF}, u64={value}}}"
    return f"{{events={XLATS['epoll_events'].flags(events, view.options)}, {shown}}}"


def _change(view: View, index: int) -> str:
    # For epoll_ctl: removing a descriptor takes no events.
    item = view.item(index) if view.registers[1] & 0xFFFFFFFF != _EPOLL_CTL_DEL else None
    if item is None or not item.data or not is_readable(item, item.size):
        return address(view.registers[index])
    return _event(item.data, view)


VALUES: Final[dict[str, Printer]] = {
    "pollfd": _pollfds,
    "fd_set": _fd_set,
    "mask_and_size": _mask_and_size,
    "epoll_change": _change,
}
STRUCTS: Final[dict[str, StructPrinter]] = {"epoll_event": _event}
RESULTS: Final[dict[str, Callable[[View], str]]] = {
    "poll": _ready,
    "ppoll": _ready_or_left,
    "select": _selected(timeval),
    "pselect6": _selected(timespec),
}
