# SPDX-License-Identifier: Apache-2.0
"""Children and their ends, credentials, limits, scheduling."""

from __future__ import annotations

from struct import Struct
from typing import Final

from traceloop_decode.printers.numbers import address
from traceloop_decode.printers.process_kit import (
    MASK32,
    boxed,
    fixed,
    hexadecimal,
    listed,
    none,
    number,
    pointer,
    recorded,
    register,
    styled,
)
from traceloop_decode.printers.view import Printer, StructPrinter, View
from traceloop_decode.printers.xlat import XLATS
from traceloop_decode.signals import SIGNAL

_CSIGNAL: Final = 0xFF
_CLONE_PIDFD: Final = 0x1000
_CLONE_SETTLS: Final = 0x80000
_CLONE_PARENT_SETTID: Final = 0x100000
_CLONE_CHILD_CLEARTID: Final = 0x200000
_CLONE_CHILD_SETTID: Final = 0x1000000
_CLONE_INTO_CGROUP: Final = 0x200000000
_FLAGS, _STACK = range(2)  # clone's registers

_CLONE: Final = XLATS["clone_flags"]
_CLONE3: Final = XLATS["clone3_flags"]


def _signal(value: int) -> str:
    return SIGNAL.get(value, str(value))


def _end_signal(value: int, view: View) -> str:
    return styled(_signal(value), str(value), view)


# clone: strace has its arguments in another order, with names, and only those that the flags ask for.


def _clone_named(view: View, *names: str) -> int:
    # The last two stand the other way round on arm64 and i386, which has another name for one.
    return next((raw for param, _, raw, _ in view.call.args if param in names), 0)


def _clone_stack(view: View, _index: int) -> str:
    return f"child_stack={address(register(view, _STACK))}"


def _clone_flags(view: View, _index: int) -> str:
    raw = register(view, _FLAGS)
    flags, end = raw & ~_CSIGNAL, raw & _CSIGNAL
    parts = [_CLONE.flags(flags, view.options)] if flags else []
    if end:
        parts.append(_end_signal(end, view))
    return f"flags={'|'.join(parts) or '0'}"


def _clone_parent(view: View, index: int) -> str | None:
    flags = register(view, _FLAGS)
    if not flags & (_CLONE_PARENT_SETTID | _CLONE_PIDFD):
        return None
    item = view.item(index, out=True) if not view.failed else None
    if item is None or len(item.data) < 4:
        return f"parent_tid={address(view.registers[index])}"
    return f"parent_tid=[{int.from_bytes(item.data[:4], 'little', signed=True)}]"


def _clone_tls(view: View, _index: int) -> str | None:
    if register(view, _FLAGS) & _CLONE_SETTLS:
        return f"tls={hexadecimal(_clone_named(view, 'tls', 'tls_val'))}"
    return None


def _clone_child(view: View, _index: int) -> str | None:
    if register(view, _FLAGS) & (_CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID):
        return f"child_tidptr={address(_clone_named(view, 'child_tidptr'))}"
    return None


_CLONE_ARGS: Final = Struct("<8Q")  # CLONE_ARGS_SIZE_VER0
_CLONE_TIDS: Final = Struct("<2Q")  # VER1: set_tid, set_tid_size
_CLONE_CGROUP: Final = Struct("<Q")  # VER2
_FD: Final = Struct("<i")
_SET_TID, _PIDFD = 1, 2  # which pointers of the line's
_SET_TID_MAX: Final = 32  # MAX_PID_NS_LEVEL


def _tid_list(view: View, at: int, count: int) -> str:
    item = view.nested(0, _SET_TID) if count <= _SET_TID_MAX else None
    return listed(item, 4, number, view) if item is not None and item.data else address(at)


def _clone_args(data: bytes, view: View) -> str:
    if len(data) < _CLONE_ARGS.size:
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
        f"exit_signal={_end_signal(exit_signal, view)}",
        f"stack={address(stack)}",
        f"stack_size={hexadecimal(stack_size)}",
    ]
    if flags & _CLONE_SETTLS:
        fields.append(f"tls={hexadecimal(tls)}")
    end = _CLONE_ARGS.size
    if len(data) >= end + _CLONE_TIDS.size:
        set_tid, count = _CLONE_TIDS.unpack_from(data, end)
        if set_tid or count:
            fields += [f"set_tid={_tid_list(view, set_tid, count)}", f"set_tid_size={count}"]
        end += _CLONE_TIDS.size
        if len(data) >= end + _CLONE_CGROUP.size:
            if flags & _CLONE_INTO_CGROUP:
                fields.append(f"cgroup={_CLONE_CGROUP.unpack_from(data, end)[0]}")
            end += _CLONE_CGROUP.size
    if any(data[end:]):
        rest = "".join(f"\\x{byte:02x}" for byte in data[end:])
        fields.append(f'/* bytes {end}..{len(data) - 1} */ "{rest}"')
    return f"{{{', '.join(fields)}}}{_clone_results(flags, view)}"


