# SPDX-License-Identifier: Apache-2.0
"""Arguments and answers of io_uring_setup and io_uring_register."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.kit import MASK32, fixed, hexadecimal, listed, register
from traceloop_decode.printers.memory import elements
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.signals import set_text
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_PARAMS: Final = Struct("<7I12x8IQ8IQ")
_SETUP: Final = XLATS["uring_setup"]
_FEATURES: Final = XLATS["uring_features"]
_ATTACH_WQ: Final = 1 << 5
_SQ_OFFSETS: Final = ["head", "tail", "ring_mask", "ring_entries", "flags", "dropped", "array"]
_CQ_OFFSETS: Final = ["head", "tail", "ring_mask", "ring_entries", "overflow", "cqes", "flags"]


def _offsets(names: list[str], values: tuple[int, ...]) -> str:
    return f"{{{', '.join(f'{name}={value}' for name, value in zip(names, values, strict=True))}}}"


@fixed(_PARAMS.format.removeprefix("<"))
def _uring_params(view: View, *fields: int) -> str:
    sq_entries, cq_entries, flags, cpu, idle, features, wq_fd = fields[:7]
    shown = [
        f"flags={_SETUP.flags(flags, view.options)}",
        f"sq_thread_cpu={hexadecimal(cpu)}",
        f"sq_thread_idle={idle}",
    ]
    if flags & _ATTACH_WQ:
        shown.append(f"wq_fd={view.fd(wq_fd)}")
    if view.returned and not view.failed:
        shown += [f"sq_entries={sq_entries}", f"cq_entries={cq_entries}"]
        shown.append(f"features={_FEATURES.flags(features, view.options)}")
        shown.append(f"sq_off={_offsets(_SQ_OFFSETS, fields[7:14])}")
        shown.append(f"cq_off={_offsets(_CQ_OFFSETS, fields[16:23])}")
    return f"{{{', '.join(shown)}}}"


@fixed("QQ")
def _plain_iovec(_view: View, base: int, length: int) -> str:
    return f"{{iov_base={address(base)}, iov_len={length}}}"


# io_uring_register

_FILES_UPDATE: Final = Struct("<IIQ")
_RESOURCES: Final = Struct("<IIQQQ")
_CHANGES: Final = Struct("<I4xQQI4x")
_WORKERS: Final = Struct("<II")
_SIGSET: Final = 8


def _listed(view: View, index: int, at: int, count: int) -> str:
    # The command decides whether these are descriptors or iovecs.
    item = view.nested(index, 1)
    if item is None or not item.data or not count:
        return address(at)
    if item.size == count * 4:
        return listed(item, 4, view.fd, view, at, signed=True)
    return elements(item, 16, _plain_iovec, view, at)


def _files_update(view: View, index: int) -> str:
    data = view.data(index)
    if len(data) < _FILES_UPDATE.size:
        return address(view.registers[index])
    offset, reserved, at = _FILES_UPDATE.unpack_from(data)
    rest = f", resv={reserved:#x}" if reserved else ""
    return f"{{offset={offset}{rest}, fds={_listed(view, index, at, register(view, 3) & MASK32)}}}"


def _resources(view: View, index: int) -> str:
    data = view.data(index)
    if len(data) < _RESOURCES.size:
        return address(view.registers[index])
    count, flags, reserved, at, tags = _RESOURCES.unpack_from(data)
    rest = f", resv2={reserved:#x}" if reserved else ""
    shown = f"flags={hexadecimal(flags)}{rest}, data={_listed(view, index, at, count)}, tags={address(tags)}"
    return f"{{nr={count}, {shown}}}"


def _changes(view: View, index: int) -> str:
    data = view.data(index)
    if len(data) < _CHANGES.size:
        return address(view.registers[index])
    offset, at, tags, count = _CHANGES.unpack_from(data)
    return f"{{offset={offset}, data={_listed(view, index, at, count)}, tags={address(tags)}, nr={count}}}"


def _max_workers(view: View, index: int) -> str:
    before, after, at = view.data(index), view.data(index, out=True), address(view.registers[index])
    if len(before) < _WORKERS.size:
        return at

    def both(data: bytes) -> str:
        bound, unbound = _WORKERS.unpack_from(data)
        return f"[[IO_WQ_BOUND]={bound}, [IO_WQ_UNBOUND]={unbound}]"

    known = len(after) >= _WORKERS.size and not view.failed
    return f"{both(before)} => {both(after) if known else at}"


def _uring_mask(view: View, index: int) -> str:
    item = view.item(index)
    if item is None or item.size != _SIGSET or len(item.data) < _SIGSET:
        return address(view.registers[index])
    return set_text(int.from_bytes(item.data, "little"), view.options.constants)


VALUES: Final[dict[str, Printer]] = {
    "files_update": _files_update,
    "resources": _resources,
    "changes": _changes,
    "max_workers": _max_workers,
    "uring_mask": _uring_mask,
}
STRUCTS: Final[dict[str, StructPrinter]] = {"io_uring_params": _uring_params, "plain_iovec": _plain_iovec}
