# SPDX-License-Identifier: Apache-2.0
"""BPF, performance events, io_uring, asynchronous input and output."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from traceloop_decode import layout
from traceloop_decode.model import Item
from traceloop_decode.printers.bpf_programs import program
from traceloop_decode.printers.files_vectors import vector
from traceloop_decode.printers.memory import elements, text
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.process_kit import MASK32, fixed, hexadecimal, listed, register
from traceloop_decode.printers.signals import set_text
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.printers.xlat import XLATS, Xlat

# bpf: each command's attributes, in strace's order: name, offset, how it is shown. A field that begins at or behind
# the size that the call gave is left out.

_Show = Callable[[bytes, View], str]


def _int(width: int, show: Callable[[int], str] = str, *, signed: bool = False) -> tuple[int, _Show]:
    return width, lambda data, _view: show(int.from_bytes(data, "little", signed=signed))


def _named(table: Xlat) -> tuple[int, _Show]:
    return 4, lambda data, view: table.one(int.from_bytes(data, "little"), view.options)


def _bits(table: Xlat, width: int = 4) -> tuple[int, _Show]:
    return width, lambda data, view: table.flags(int.from_bytes(data, "little"), view.options)


def _name(data: bytes, view: View) -> str:
    name = data.partition(b"\0")[0]
    return text(name, len(name), view.options)


def _behind(number: int, *, whole: bool = False) -> tuple[int, _Show]:
    # A string that the line's number-th pointer points at; of a path strace shows all.
    def show(data: bytes, view: View) -> str:
        item = view.nested(1, number)
        if item is None:
            return address(int.from_bytes(data, "little"))
        return text(item.data, len(item.data) + item.more, view.options, whole=whole)

    return 8, show


def _steps(data: bytes, view: View) -> str:
    item, at = view.nested(1, 2), int.from_bytes(data, "little")
    return program(item, at, item.size // _BPF_STEP, view) if item is not None else address(at)


def _kernel_version(value: int) -> str:
    return f"KERNEL_VERSION({value >> 16}, {value >> 8 & 0xFF}, {value & 0xFF})"


_BPF_STEP: Final = 8  # sizeof(struct bpf_insn)
_U32: Final = _int(4)
_FD: Final = _int(4, signed=True)
_AT: Final = _int(8, address)
_HEX64: Final = _int(8, hexadecimal)
_NAME: Final = (16, _name)
_ELEM_FLAGS: Final = _bits(XLATS["bpf_elem_flags"], 8)
_ATTACH_TYPE: Final = _named(XLATS["bpf_attach_type"])

_Fields = tuple[tuple[str, int, tuple[int, _Show]], ...]

_MAP_CREATE: Final[_Fields] = (
    ("map_type", 0, _named(XLATS["bpf_map_type"])),
    ("key_size", 4, _U32),
    ("value_size", 8, _U32),
    ("max_entries", 12, _U32),
    ("map_flags", 16, _bits(XLATS["bpf_map_flags"])),
    ("inner_map_fd", 20, _FD),
    ("map_name", 28, _NAME),
    ("map_ifindex", 44, _U32),
    ("btf_fd", 48, _FD),
    ("btf_key_type_id", 52, _U32),
    ("btf_value_type_id", 56, _U32),
    ("btf_vmlinux_value_type_id", 60, _U32),
    ("map_extra", 64, _HEX64),
)
_ELEM: Final[_Fields] = (("map_fd", 0, _FD), ("key", 8, _AT), ("value", 16, _AT), ("flags", 24, _ELEM_FLAGS))
_PROG_LOAD: Final[_Fields] = (
    ("prog_type", 0, _named(XLATS["bpf_prog_type"])),
    ("insn_cnt", 4, _U32),
    ("insns", 8, (8, _steps)),
    ("license", 16, _behind(1)),
    ("log_level", 24, _U32),
    ("log_size", 28, _U32),
    ("log_buf", 32, _AT),
    ("kern_version", 40, _int(4, _kernel_version)),
    ("prog_flags", 44, _bits(XLATS["bpf_prog_flags"])),
    ("prog_name", 48, _NAME),
    ("prog_ifindex", 64, _U32),
    ("expected_attach_type", 68, _ATTACH_TYPE),
    ("prog_btf_fd", 72, _FD),
    ("func_info_rec_size", 76, _U32),
    ("func_info", 80, _AT),
    ("func_info_cnt", 88, _U32),
    ("line_info_rec_size", 92, _U32),
    ("line_info", 96, _AT),
    ("line_info_cnt", 104, _U32),
    ("attach_btf_id", 108, _U32),
    ("attach_prog_fd", 112, _FD),
    ("fd_array", 120, _AT),
)
_OBJECT: Final[_Fields] = (
    ("pathname", 0, _behind(1, whole=True)),
    ("bpf_fd", 8, _FD),
    ("file_flags", 12, _bits(XLATS["bpf_map_flags"])),
)


def _by_id(name: str) -> _Fields:
    return ((name, 0, _U32), ("next_id", 4, _U32), ("open_flags", 8, _bits(XLATS["bpf_map_flags"])))


_BPF: Final[dict[str, _Fields]] = {
    "BPF_MAP_CREATE": _MAP_CREATE,
    "BPF_MAP_LOOKUP_ELEM": _ELEM,
    "BPF_MAP_UPDATE_ELEM": _ELEM,
    "BPF_MAP_DELETE_ELEM": _ELEM[:2],
    "BPF_MAP_GET_NEXT_KEY": (*_ELEM[:2], ("next_key", 16, _AT)),
    "BPF_PROG_LOAD": _PROG_LOAD,
    "BPF_OBJ_PIN": _OBJECT,
    "BPF_OBJ_GET": _OBJECT,
    "BPF_PROG_GET_NEXT_ID": _by_id("start_id"),
    "BPF_MAP_GET_NEXT_ID": _by_id("start_id"),
    "BPF_BTF_GET_NEXT_ID": _by_id("start_id"),
    "BPF_LINK_GET_NEXT_ID": _by_id("start_id"),
    "BPF_PROG_GET_FD_BY_ID": _by_id("prog_id"),
    "BPF_MAP_GET_FD_BY_ID": _by_id("map_id"),
    "BPF_PROG_ATTACH": (
        ("target_fd", 0, _FD),
        ("attach_bpf_fd", 4, _FD),
        ("attach_type", 8, _ATTACH_TYPE),
        ("attach_flags", 12, _bits(XLATS["bpf_attach_flags"])),
        ("replace_bpf_fd", 16, _FD),
    ),
    "BPF_PROG_DETACH": (("target_fd", 0, _FD), ("attach_type", 8, _ATTACH_TYPE)),
}
# Commands whose attributes are one struct within the union.
_BPF_NESTED: Final[dict[str, tuple[str, _Fields]]] = {
    "BPF_OBJ_GET_INFO_BY_FD": ("info", (("bpf_fd", 0, _FD), ("info_len", 4, _U32), ("info", 8, _AT))),
    "BPF_RAW_TRACEPOINT_OPEN": ("raw_tracepoint", (("name", 0, _behind(1)), ("prog_fd", 8, _FD))),
}
_COMMANDS: Final = XLATS["bpf_cmd"]


def _bpf_attr(data: bytes, view: View) -> str:
    command = _COMMANDS.names.get(register(view, 0) & MASK32, "")
    outer, fields = _BPF_NESTED.get(command, ("", _BPF.get(command, ())))
    size = register(view, 2) & MASK32
    shown = [
        f"{name}={show(data[at : at + width], view)}"
        for name, at, (width, show) in fields
        if at < size and at + width <= len(data)
    ]
    if not shown:
        return address(register(view, 1))
    _, last, (width, _) = fields[-1]
    if len(data) < size or any(data[last + width :]):
        shown.append("...")
    inner = f"{{{', '.join(shown)}}}"
    return f"{{{outer}={inner}}}" if outer else inner


# performance events

_PERF: Final = Struct("<IIQQQQQ")  # type, size, config, sample_period, sample_type, read_format, bits
_PERF_TYPE: Final = XLATS["perf_type"]
_PERF_SIZE: Final = XLATS["perf_size"]
_PERF_SAMPLE: Final = XLATS["perf_sample"]
_PERF_READ: Final = XLATS["perf_read"]
_PERF_CONFIG: Final = {0: XLATS["perf_hardware"], 1: XLATS["perf_software"]}
_TRACEPOINT: Final = 2
_HW_CACHE: Final = 3
_FREQ_BIT: Final = 10
_PRECISE_BIT: Final = 15
_RESERVED_BIT: Final = 38
_PERF_BITS: Final = [
    "disabled",
    "inherit",
    "pinned",
    "exclusive",
    "exclude_user",
    "exclude_kernel",
    "exclude_hv",
    "exclude_idle",
    "mmap",
    "comm",
    "freq",
    "inherit_stat",
    "enable_on_exec",
    "task",
    "watermark",
    "precise_ip",
    "precise_ip_high",
    "mmap_data",
    "sample_id_all",
    "exclude_host",
    "exclude_guest",
    "exclude_callchain_kernel",
    "exclude_callchain_user",
    "mmap2",
    "comm_exec",
    "use_clockid",
    "context_switch",
    "write_backward",
    "namespaces",
    "ksymbol",
    "bpf_event",
    "aux_output",
    "cgroup",
    "text_poke",
    "build_id",
    "inherit_thread",
    "remove_on_exec",
    "sigtrap",
]
_SKIDS: Final = ("arbitrary skid", "constant skid", "requested to have 0 skid", "must have 0 skid")
_CACHES: Final = ("L1D", "L1I", "LL", "DTLB", "ITLB", "BPU", "NODE")
_CACHE_OPS: Final = ("READ", "WRITE", "PREFETCH")
_CACHE_RESULTS: Final = ("ACCESS", "MISS")


def _cache_config(config: int) -> str:
    cache, operation, result = config & 0xFF, config >> 8 & 0xFF, config >> 16 & 0xFF
    if config >> 24 or cache >= len(_CACHES) or operation >= len(_CACHE_OPS) or result >= len(_CACHE_RESULTS):
        return hexadecimal(config)
    return (
        f"PERF_COUNT_HW_CACHE_RESULT_{_CACHE_RESULTS[result]}<<16|"
        f"PERF_COUNT_HW_CACHE_OP_{_CACHE_OPS[operation]}<<8|PERF_COUNT_HW_CACHE_{_CACHES[cache]}"
    )


def _perf_config(kind: int, config: int, view: View) -> str:
    if kind in _PERF_CONFIG:
        return _PERF_CONFIG[kind].one(config, view.options)
    if kind == _TRACEPOINT:
        return str(config)
    return _cache_config(config) if kind == _HW_CACHE else hexadecimal(config)


def _perf_attr(data: bytes, view: View) -> str:
    if len(data) < _PERF.size:
        return "{...}"
    kind, size, config, period, sample, read, bits = _PERF.unpack_from(data)
    if size and size < len(data):
        return address(register(view, 0))
    fields = [
        f"type={_PERF_TYPE.one(kind, view.options)}",
        f"size={_PERF_SIZE.one(size, view.options)}",
        f"config={_perf_config(kind, config, view)}",
        f"{'sample_freq' if bits >> _FREQ_BIT & 1 else 'sample_period'}={period}",
        f"sample_type={_PERF_SAMPLE.flags(sample, view.options)}",
        f"read_format={_PERF_READ.flags(read, view.options)}",
    ]
    for bit, name in enumerate(_PERF_BITS):
        if bit == _PRECISE_BIT:
            precise = bits >> bit & 3
            fields.append(f"precise_ip={precise} /* {_SKIDS[precise]} */")
        elif bit != _PRECISE_BIT + 1 and bits >> bit & 1:
            fields.append(f"{name}=1")
    if bits >> _RESERVED_BIT:
        fields.append(f"__reserved_1={bits >> _RESERVED_BIT:#x} /* Bits 63..{_RESERVED_BIT} */")
    return f"{{{', '.join(fields)}, ...}}"


# io_uring

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
        shown.append(f"wq_fd={wq_fd}")
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
_EXT_ARG: Final = 8
_SIGSET: Final = 8


def _listed(view: View, index: int, at: int, count: int) -> str:
    # Descriptors or iovecs, by the command.
    item = view.nested(index, 1)
    if item is None or not item.data or not count:
        return address(at)
    if item.size == count * 4:
        return listed(item, 4, str, view, signed=True)
    return elements(item, 16, _plain_iovec, view)


def _files_update(view: View, index: int) -> str:
    data = view.data(index)
    if len(data) < _FILES_UPDATE.size:
        return address(view.registers[index])
    offset, reserved, at = _FILES_UPDATE.unpack_from(data)
    rest = f", resv={reserved:#x}" if reserved else ""
    return f"{{offset={offset}{rest}, fds={_listed(view, index, at, register(view, 3))}}}"


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
    if item is None or item.size != _SIGSET or len(item.data) < _SIGSET or register(view, 3) & _EXT_ARG:
        return address(view.registers[index])
    return set_text(int.from_bytes(item.data, "little"), view.options.constants)


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


VALUES: Final[dict[str, Printer]] = {
    "control_blocks": _control_blocks,
    "files_update": _files_update,
    "resources": _resources,
    "changes": _changes,
    "max_workers": _max_workers,
    "uring_mask": _uring_mask,
}
STRUCTS: Final[dict[str, StructPrinter]] = {
    "bpf_attr": _bpf_attr,
    "perf_attr": _perf_attr,
    "io_uring_params": _uring_params,
    "plain_iovec": _plain_iovec,
    "iocb": _iocb,
    "io_event": _io_event,
}

SELECTORS: Final = {"bpf": (0, "bpf_cmd"), "io_uring_register": (1, "uring_register")}
