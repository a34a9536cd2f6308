# SPDX-License-Identifier: Apache-2.0
"""Arguments of ptrace: offsets of registers, and structs about the tracee's stop."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.errnos import ERRNO
from traceloop_decode.printers.fields import parsed
from traceloop_decode.printers.kit import hexadecimal
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.ptrace_registers import REGISTERS
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.values.siginfo import call_name
from traceloop_decode.values.xlat import XLATS, xlat

_MASK64: Final = (1 << 64) - 1  # a request is a long


def _request(view: View, index: int) -> str:
    return xlat("ptrace_requests", view.call.abi).one(view.registers[index] & _MASK64, view.options)


def _user_offset(view: View, index: int) -> str:
    raw = view.registers[index]
    place, rest = divmod(raw, 8)
    if place >= len(REGISTERS) or view.call.abi.arch != "x86_64":
        return hexadecimal(raw)
    return f"8*{REGISTERS[place].upper()}" + (f"+{rest}" if rest else "")


# struct ptrace_syscall_info of linux/ptrace.h: the end of each field, as the caller says how many bytes it takes.
_INFO: Final = Struct("<B3xIQQ")
_OP_END, _ARCH_END, _IP_END, _SP_END, _NR_END = 1, 8, 16, 24, 32
_ARGUMENTS: Final = 6
_ENTRY, _EXIT, _SECCOMP = 1, 2, 3
_IS_ERROR_END: Final = 33
_RET_DATA_END: Final = 84
_WORD: Final = 8


def _syscall_info(view: View, index: int) -> str:
    pointer = address(view.registers[index])
    if not view.returned or view.failed:
        return pointer
    data = view.data(index, out=True)
    size = min(view.registers[index - 1], view.call.result or 0, _RET_DATA_END)
    if not size or len(data) < size:
        return pointer
    kind, arch, instruction, stack = _INFO.unpack(data[: _INFO.size].ljust(_INFO.size, b"\0"))
    texts = [f"op={XLATS['syscall_stops'].one(kind, view.options)}"]
    if size >= _ARCH_END:
        texts.append(f"arch={XLATS['audit_arch'].one(arch, view.options)}")
    texts += [f"instruction_pointer={address(instruction)}"] if size >= _IP_END else []
    texts += [f"stack_pointer={address(stack)}"] if size >= _SP_END else []
    if size >= _NR_END and kind in (_ENTRY, _SECCOMP):
        texts.append(f"{'entry' if kind == _ENTRY else 'seccomp'}={_entry(data[:size], kind, arch, view)}")
    elif size >= _NR_END and kind == _EXIT:
        texts.append(f"exit={_exit(data[:size], view)}")
    return f"{{{', '.join(texts)}}}"


def _entry(data: bytes, kind: int, arch: int, view: View) -> str:
    number = int.from_bytes(data[_SP_END:_NR_END], "little")
    text = f"nr={call_name(number, arch, view.call.abi.arch, view.options.constants)}"
    count = min((len(data) - _NR_END) // _WORD, _ARGUMENTS)
    words = (data[_NR_END + n * _WORD : _NR_END + (n + 1) * _WORD] for n in range(count))
    if count:
        text += f", args=[{', '.join(hexadecimal(int.from_bytes(word, 'little')) for word in words)}]"
    if kind == _SECCOMP and len(data) >= _RET_DATA_END:
        text += f", ret_data={int.from_bytes(data[80:84], 'little')}"
    return f"{{{text}}}"


def _exit(data: bytes, view: View) -> str:
    result = int.from_bytes(data[_SP_END:_NR_END], "little", signed=True)
    if len(data) < _IS_ERROR_END:
        return f"{{rval={result}}}"
    failed = data[_IS_ERROR_END - 1]
    named = failed and -result in ERRNO
    text = f"-{ERRNO[-result][0]}" if named else ""
    shown = {"abbrev": text, "raw": "", "verbose": f"{result} /* {text} */" if text else ""}[view.options.constants]
    return f"{{rval={shown or result}, is_error={failed}}}"


_STRUCTS: Final = parsed("""
seccomp_metadata filter_off:u64 >flags:u64|seccomp_flags
peek_siginfo off:u64 flags:u32|peek_siginfo_flags nr:u32
""")


def _metadata(view: View, index: int) -> str:
    # Before the call, only the offset needs to be there.
    before, after, fields = view.data(index), view.data(index, out=True), _STRUCTS["seccomp_metadata"]
    if min(len(before), view.registers[index - 1]) < _WORD:
        return address(view.registers[index])
    if view.returned and not view.failed and len(after) >= fields.size:
        return fields.text(after, view, before)
    return f"{{filter_off={int.from_bytes(before[:_WORD], 'little')}}}"


VALUES: Final[dict[str, Printer]] = {
    "ptrace_request": _request,
    "user_offset": _user_offset,
    "syscall_info": _syscall_info,
    "seccomp_metadata": _metadata,
}
STRUCTS: Final[dict[str, StructPrinter]] = {
    "peek_siginfo": _STRUCTS["peek_siginfo"].text,
}
