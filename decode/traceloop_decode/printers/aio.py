# SPDX-License-Identifier: Apache-2.0
"""The control blocks of io_submit, and the events of io_getevents."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.files_vectors import vector
from traceloop_decode.printers.kit import fixed, hexadecimal, register
from traceloop_decode.printers.memory import text
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.xlat import XLATS

_AIO: Final = XLATS["aio_cmd"]


@fixed("QIIHhIQQq")
def _iocb(view: View, data: int, _key: int, _rw: int, command: int, priority: int, fd: int, *_rest: int) -> str:
    shown = [f"aio_data={hexadecimal(data)}", f"aio_lio_opcode={_AIO.one(command, view.options)}"]
    if priority:
        shown.append(f"aio_reqprio={priority}")
    shown.append(f"aio_fildes={fd - (1 << 32) if fd >> 31 else fd}")
    return f"{{{', '.join(shown)}}}"


_IOCB: Final = Struct("<QIIHhIQQqQII")
_READS: Final = frozenset(("IOCB_CMD_PREAD", "IOCB_CMD_PWRITE"))
_VECTORS: Final = frozenset(("IOCB_CMD_PREADV", "IOCB_CMD_PWRITEV"))
_RESFD: Final = 1


def _submitted(items: list[Item], at: int, view: View) -> str:
    # One control block, and what it writes.
    data = items[0].data
    if len(data) < _IOCB.size:
        return address(at)
    _, _, _, command, _, _, buffer, size, offset, _, flags, result_fd = _IOCB.unpack(data[: _IOCB.size])
    shown, name = [_iocb(data, view).strip("{}")], _AIO.names.get(command, "")
    if name in _READS:
        written = next((item for item in items if item.sub == layout.SUB_NAME), None)
        contents = text(written.data, size, view.options) if written is not None and written.data else address(buffer)
        shown += [f"aio_buf={contents}", f"aio_nbytes={size}", f"aio_offset={offset}"]
    elif name in _VECTORS:
        known = name != "IOCB_CMD_PREADV"  # nothing has been read yet
        shown += [f"aio_buf={vector(items[1:], buffer, size, view, known=known)}", f"aio_offset={offset}"]
    elif name == "IOCB_CMD_POLL":
        shown.append(f"aio_buf={XLATS['poll_events'].flags(buffer & 0xFFFF, view.options)}")
    if flags & _RESFD and name in _READS | _VECTORS:
        shown.append(f"aio_resfd={result_fd}")
    return f"{{{', '.join(shown)}}}"


def _control_blocks(view: View, index: int) -> str:
    count, items = register(view, 1), list(view.call.items.get(index, ()))
    if not count:
        return "[]"
    width = 4 if view.call.compat else 8
    if not items or items[0].kind != layout.KIND_IOCB or len(items[0].data) < width:
        return address(view.registers[index])
    pointers = [items[0].data[at : at + width] for at in range(0, len(items[0].data), width)]
    groups: list[list[Item]] = []
    for item in items[1:]:
        if item.kind == layout.KIND_IOCB:
            groups.append([])
        if groups:
            groups[-1].append(item)
    shown = [_submitted(group, int.from_bytes(at, "little"), view) for group, at in zip(groups, pointers, strict=False)]
    if len(shown) < count:
        shown.append("...")
    return f"[{', '.join(shown)}]"


@fixed("QQqq")
def _io_event(_view: View, data: int, block: int, result: int, second: int) -> str:
    return f"{{data={hexadecimal(data)}, obj={hexadecimal(block)}, res={result}, res2={second}}}"


VALUES: Final[dict[str, Printer]] = {"control_blocks": _control_blocks}
STRUCTS: Final[dict[str, StructPrinter]] = {"iocb": _iocb, "io_event": _io_event}
