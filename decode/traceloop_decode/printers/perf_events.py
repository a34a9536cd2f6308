# SPDX-License-Identifier: Apache-2.0
"""Attributes of perf_event_open."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.kit import MASK32, hexadecimal, register
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import StructPrinter, View
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS

_PERF: Final = Struct("<IIQQQQQ")  # type, size, config, sample_period, sample_type, read_format, bits
_PERF_TYPE: Final = XLATS["perf_type"]
_PERF_SIZE: Final = XLATS["perf_size"]
_PERF_SAMPLE: Final = XLATS["perf_sample"]
_PERF_READ: Final = XLATS["perf_read"]
_PERF_CONFIG: Final = {0: XLATS["perf_hardware"], 1: XLATS["perf_software"]}
_HARDWARE: Final = 0
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


def _pmu(config: int) -> str:
    # The upper half is the number of a PMU, where a machine has several.
    return f"{config >> 32:#x}<<32|" if config >> 32 else ""


def _part(names: tuple[str, ...], number: int, prefix: str, view: View) -> str:
    if number < len(names):
        return styled(f"{prefix}_{names[number]}", hexadecimal(number), view.options.constants)
    text = hexadecimal(number)
    return text if view.options.constants == "raw" else f"{text} /* {prefix}_??? */"


def _cache_config(config: int, view: View) -> str:
    cache, operation, result, rest = ((config & MASK32) >> shift & 0xFF for shift in (0, 8, 16, 24))
    parts = (
        _part(_CACHE_RESULTS, result, "PERF_COUNT_HW_CACHE_RESULT", view),
        _part(_CACHE_OPS, operation, "PERF_COUNT_HW_CACHE_OP", view),
        _part(_CACHES, cache, "PERF_COUNT_HW_CACHE", view),
    )
    return f"{_pmu(config)}{f'{rest:#x}<<24|' if rest else ''}{parts[0]}<<16|{parts[1]}<<8|{parts[2]}"


def _perf_config(kind: int, config: int, view: View) -> str:
    if kind == _HARDWARE:
        return _pmu(config) + _PERF_CONFIG[kind].one(config & MASK32, view.options)
    if kind in _PERF_CONFIG:
        return _PERF_CONFIG[kind].one(config, view.options)
    if kind == _TRACEPOINT:
        return str(config)
    return _cache_config(config, view) if kind == _HW_CACHE else hexadecimal(config)


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


STRUCTS: Final[dict[str, StructPrinter]] = {"perf_attr": _perf_attr}