def _clone_results(flags: int, view: View) -> str:
    # What the kernel stored, where the arguments say. It returns the child's id too: that memory need not be read.
    result = view.call.result
    if result is None or result <= 0:
        return ""
    told = []
    if flags & _CLONE_PIDFD:
        pidfd = view.nested(0, _PIDFD, out=True)
        if pidfd is None or len(pidfd.data) < _FD.size:
            return ""
        told.append(f"pidfd=[{_FD.unpack_from(pidfd.data)[0]}]")
    if flags & _CLONE_PARENT_SETTID:
        told.append(f"parent_tid=[{result}]")
    return f" => {{{', '.join(told)}}}" if told else ""


# wait


def _wait_status(status: int, _view: View) -> str:
    end = status & 0x7F
    if status == 0xFFFF:
        return "{WIFCONTINUED(s)}"
    if status & 0xFF == 0x7F:
        stop, event = status >> 8 & 0xFF, status >> 16
        text = _signal(stop & 0x7F) + (" | 0x80" if stop & 0x80 else "")
        return f"{{WIFSTOPPED(s) && WSTOPSIG(s) == {text}}}" + (
            f" | {_PTRACE_EVENTS.get(event, event)} << 16" if event else ""
        )
    if end:
        core = " && WCOREDUMP(s)" if status & 0x80 else ""
        return f"{{WIFSIGNALED(s) && WTERMSIG(s) == {_signal(end)}{core}}}"
    return f"{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8 & 0xFF}}}"


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
    # With no child to tell of, nothing was stored.
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


@fixed("18q")
def _rusage(view: View, *fields: int) -> str:
    user_s, user_us, system_s, system_us = fields[:4]
    rest = ", ".join(f"{name}={value}" for name, value in zip(_RUSAGE, fields[4:], strict=True))
    return (
        f"{{ru_utime={{tv_sec={user_s}, tv_usec={user_us}}}, ru_stime={{tv_sec={system_s}, tv_usec={system_us}}}, "
        f"{rest if view.options.verbose else '...'}}}"
    )


# credentials


_GROUPS_MAX: Final = 65536


def _ids(view: View, index: int) -> str:
    item = recorded(view, index)
    if item is None or register(view, 0) & MASK32 > _GROUPS_MAX:
        return address(view.registers[index])
    return listed(item, 4, number, view)


_CAP_VERSION: Final = XLATS["cap_version"]
_CAPS: Final = XLATS["capabilities"]
_CAP_VERSION_1: Final = 0x19980330


_WORDS: Final = [
    {1 << bit - first: f"1<<{name}" for bit, name in sorted(_CAPS.names.items()) if first <= bit < first + 32}
    for first in (0, 32)
]


def _caps(words: tuple[int, int], view: View) -> str:
    # 64 bits, in two words.
    parts = []
    for word, names in zip(words, _WORDS, strict=True):
        found = [name for bit, name in names.items() if word & bit]
        rest = word & ~sum(names)
        if word:
            parts.append(styled("|".join(found + ([f"{rest:#x}"] if rest else [])), f"{word:#x}", view))
    return "|".join(parts) or "0"


@fixed("Ii")
def _cap_header(view: View, version: int, pid: int) -> str:
    return f"{{version={_CAP_VERSION.one(version, view.options)}, pid={pid}}}"


_CAP_DATA: Final = Struct("<6I")


def _cap_data(data: bytes, view: View) -> str:
    version = int.from_bytes(view.data(0)[:4], "little")
    if version not in _CAP_VERSION.names:
        return address(register(view, 1))
    if len(data) < _CAP_DATA.size:
        return "{...}"
    low, high = _CAP_DATA.unpack(data[: _CAP_DATA.size])[:3], _CAP_DATA.unpack(data[: _CAP_DATA.size])[3:]
    if version == _CAP_VERSION_1:
        high = 0, 0, 0
    sets = [_caps(words, view) for words in zip(low, high, strict=True)]
    return f"{{effective={sets[0]}, permitted={sets[1]}, inheritable={sets[2]}}}"


# limits


def _limit(value: int, view: View) -> str:
    if value == (1 << 64) - 1:
        narrow = view.call.compat and view.call.name != "prlimit64"
        return styled("RLIM_INFINITY", str(MASK32), view) if narrow else styled("RLIM64_INFINITY", str(value), view)
    text = f"{value >> 10}*1024" if value > 1024 and not value & 1023 else str(value)
    return styled(text, str(value), view)


@fixed("QQ")
def _rlimit(view: View, current: int, most: int) -> str:
    return f"{{rlim_cur={_limit(current, view)}, rlim_max={_limit(most, view)}}}"


