# SPDX-License-Identifier: Apache-2.0
"""Mappings, memory policies, futexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers.kit import (
    MASK32,
    boxed,
    fixed,
    hexadecimal,
    listed,
    number,
    of,
    one,
    pointer,
    recorded,
    register,
)
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS, xlat

_TYPE: Final = XLATS["map_type"]
_TYPE_MASK: Final = 0xF
MASK64: Final = (1 << 64) - 1
_ABBREVIATED: Final = Options()
_HUGE_SHIFT: Final = 26


def _prot(view: View, index: int) -> str:
    return xlat("prot", view.call.abi).flags(view.registers[index], view.options)


_map_texts: dict[tuple[int, str, str], str] = {}
_MAP_TEXTS_MAX: Final = 1024


def _map_flags(view: View, index: int) -> str:
    value = view.registers[index] & MASK32
    key = value, view.options.constants, view.call.abi.arch
    text = _map_texts.get(key)
    if text is None:
        if len(_map_texts) >= _MAP_TEXTS_MAX:
            _map_texts.clear()
        text = _map_texts[key] = _map_text(value, view)
    return text


def _map_text(value: int, view: View) -> str:
    # Four bits are the type, six the logarithm of the page size, the rest flags.
    huge, rest = value >> _HUGE_SHIFT & 0x3F, value & ~_TYPE_MASK & ((1 << _HUGE_SHIFT) - 1)
    parts = [_TYPE.one(value & _TYPE_MASK, _ABBREVIATED)]
    if rest:
        text = xlat("map_bits", view.call.abi).flags(rest, _ABBREVIATED)
        parts.append(f"{rest:#x}" if "???" in text else text)
    if huge:
        parts.append(f"{huge}<<MAP_HUGE_SHIFT")
    return styled("|".join(parts), hexadecimal(value), view.options.constants)


def _mremap_addr(view: View, index: int) -> str | None:
    fixed_or_dontunmap = 6
    return address(view.registers[index]) if register(view, 3) & fixed_or_dontunmap else None


def _secret(view: View, index: int) -> str:
    value = view.registers[index] & MASK32
    text = XLATS["secret_flags"].flags(value, view.options)
    return f"{value:#x}" if "???" in text else text


def _residency(view: View, index: int) -> str:
    item = recorded(view, index)
    if item is None:
        return address(view.registers[index])
    return listed(item, 1, lambda value: str(value & 1), view, view.registers[index])


_POLICY: Final = XLATS["mempolicy"]
_POLICY_BITS: Final = XLATS["mempolicy_bits"]
_POLICY_FLAGS: Final = sum(value for value, _ in _POLICY_BITS.entries)


def _mempolicy(view: View, index: int) -> str:
    value = view.registers[index] & (MASK32 if view.call.name == "set_mempolicy" else MASK64)
    flags, mode = value & _POLICY_FLAGS, value & ~_POLICY_FLAGS
    if not flags:
        return _POLICY.one(mode, view.options)
    name = _POLICY.names.get(mode)
    if name is None:
        return _POLICY_BITS.flags(value, view.options)
    return styled(f"{name}|{_POLICY_BITS.flags(flags, _ABBREVIATED)}", f"{value:#x}", view.options.constants)


def _node_mask(view: View, index: int) -> str:
    item = recorded(view, index)
    if item is None:
        return address(view.registers[index])
    # The kernel takes one bit less than it is told of.
    most = register(view, 1 if view.call.name == "migrate_pages" else index + 1)
    size = (most + 62) // 64 * 8
    if most and not size:
        return address(view.registers[index])
    item = item._replace(data=item.data[:size], size=min(item.size, size))
    return listed(item, 8, lambda value: f"{value:#016x}" if value else 16 * "0", view, view.registers[index])


def _page_status(value: int) -> str:
    return f"-{ERRNO[-value][0]}" if -value in ERRNO else ""


def _statuses(view: View, index: int) -> str | None:
    constants = view.options.constants
    return _list_of(4, lambda value: styled(_page_status(value), str(value), constants), signed=True)(view, index)


def _list_of(width: int, show: Callable[[int], str], *, signed: bool = False) -> Printer:
    def print_list(view: View, index: int) -> str:
        item = recorded(view, index)
        if item is None:
            return address(view.registers[index])
        return listed(item, width, show, view, view.registers[index], signed=signed)

    return print_list


_CPU_IS_GIVEN: Final = 1  # MEMBARRIER_CMD_FLAG_CPU


def _membarrier_result(view: View) -> str:
    if not register(view, 0) & MASK32:
        return f" ({XLATS['membarrier_cmd'].flags(view.call.result or 0, view.options)})"
    return ""


def _membarrier_cpu(view: View, index: int) -> str | None:
    return number(view.registers[index]) if register(view, 1) & _CPU_IS_GIVEN else None


# futexes

_TIMED: Final = ("FUTEX_WAIT", "FUTEX_WAIT_BITSET", "FUTEX_WAIT_REQUEUE_PI", "FUTEX_LOCK_PI2")
"""Commands for which FUTEX_CLOCK_REALTIME is named; with others it has no name."""


def _op_names() -> dict[int, str]:
    names = {}
    for value, name in XLATS["futex_ops"].entries:
        plain, timed, _ = name.partition("_REALTIME")
        if not timed:
            names[value] = "FUTEX_FD|FUTEX_PRIVATE_FLAG" if name == "FUTEX_FD_PRIVATE" else name
        elif plain.removesuffix("_PRIVATE") in _TIMED:
            names[value] = f"{plain}|FUTEX_CLOCK_REALTIME"
    return names


_OPS: Final = _op_names()


def _futex_op(view: View, index: int) -> str:
    value = view.registers[index] & MASK32
    name = _OPS.get(value)
    if name is None:
        number = f"{value:#x}"
        return number if view.options.constants == "raw" else f"{number} /* {XLATS['futex_ops'].unknown} */"
    return styled(name, hexadecimal(value), view.options.constants)


_WAKE_OP: Final = XLATS["futex_wake_op"]
_WAKE_CMP: Final = XLATS["futex_wake_cmp"]
_OPARG_SHIFT: Final = 8


def _futex_wake_op(view: View, index: int) -> str:
    raw = view.registers[index] & MASK32
    operation, compare = raw >> 28 & 7, raw >> 24 & 0xF
    shift = "FUTEX_OP_OPARG_SHIFT<<28|" if raw >> 28 & _OPARG_SHIFT else ""
    name = _WAKE_OP.names.get(operation)
    left = f"{name}<<28" if name else f"{operation:#x}<<28 /* {_WAKE_OP.unknown} */"
    name = _WAKE_CMP.names.get(compare)
    right = f"{name}<<24" if name else f"{compare:#x}<<24 /* {_WAKE_CMP.unknown} */"
    return f"{shift}{left}|{hexadecimal(raw >> 12 & 0xFFF)}<<12|{right}|{hexadecimal(raw & 0xFFF)}"


def _futex_bitset(view: View, index: int) -> str:
    raw = view.registers[index] & MASK32
    return styled("FUTEX_BITSET_MATCH_ANY" if raw == MASK32 else "", hexadecimal(raw), view.options.constants)


_FUTEX2: Final = XLATS["futex2_flags"]
_FUTEX2_BITS: Final = XLATS["futex2_bits"]


def _futex2_flags(value: int, view: View) -> str:
    size, bits = value & 3, value & ~3
    name = _FUTEX2.one(size, _ABBREVIATED)
    if bits:
        name = f"{name}|{_FUTEX2_BITS.flags(bits, _ABBREVIATED)}"
    return styled(name, hexadecimal(value), view.options.constants)


@fixed("QQII")
def _futex_waitv(view: View, value: int, at: int, flags: int, reserved: int) -> str:
    rest = f", __reserved={reserved:#x}" if reserved else ""
    return f"{{val={hexadecimal(value)}, uaddr={address(at)}, flags={_futex2_flags(flags, view)}{rest}}}"


VALUES: Final[dict[str, Printer]] = {
    "prot_bits": _prot,
    "map_flags": _map_flags,
    "mremap_addr": _mremap_addr,
    "secret_bits": _secret,
    "residency": _residency,
    "mempolicy_mode": _mempolicy,
    "node_mask": _node_mask,
    "page_list": _list_of(8, pointer),
    "fd_list": lambda view, index: _list_of(4, view.fd, signed=True)(view, index),
    "node_list": _list_of(4, str, signed=True),
    "status_list": _statuses,
    "membarrier_cpu": _membarrier_cpu,
    "futex_op": _futex_op,
    "futex_wake_bits": _futex_wake_op,
    "futex_bits": _futex_bitset,
    "clock": one("futex_clocks"),
    "ulong32": of(lambda raw: str(raw & MASK32)),
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    "boxed_mempolicy": boxed("I", lambda value, view: _POLICY.one(value, view.options)),
    "futex_waitv": _futex_waitv,
}

RESULTS: Final = {"membarrier": _membarrier_result}
