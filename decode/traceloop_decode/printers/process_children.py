# SPDX-License-Identifier: Apache-2.0
"""Child processes and how they ended: clone, wait, and resource usage."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.files import extra_bytes
from traceloop_decode.printers.kit import boxed, fixed, hexadecimal, listed, number, register
from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.signals import SIGNAL
from traceloop_decode.values.options import styled
from traceloop_decode.values.xlat import XLATS
from traceloop_decode.wait_status import wait_status

_CSIGNAL: Final = 0xFF
_CLONE_PIDFD: Final = 0x1000
_CLONE_SETTLS: Final = 0x80000
_CLONE_PARENT_SETTID: Final = 0x100000
_CLONE_CHILD_CLEARTID: Final = 0x200000
_CLONE_CHILD_SETTID: Final = 0x1000000
_CLONE_INTO_CGROUP: Final = 0x200000000
_FLAGS: Final = 0  # of clone's registers

_CLONE: Final = XLATS["clone_flags"]
_CLONE3: Final = XLATS["clone3_flags"]


def _signal(value: int) -> str:
    return SIGNAL.get(value, str(value))


def _end_signal(value: int, view: View) -> str:
    return styled(_signal(value), str(value), view.options.constants)


# clone. strace prints the arguments in another order, with names (`ORDERS`), and only those that the flags ask for.


def _clone_flags(view: View, index: int) -> str:
    raw = view.registers[index]
    flags, end = raw & ~_CSIGNAL, raw & _CSIGNAL
    parts = [_CLONE.flags(flags, view.options)] if flags else []
    if end:
        parts.append(_end_signal(end, view))
    return "|".join(parts) or "0"


def _clone_parent(view: View, index: int) -> str | None:
    flags = register(view, _FLAGS)
    if not flags & (_CLONE_PARENT_SETTID | _CLONE_PIDFD):
        return None
    item = view.item(index, out=True) if not view.failed else None
    if item is None or len(item.data) < 4:
        return address(view.registers[index])
    number = int.from_bytes(item.data[:4], "little", signed=True)
    return f"[{_new_pidfd(number, view) if flags & _CLONE_PIDFD else number}]"


def _new_pidfd(fd: int, view: View) -> str:
    # The descriptor did not exist when the call began, which is when the others' names are looked up.
    return f"{fd}<anon_inode:[pidfd]>" if view.call.files is not None else str(fd)


def _clone_tls_or_child(view: View, index: int) -> str | None:
    raw, flags = view.registers[index], register(view, _FLAGS)
    if view.call.args[index].name == "child_tidptr":
        return address(raw) if flags & (_CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID) else None
    return address(raw) if flags & _CLONE_SETTLS else None


_CLONE_ARGS: Final = Struct("<8Q")  # CLONE_ARGS_SIZE_VER0
_CLONE_TIDS: Final = Struct("<2Q")  # VER1: set_tid, set_tid_size
_CLONE_CGROUP: Final = Struct("<Q")  # VER2
_CLONE_KNOWN: Final = _CLONE_ARGS.size + _CLONE_TIDS.size + _CLONE_CGROUP.size
_INT_MAX: Final = 0x7FFFFFFF
_FD: Final = Struct("<i")
_SET_TID, _PIDFD = 1, 2  # numbers of the line's nested pointers
_SET_TID_MAX: Final = 32  # MAX_PID_NS_LEVEL


def _tid_list(view: View, at: int, count: int) -> str:
    item = view.nested(0, _SET_TID) if count <= _SET_TID_MAX else None
    return listed(item, 4, number, view, at) if item is not None and item.data else address(at)


def _clone_args(data: bytes, view: View) -> str:
    item = view.item(0)
    if len(data) < _CLONE_ARGS.size or (item is not None and item.fault and len(data) < min(item.size, _CLONE_KNOWN)):
        return address(register(view, 0))
    flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls = _CLONE_ARGS.unpack_from(data)
    fields = [f"flags={_CLONE3.flags(flags, view.options)}"]
    if flags & _CLONE_PIDFD:
        fields.append(f"pidfd={address(pidfd)}")
    if flags & (_CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID):
        fields.append(f"child_tid={address(child_tid)}")
    if flags & _CLONE_PARENT_SETTID:
        fields.append(f"parent_tid={address(parent_tid)}")
    fields += [
        f"exit_signal={_end_signal(exit_signal, view) if exit_signal < _INT_MAX else exit_signal}",
        f"stack={address(stack)}",
        f"stack_size={hexadecimal(stack_size)}",
    ]
    if flags & _CLONE_SETTLS:
        fields.append(f"tls={address(tls)}")
    end = _CLONE_ARGS.size
    if len(data) >= end + _CLONE_TIDS.size:
        set_tid, count = _CLONE_TIDS.unpack_from(data, end)
        if set_tid or count:
            fields += [f"set_tid={_tid_list(view, set_tid, count)}", f"set_tid_size={count}"]
        end += _CLONE_TIDS.size
        if len(data) >= end + _CLONE_CGROUP.size:
            cgroup = _CLONE_CGROUP.unpack_from(data, end)[0]
            if cgroup or flags & _CLONE_INTO_CGROUP:
                fields.append(f"cgroup={cgroup}")
            end += _CLONE_CGROUP.size
    rest = extra_bytes(item, end, view.options) if item is not None else ""
    return f"{{{', '.join(fields)}{rest}}}{_clone_results(flags, view, parent_tid, rest)}"


def _clone_results(flags: int, view: View, parent_tid: int, rest: str) -> str:
    # Prints what the kernel stored where the arguments say. The child's id is also the result, so it need not be read.
    result = view.call.result
    if result is None or result <= 0:
        return ""
    told = []
    if flags & _CLONE_PIDFD:
        pidfd = view.nested(0, _PIDFD, out=True)
        if pidfd is None or len(pidfd.data) < _FD.size:
            return ""
        told.append(f"pidfd=[{_new_pidfd(_FD.unpack_from(pidfd.data)[0], view)}]")
    if flags & _CLONE_PARENT_SETTID:
        told.append(f"parent_tid=[{result}]" if parent_tid else "parent_tid=NULL")
    if rest:
        told.append(rest.removeprefix(", "))  # strace reads it once more
    return f" => {{{', '.join(told)}}}" if told else ""


# wait


def _wait_status(status: int, _view: View) -> str:
    if status == 0xFFFF:
        return "{WIFCONTINUED(s)}"
    if status & 0xFF == 0x7F:
        stop, event = status >> 8 & 0xFF, status >> 16
        text = _signal(stop & 0x7F) + (" | 0x80" if stop & 0x80 else "")
        return f"{{WIFSTOPPED(s) && WSTOPSIG(s) == {text}}}" + (
            f" | {_PTRACE_EVENTS.get(event, event)} << 16" if event else ""
        )
    code, signal, core_dumped = wait_status(status)
    if signal is None:
        return f"{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}"
    return f"{{WIFSIGNALED(s) && WTERMSIG(s) == {_signal(signal)}{' && WCOREDUMP(s)' if core_dumped else ''}}}"


_PTRACE_EVENTS: Final = {
    1: "PTRACE_EVENT_FORK",
    2: "PTRACE_EVENT_VFORK",
    3: "PTRACE_EVENT_CLONE",
    4: "PTRACE_EVENT_EXEC",
    5: "PTRACE_EVENT_VFORK_DONE",
    6: "PTRACE_EVENT_EXIT",
    7: "PTRACE_EVENT_SECCOMP",
    128: "PTRACE_EVENT_STOP",
}
_boxed_status: Final = boxed("I", _wait_status)


def _wait4_status(view: View, index: int) -> str:
    # If there was no child to report, nothing was stored.
    item = view.item(index, out=True) if view.call.result else None
    return _boxed_status(item.data, view) if item is not None and not view.failed else address(view.registers[index])


def _wait4_rusage(view: View, index: int) -> str:
    item = view.item(index, out=True) if view.call.result else None
    return _rusage(item.data, view) if item is not None and not view.failed else address(view.registers[index])


_RUSAGE: Final = [
    "ru_maxrss",
    "ru_ixrss",
    "ru_idrss",
    "ru_isrss",
    "ru_minflt",
    "ru_majflt",
    "ru_nswap",
    "ru_inblock",
    "ru_oublock",
    "ru_msgsnd",
    "ru_msgrcv",
    "ru_nsignals",
    "ru_nvcsw",
    "ru_nivcsw",
]


@fixed("qQqQ14Q")
def _rusage(view: View, *fields: int) -> str:
    user_s, user_us, system_s, system_us = fields[:4]
    rest = ", ".join(f"{name}={value}" for name, value in zip(_RUSAGE, fields[4:], strict=True))
    return (
        f"{{ru_utime={{tv_sec={user_s}, tv_usec={user_us}}}, ru_stime={{tv_sec={system_s}, tv_usec={system_us}}}, "
        f"{rest if view.options.verbose else '...'}}}"
    )


VALUES: Final[dict[str, Printer]] = {
    "clone_flags_exit": _clone_flags,
    "clone_parent": _clone_parent,
    "clone_tls_or_child": _clone_tls_or_child,
    "wait_status": _wait4_status,
    "wait_rusage": _wait4_rusage,
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    "boxed_signal": boxed("i", _end_signal),
    "clone_args": _clone_args,
    "rusage": _rusage,
}

LATE: Final = ("clone_args", "clone_parent")
ORDERS: Final = {
    "clone": (
        ("newsp", "child_stack"),
        ("clone_flags", "flags"),
        ("parent_tidptr", "parent_tid"),
        ("tls", "tls"),
        ("tls_val", "tls"),
        ("child_tidptr", "child_tidptr"),
    )
}
