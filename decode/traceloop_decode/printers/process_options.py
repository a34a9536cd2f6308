# SPDX-License-Identifier: Apache-2.0
"""Calls whose first argument says what they do: prctl, arch_prctl, personality, seccomp, kcmp."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.bpf_programs import classic_filter
from traceloop_decode.printers.kit import MASK32, boxed, fixed, hexadecimal, of, one, register
from traceloop_decode.printers.memory import text
from traceloop_decode.printers.numbers import address, signed32, signed64
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.signals import SIGNAL
from traceloop_decode.values.options import Options, styled
from traceloop_decode.values.xlat import XLATS

_MASK64: Final = (1 << 64) - 1
_PTRACER_ANY: Final = _MASK64
_QUERY: Final = MASK32
_ABBREVIATED: Final = Options()


def _task_name(data: bytes, view: View) -> str:
    name = data.partition(b"\0")[0]
    return text(name, len(name), view.options)


_THREAD_NAME_MAX: Final = 15  # TASK_COMM_LEN without its NUL


def _thread_name(view: View, index: int) -> str:
    # The kernel ignores what exceeds the maximum length of a name, and strace does not look for a NUL there.
    item = view.item(index)
    if item is None or (item.fault and len(item.data) < _THREAD_NAME_MAX):
        return address(view.registers[index])
    return text(item.data[:_THREAD_NAME_MAX], len(item.data) + (len(item.data) >= _THREAD_NAME_MAX), view.options)


def _signal(view: View, index: int) -> str:
    raw = view.registers[index]
    return styled(SIGNAL.get(raw, str(raw)), str(raw), view.options.constants)


def _ptracer(view: View, index: int) -> str:
    raw = view.registers[index]
    return styled("PR_SET_PTRACER_ANY", "-1", view.options.constants) if raw == _PTRACER_ANY else str(signed32(raw))


def _pid_type(view: View, index: int) -> str:
    table, raw = XLATS["pid_types"], view.registers[index] & MASK32
    if view.options.constants == "raw":
        return hexadecimal(raw)
    return f"{hexadecimal(raw)} /* {table.names.get(raw, table.unknown)} */"


def _flags(name: str) -> Printer:
    table = XLATS[name]

    def print_flags(view: View, index: int) -> str:
        return table.flags(view.registers[index], view.options)

    return print_flags


def _second(name: str, given: int) -> Printer:
    # Prints an argument that has names if the argument before it has the value `given`.
    table = XLATS[name]

    def print_second(view: View, index: int) -> str:
        raw = view.registers[index]
        return table.one(raw, view.options) if view.registers[index - 1] == given else hexadecimal(raw)

    return print_second


_MCE_SET: Final = 1
_DISPATCH_ON: Final = 1


def _dispatch_selector(view: View, index: int) -> str:
    raw = view.registers[index]
    return address(raw) if register(view, 1) <= _DISPATCH_ON else hexadecimal(raw)


# Option -> the table of its results, and whether they are sets of bits.
_NAMED_RESULTS: Final = {
    3: ("dumpable", False),
    27: ("secure_bits", True),
    34: ("mce_policy", False),
    46: ("fp_mode", True),
    52: ("speculation_state", True),
    61: ("pac_enabled", True),
}
_VECTOR_RESULTS: Final = {
    50: "sve_length_flags",
    51: "sve_length_flags",
    63: "sme_length_flags",
    64: "sme_length_flags",
}
_GET_TAGS: Final = 56


def _prctl_result(view: View) -> str:
    # Names the result of options that return a number with names.
    option, result = register(view, 0) & MASK32, view.call.result or 0
    if option in _VECTOR_RESULTS and view.options.constants != "raw":
        return f" ({_vector(_VECTOR_RESULTS[option], result)})" if result & ~_LENGTH_MASK else ""
    if option == _GET_TAGS and view.options.constants != "raw":
        return f" ({_tags(result)})"
    named = _NAMED_RESULTS.get(option)
    if named is None:
        return ""
    name, bits = named
    table = XLATS[name]
    if bits:
        return f" ({table.flags(result, _ABBREVIATED)})" if result and view.options.constants != "raw" else ""
    return f" ({table.one(result, _ABBREVIATED)})"


# personality

_PERSONALITY: Final = XLATS["personality_type"]
_PERSONALITY_FLAGS: Final = XLATS["personality_flags"]


def _persona(value: int, view: View) -> str:
    kind, flags = value & 0xFF, value & MASK32 & ~0xFF
    name = _PERSONALITY.one(kind, view.options)
    if not flags:
        return name
    rest = _PERSONALITY_FLAGS.flags(flags, view.options)
    return f"{name}|{f'{flags:#x}' if '???' in rest else rest}"


def _personality(view: View, index: int) -> str:
    value = view.registers[index] & MASK32
    return f"{value:#x}" if value == _QUERY else _persona(value, view)


def _personality_result(view: View) -> str:
    return f" ({_persona(view.call.result or 0, view)})"


# seccomp


_PROGRAM: Final = Struct("<H6xQ")


def _filter_program(view: View, index: int) -> str:
    data = view.data(index)
    if len(data) < _PROGRAM.size:
        return address(view.registers[index])
    length, at = _PROGRAM.unpack_from(data)
    return f"{{len={length}, filter={classic_filter(view.nested(index, 1), at, length, view, seccomp=True)}}}"


@fixed("3H")
def _notif_sizes(_view: View, notif: int, response: int, data: int) -> str:
    return f"{{seccomp_notif={notif}, seccomp_notif_resp={response}, seccomp_data={data}}}"


_SECCOMP_STRICT: Final = 1
_SECCOMP_FILTER: Final = 2


def _seccomp_program(view: View, index: int) -> str | None:
    raw = view.registers[index]
    if view.registers[index - 1] == _SECCOMP_STRICT:
        return None
    if view.registers[index - 1] != _SECCOMP_FILTER:
        return hexadecimal(raw)
    return _filter_program(view, index)


def _seccomp_rest(view: View, index: int) -> str | None:
    return None if register(view, 1) in (_SECCOMP_STRICT, _SECCOMP_FILTER) else hexadecimal(view.registers[index])


_AMBIENT_OF_ONE: Final = frozenset((1, 2, 3))  # PR_CAP_AMBIENT_IS_SET, _RAISE, _LOWER


def _ambient_capability(view: View, index: int) -> str:
    raw, table = view.registers[index], XLATS["capabilities"]
    return table.one(raw, view.options) if view.registers[index - 1] in _AMBIENT_OF_ONE else hexadecimal(raw)


_SPECULATIONS: Final = frozenset((0, 1, 2))


def _speculation_state(view: View, index: int) -> str:
    raw, table = view.registers[index], XLATS["speculation_state"]
    return table.one(raw, view.options) if view.registers[index - 1] in _SPECULATIONS else hexadecimal(raw)


_VMA_NAME: Final = 0


def _vma_address(view: View, index: int) -> str:
    raw = view.registers[index]
    return address(raw) if register(view, 1) == _VMA_NAME else hexadecimal(raw)


def _vma_size(view: View, index: int) -> str:
    raw = view.registers[index]
    return str(raw) if register(view, 1) == _VMA_NAME else hexadecimal(raw)


def _vma_name(view: View, index: int) -> str:
    item = view.item(index)
    if register(view, 1) != _VMA_NAME:
        return hexadecimal(view.registers[index])
    if item is None:
        return address(view.registers[index])
    return text(item.data, len(item.data) + item.more, view.options)


# lengths of vectors, and tags of addresses, of arm64

_LENGTH_MASK: Final = 0xFFFF
_TAGS_SHIFT: Final = 3
_TAGS_MASK: Final = 0x7FFF8
_CHECKS: Final = 6


def _vector(name: str, value: int) -> str:
    flags = value & ~_LENGTH_MASK
    length = hexadecimal(value & _LENGTH_MASK)
    return f"{_bits(name, flags)}|{length}" if flags else length


def _bits(name: str, value: int) -> str:
    # A number without a name has no comment within a larger text.
    return XLATS[name].flags(value, _ABBREVIATED).partition(" /*")[0]


def _vector_length(name: str) -> Printer:
    def print_length(view: View, index: int) -> str:
        raw = view.registers[index]
        if view.options.constants == "raw" or not raw & ~_LENGTH_MASK:
            return hexadecimal(raw)
        return styled(_vector(name, raw), f"{raw:#x}", view.options.constants)

    return print_length


def _tags(value: int) -> str:
    enabled, checks = XLATS["tagged_addresses"].one(value & 1, _ABBREVIATED), XLATS["tag_checks"]
    tags, rest = (value & _TAGS_MASK) >> _TAGS_SHIFT, value & ~(1 | _CHECKS | _TAGS_MASK)
    texts = [enabled, checks.one(value & _CHECKS, _ABBREVIATED)]
    texts += [f"{tags:#x}<<PR_MTE_TAG_SHIFT"] if tags else []
    texts += [f"{rest:#x}"] if rest else []
    return "|".join(texts)


def _tagged(view: View, index: int) -> str:
    raw = view.registers[index]
    constants = view.options.constants
    return (
        styled(_tags(raw), hexadecimal(raw), constants)
        if constants != "verbose"
        else f"{hexadecimal(raw)} /* {_tags(raw)} */"
    )


VALUES: Final[dict[str, Printer]] = {
    "signal64": _signal,
    "ptracer": _ptracer,
    "pid_type": _pid_type,
    "long_signed": of(lambda raw: str(signed64(raw))),
    "secure_flags": _flags("secure_bits"),
    "pac_flags": _flags("pac_keys"),
    "dumpable64": one("dumpable", mask=_MASK64),
    "capability": one("capabilities", mask=_MASK64),
    "mce_kill64": one("mce_kill", mask=_MASK64),
    "mce_policy64": _second("mce_policy", _MCE_SET),
    "ambient64": one("ambient", mask=_MASK64),
    "speculation64": one("speculation", mask=_MASK64),
    "dispatch64": one("dispatch", mask=_MASK64),
    "dispatch_selector": _dispatch_selector,
    "ambient_capability": _ambient_capability,
    "speculation_state64": _speculation_state,
    "thread_name": _thread_name,
    "seccomp_mode64": one("seccomp_modes", mask=_MASK64),
    "prctl_filter": _seccomp_program,
    "filter_program": _filter_program,
    "seccomp_rest": _seccomp_rest,
    "personality": _personality,
    "set_vma64": one("set_vma", mask=_MASK64),
    "vma_address": _vma_address,
    "vma_size": _vma_size,
    "vma_name": _vma_name,
    "pac_enabled_keys": _flags("pac_enabled"),
    "sve_length": _vector_length("sve_length_flags"),
    "sme_length": _vector_length("sme_length_flags"),
    "tagged_control": _tagged,
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    "task_name": _task_name,
    "boxed_tsc": boxed("I", lambda value, view: XLATS["tsc_mode"].one(value, view.options)),
    "boxed_action": boxed("I", lambda value, view: XLATS["seccomp_actions"].one(value, view.options)),
    "boxed_hex": boxed("Q", lambda value, _view: hexadecimal(value)),
    "notif_sizes": _notif_sizes,
}

RESULTS: Final = {"prctl": _prctl_result, "personality": _personality_result}