# scheduling

_POLICY: Final = XLATS["sched_policy"]
_SCHED_FLAGS: Final = XLATS["sched_flags"]
_KEEP_POLICY: Final = 8
_KEEP_PARAMS: Final = 16
_SCHED_ATTR_VER0: Final = 48
_SCHED_ATTR_VER1: Final = 56
_SCHED_ATTR: Final = Struct("<IIQiIQQQ")
_SCHED_UTIL: Final = Struct("<II")


def _sched_attr(view: View, index: int) -> str:
    gets = view.call.name == "sched_getattr"
    data, after = view.data(index, out=gets), view.data(index, out=True)
    if not data or (gets and view.failed):
        return address(view.registers[index])
    shown = _sched_fields(data, view)
    size, found = (int.from_bytes(given[:4], "little") for given in (data, after or data))
    return shown if gets or size == found else f"{shown} => {{size={found}}}"


def _sched_fields(data: bytes, view: View) -> str:
    size = int.from_bytes(data[:4], "little")
    if 0 < size < _SCHED_ATTR_VER0:
        return f"{{size={size}}}"
    if len(data) < _SCHED_ATTR_VER0:
        return "{...}"
    _, policy, flags, nice, priority, runtime, deadline, period = _SCHED_ATTR.unpack_from(data)
    fields = [f"size={size}"]
    if not flags & _KEEP_POLICY or view.call.name == "sched_getattr":
        fields.append(f"sched_policy={_POLICY.one(policy, view.options)}")
    fields.append(f"sched_flags={_SCHED_FLAGS.flags(flags, view.options)}")
    if not flags & _KEEP_PARAMS or view.call.name == "sched_getattr":
        fields += [f"sched_nice={nice}", f"sched_priority={priority}", f"sched_runtime={runtime}"]
        fields += [f"sched_deadline={deadline}", f"sched_period={period}"]
    if size >= _SCHED_ATTR_VER1 and len(data) >= _SCHED_ATTR_VER1:
        least, most = _SCHED_UTIL.unpack_from(data, _SCHED_ATTR_VER0)
        fields += [f"sched_util_min={least}", f"sched_util_max={most}"]
    if size > _SCHED_ATTR_VER1:
        fields.append("...")
    return f"{{{', '.join(fields)}}}"


def _cpus(view: View, index: int) -> str:
    item = recorded(view, index)
    if item is None:
        return address(view.registers[index])
    bits = int.from_bytes(item.data, "little")
    shown = [str(cpu) for cpu in range(bits.bit_length()) if bits >> cpu & 1]
    return f"[{' '.join(shown)}{' ...' if len(item.data) < item.size else ''}]"


_CLASS: Final = XLATS["ioprio_class"]


def _ioprio(value: int, view: View) -> str:
    return f"IOPRIO_PRIO_VALUE({_CLASS.one(value >> 13, view.options)}, {value & 0x1FFF})"


def _ioprio_value(view: View, index: int) -> str:
    value = view.registers[index] & MASK32
    return styled(_ioprio(value, view), str(value), view)


def _ioprio_result(view: View) -> str:
    return f" ({_ioprio(view.call.result or 0, view)})" if view.options.constants != "raw" else ""


def _policy_result(view: View) -> str:
    name = _POLICY.names.get(view.call.result or 0)
    return f" ({name})" if name else ""


VALUES: Final[dict[str, Printer]] = {
    "none": none,
    "sched_attr": _sched_attr,
    "clone_stack": _clone_stack,
    "clone_flags_exit": _clone_flags,
    "clone_parent": _clone_parent,
    "clone_tls": _clone_tls,
    "clone_child": _clone_child,
    "wait_status": _wait4_status,
    "wait_rusage": _wait4_rusage,
    "id_list": _ids,
    "cpu_set": _cpus,
    "ioprio": _ioprio_value,
}

STRUCTS: Final[dict[str, StructPrinter]] = {
    "boxed_offset": boxed("q", lambda value, _view: str(value)),
    "boxed_int": boxed("i", lambda value, _view: str(value)),
    "boxed_uint": boxed("I", lambda value, _view: str(value)),
    "boxed_id": boxed("i", lambda value, _view: number(value)),
    "boxed_size": boxed("Q", lambda value, _view: str(value)),
    "boxed_addr": boxed("Q", lambda value, _view: pointer(value)),
    "boxed_signal": boxed("i", _end_signal),
    "clone_args": _clone_args,
    "rusage": _rusage,
    "rlimit": _rlimit,
    "cap_header": _cap_header,
    "cap_data": _cap_data,
}

RESULTS: Final = {"ioprio_get": _ioprio_result, "sched_getscheduler": _policy_result}

LATE: Final = ("clone_args", "clone_parent")
