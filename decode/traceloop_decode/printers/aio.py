# SPDX-License-Identifier: Apache-2.0
"""The control blocks of io_submit, and the events of io_getevents."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.files_vectors import vector
from traceloop_decode.printers.kit import MASK32, fixed, hexadecimal, register
from traceloop_decode.printers.memory import bracketed, counted
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.process_scheduling import ioprio
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_IOCB: Final = Struct("<QIIHhiQQqQIi")
_COMMANDS: Final = XLATS["aio_cmd"]
_FLAGS: Final = XLATS["aio_flags"]
_IOPRIO: Final = 2


@fixed(_IOCB.format.removeprefix("<"))
def _iocb(view: View, *fields: int) -> str:
    data, key, rw_flags, command, priority, fd, *_, flags, _ = fields
    name = _COMMANDS.names.get(command, "")
    shown = [f"aio_data={hexadecimal(data)}"]
    if key:
        shown.append(f"aio_key={key}")
    if rw_flags:
        shown.append(f"aio_rw_flags={XLATS['rwf_flags'].flags(rw_flags, view.options)}")
    unknown = str(command) if view.options.constants == "raw" else f"{command} /* {_COMMANDS.unknown} */"
    shown.append(f"aio_lio_opcode={styled(name, str(command), view.options.constants) if name else unknown}")
    if flags & _IOPRIO:
        value = priority & 0xFFFF
        shown.append(f"aio_reqprio={styled(ioprio(value, view), str(value), view.options.constants)}")
    elif priority:
        shown.append(f"aio_reqprio={priority}")
    shown.append(f"aio_fildes={view.fd(fd)}")
    return f"{{{', '.join(shown)}}}"


_BUFFERS: Final = frozenset(("IOCB_CMD_PREAD", "IOCB_CMD_PWRITE"))
_SIZE_MAX: Final = (1 << 63) - 1
_VECTORS: Final = frozenset(("IOCB_CMD_PREADV", "IOCB_CMD_PWRITEV"))
_RESFD: Final = 1


def _submitted(items: list[Item], at: int, view: View) -> str:
    # Prints one control block and the data that it writes.
    data = items[0].data
    if len(data) < _IOCB.size:
        return address(at)
    _, _, _, command, _, _, buffer, size, offset, _, flags, result_fd = _IOCB.unpack(data[: _IOCB.size])
    name, is_valid = _COMMANDS.names.get(command, ""), size <= _SIZE_MAX
    shown, where = [_iocb(data, view)[1:-1]], [f"aio_nbytes={size}", f"aio_offset={offset}"]
    if name == "IOCB_CMD_PWRITE" and is_valid:
        written = next((item for item in items if item.sub == layout.SUB_NAME and item.data), None)
        contents = counted(written, buffer, size, view.options) if written is not None else address(buffer)
        shown += [f"aio_buf={contents}", *where]
    elif name in _VECTORS and is_valid:
        known = name != "IOCB_CMD_PREADV"  # at submission, nothing has been read yet
        shown += [f"aio_buf={vector(items[1:], buffer, size, view, known=known)}", where[1]]
    elif name in _BUFFERS | _VECTORS:
        shown += [f"aio_buf={hexadecimal(buffer)}", *where]
    elif name == "IOCB_CMD_POLL":
        shown.append(f"aio_buf={XLATS['poll_events'].flags(buffer, view.options)}")
    else:
        return f"{{{shown[0]}}}"
    if flags:
        shown.append(f"aio_flags={_FLAGS.flags(flags, view.options)}")
    if flags & _RESFD:
        shown.append(f"aio_resfd={view.fd(result_fd)}")
    elif result_fd:
        shown.append(f"aio_resfd={hexadecimal(result_fd & MASK32)}")
    return f"{{{', '.join(shown)}}}"


def _control_blocks(view: View, index: int) -> str:
    count, items = register(view, 1), list(view.call.items.get(index, ()))
    if not count:
        return "[]"
    if count >> 63:  # a negative number of them
        return address(view.registers[index])
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
    array = items[0]._replace(data=items[0].data[: len(shown) * width] if len(shown) < len(pointers) else items[0].data)
    return bracketed(shown, array._replace(size=count * width), width, view.registers[index], view)


@fixed("QQqq")
def _io_event(_view: View, data: int, block: int, result: int, second: int) -> str:
    return f"{{data={hexadecimal(data)}, obj={hexadecimal(block)}, res={result}, res2={second}}}"


VALUES: Final[dict[str, Printer]] = {"control_blocks": _control_blocks}
STRUCTS: Final[dict[str, StructPrinter]] = {"iocb": _iocb, "io_event": _io_event}
