# SPDX-License-Identifier: Apache-2.0
"""Descriptors of files without a path: epoll's, eventfds, pidfds, bpf's objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from traceloop_decode.descriptors.making import data_of, new_file
from traceloop_decode.descriptors.names import Known, in_brackets
from traceloop_decode.descriptors.opened import Opened
from traceloop_decode.descriptors.tables import Begun, Task
from traceloop_decode.descriptors.world import World
from traceloop_decode.model import Call

_INT: Final = 0xFFFFFFFF
_O_CLOEXEC: Final = 0o2000000
_MFD_CLOEXEC: Final = 1
_FAN_CLOEXEC: Final = 1
_FSOPEN_CLOEXEC: Final = 1
_PERF_CLOEXEC: Final = 8
_CLONE_PIDFD: Final = 0x1000
_CLONE3_PIDFD: Final = 2  # which pointer of clone3's line in `arguments.process` it is
_FD_BYTES: Final = 4


def _anonymous(world: World, task: Task, call: Call, _begun: Begun) -> None:
    name, flags_at, closed_by_exec = ANONYMOUS[call.name]
    flags = call.registers[flags_at] if flags_at is not None else 0
    if call.name.startswith("signalfd") and call.registers[0] & _INT != _INT:
        return  # the call changed an existing signalfd
    new_file(world, task, call, Known(f"<anon_inode:{name}>"), closed_by_exec=flags & closed_by_exec != 0)


def _memfd(world: World, task: Task, call: Call, _begun: Begun) -> None:
    name = data_of(call, 0)
    found = Known(f"{in_brackets(b'/memfd:' + name)}(deleted)") if name is not None else None
    new_file(world, task, call, found, closed_by_exec=call.registers[1] & _MFD_CLOEXEC != 0)


def _pidfd(world: World, task: Task, call: Call, _begun: Begun) -> None:
    # The number of the process is the caller's; strace shows its own.
    name = f"<pid:{call.registers[0] & _INT}>" if world.sockets else "<anon_inode:[pidfd]>"
    new_file(world, task, call, Known(name), closed_by_exec=True)


def _cloned(world: World, task: Task, call: Call, _begun: Begun) -> None:
    if call.name == "clone":
        flags, stored = call.registers[0], data_of(call, 2, out=True)
    else:
        arguments = data_of(call, 0) or b""
        flags = int.from_bytes(arguments[:8], "little")
        stored = next((item.data for item in call.items.get(0, ()) if item.out and item.sub == _CLONE3_PIDFD), None)
    if flags & _CLONE_PIDFD and call.result:
        name = f"<pid:{call.result}>" if world.sockets else "<anon_inode:[pidfd]>"
        fd = int.from_bytes(stored[:4], "little") if stored is not None and len(stored) >= _FD_BYTES else None
        if fd is None:
            task.table.forget()
        else:
            task.table.put(fd, Opened(Known(name), world.names), closed_by_exec=True)


def _ruleset(world: World, task: Task, call: Call, _begun: Begun) -> None:
    if not call.registers[2] & _INT:  # with flags it tells a version
        new_file(world, task, call, Known("<anon_inode:[landlock-ruleset]>"), closed_by_exec=True)


def _bpf(world: World, task: Task, call: Call, _begun: Begun) -> None:
    name = BPF_FDS.get(call.registers[0] & _INT)
    if name is not None:
        new_file(world, task, call, Known(f"<anon_inode:{name}>") if name else None, closed_by_exec=True)


ANONYMOUS: Final[dict[str, tuple[str, int | None, int]]] = {
    "epoll_create": ("[eventpoll]", None, 0),
    "epoll_create1": ("[eventpoll]", 0, _O_CLOEXEC),
    "eventfd": ("[eventfd]", None, 0),
    "eventfd2": ("[eventfd]", 1, _O_CLOEXEC),
    "fanotify_init": ("[fanotify]", 0, _FAN_CLOEXEC),
    "fsopen": ("[fscontext]", 1, _FSOPEN_CLOEXEC),
    "inotify_init": ("inotify", None, 0),
    "inotify_init1": ("inotify", 0, _O_CLOEXEC),
    "signalfd": ("[signalfd]", None, 0),
    "signalfd4": ("[signalfd]", 3, _O_CLOEXEC),
    "perf_event_open": ("[perf_event]", 4, _PERF_CLOEXEC),
    "timerfd_create": ("[timerfd]", 1, _O_CLOEXEC),
    "userfaultfd": ("[userfaultfd]", 0, _O_CLOEXEC),
}
"""Call -> its descriptor's name, the argument that has its flags, and the flag with which execve closes it."""
# bpf(2)'s commands that make a descriptor -> what it is, "" if that depends: bpf_cmd of linux/bpf.h
BPF_FDS: Final = {
    0: "bpf-map",
    5: "bpf-prog",
    7: "",
    13: "bpf-prog",
    14: "bpf-map",
    17: "",
    18: "btf",
    19: "btf",
    28: "bpf_link",
    30: "bpf_link",
    32: "bpf-stats",
    33: "bpf_iter",
    36: "",
}
LEARN_ANONYMOUS: Final[dict[str, Callable[[World, Task, Call, Begun], None]]] = {
    **dict.fromkeys(ANONYMOUS, _anonymous),
    "memfd_create": _memfd,
    "pidfd_open": _pidfd,
    **dict.fromkeys(("clone", "clone3"), _cloned),
    "landlock_create_ruleset": _ruleset,
    "bpf": _bpf,
}
"""Call -> what it does to its process's table."""
