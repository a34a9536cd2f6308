# SPDX-License-Identifier: Apache-2.0
"""Reads offsets of kernel structs from the running kernel's BTF, by libbpf (which BCC depends on)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from traceloop_bpf.arch import architecture

_KIND_STRUCT: Final = 4  # BTF_KIND_STRUCT, linux/btf.h
_KIND_TYPEDEF: Final = 8
_KIND_ENUM: Final = 6
_KINDS_WITH_MEMBERS: Final = (_KIND_STRUCT, 5)  # and BTF_KIND_UNION

FIELDS: Final = {
    "SIGNAL": (("task_struct", "signal"),),
    "PID": (("task_struct", "pid"),),
    "TGID": (("task_struct", "tgid"),),
    "COMM": (("task_struct", "comm"),),
    "THREAD_PID": (("task_struct", "thread_pid"),),
    "PID_LEVEL": (("pid", "level"),),
    "PID_NUMBERS": (("pid", "numbers"),),
    "UPID_NS": (("upid", "ns"),),
    "NS_INUM": (("pid_namespace", "ns"), ("ns_common", "inum")),
    "CGROUPS": (("task_struct", "cgroups"),),
    "DFL_CGRP": (("css_set", "dfl_cgrp"),),
    "EXIT_CODE": (("task_struct", "exit_code"),),
    "GROUP_LEADER": (("task_struct", "group_leader"),),
    "REAL_PARENT": (("task_struct", "real_parent"),),
    "MM": (("task_struct", "mm"),),
    "EXE_FILE": (("mm_struct", "exe_file"),),
    "NSPROXY": (("task_struct", "nsproxy"),),
    "MNT_NS": (("nsproxy", "mnt_ns"),),
    "FILES": (("task_struct", "files"),),
    "FDT": (("files_struct", "fdt"),),
    "FDT_FD": (("fdtable", "fd"),),
    "FILE_INODE": (("file", "f_inode"),),
    "INODE_SB": (("inode", "i_sb"),),
    "INODE_NUMBER": (("inode", "i_ino"),),
    "SB_MAGIC": (("super_block", "s_magic"),),
    "FILE_MNT": (("file", "f_path"), ("path", "mnt")),
    "MOUNT_MNT": (("mount", "mnt"),),
    "MOUNT_NS": (("mount", "mnt_ns"),),
    "ARG_START": (("mm_struct", "arg_start"),),
    "ARG_END": (("mm_struct", "arg_end"),),
    "ENV_END": (("mm_struct", "env_end"),),
    "LIVE": (("signal_struct", "live"),),
    "SIGNAL_FLAGS": (("signal_struct", "flags"),),
    "GROUP_EXIT_CODE": (("signal_struct", "group_exit_code"),),
    "CGROUP_SELF": (("cgroup", "self"),),
    "CGROUP_KN": (("cgroup", "kn"),),
    "CGROUP_ROOT": (("cgroup", "root"),),
    "CGROUP_PARENT": (("cgroup", "self"), ("cgroup_subsys_state", "parent")),
    "KN_ID": (("kernfs_node", "id"),),
    "KN_NAME": (("kernfs_node", "name"),),
    "HIERARCHY_ID": (("cgroup_root", "hierarchy_id"),),
    "NR_POPULATED_CSETS": (("cgroup", "nr_populated_csets"),),
    "NR_POPULATED_CHILDREN": (("cgroup", "nr_populated_domain_children"),),
    "CSS_SET_TASKS": (("css_set", "nr_tasks"),),
    "NR_THREADS": (("signal_struct", "nr_threads"),),
    "PENDING": (("task_struct", "pending"), ("sigpending", "signal")),
    "START_CODE": (("mm_struct", "start_code"),),
    "END_CODE": (("mm_struct", "end_code"),),
    "OOM_MM": (("signal_struct", "oom_mm"),),
}
"""Key of a TL_OFFSET_<key> in tracer.bpf.c -> the members whose offsets add up to it. An architecture has more."""
OPTIONAL: Final = {
    "SECCOMP_MODE": (("task_struct", "seccomp"), ("seccomp", "mode")),  # with CONFIG_SECCOMP
    "TRAP": (("task_struct", "thread"), ("thread_struct", "trap_nr")),  # x86 has these two
    "TRAP_ERROR": (("task_struct", "thread"), ("thread_struct", "error_code")),
}
"""The same for members that a kernel may lack; the programs work without them."""


_MEMORY: Final = {
    "MEMORY_GROUP": ("css_set", "subsys"),
    "MEMORY_CSS": ("mem_cgroup", "css"),
    "CHARGED": ("mem_cgroup", "memory"),
    "COUNTER_USAGE": ("page_counter", "usage"),
    "COUNTER_MAX": ("page_counter", "max"),
    "COUNTER_PARENT": ("page_counter", "parent"),
}
"""The same for what memory cgroups have, with CONFIG_MEMCG: all or none of them."""
_MEMORY_CGROUP: Final = "memory_cgrp_id"
_POINTER_SIZE: Final = 8
MARK_VICTIM: Final = "mark_victim"


class BtfError(Exception):
    """The kernel's BTF cannot be read or lacks a member."""


class _Type(ctypes.Structure):  # struct btf_type
    _fields_ = (("name", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size_or_type", ctypes.c_uint32))


class _Enumerator(ctypes.Structure):  # struct btf_enum
    _fields_ = (("name", ctypes.c_uint32), ("value", ctypes.c_int32))


class _Member(ctypes.Structure):  # struct btf_member
    _fields_ = (("name", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))


class Types:
    """The types of the running kernel. `opened` makes one."""

    def __init__(self, library: ctypes.CDLL, btf: int) -> None:
        self._library, self._btf = library, btf

    def offset(self, struct: str, member: str) -> int:
        """Returns a member's offset in its struct, in bytes. Raises BtfError if there is none."""
        return self.member(struct, member)[0] // 8

    def member(self, struct: str, path: str) -> tuple[int, int]:
        """Returns a member's offset in bits and its size in bytes. Raises BtfError if there is none.

        path: also of a member within a member, as in ``how.flags``.
        """
        bits, number = 0, self._library.btf__find_by_name_kind(self._btf, struct.encode(), _KIND_STRUCT)
        for name in path.split("."):
            found = _search(self._library, self._btf, number, name) if number > 0 else None
            if found is None:
                raise BtfError(f"this kernel has no struct {struct} with a member {path}")
            bits, number = bits + found[0], self._library.btf__resolve_type(self._btf, found[1])
        return bits, self._library.btf__resolve_size(self._btf, number)

    def enumerator(self, name: str) -> int:
        """Returns the value of an enumerator, of whichever enum. Raises BtfError if there is none."""
        library = self._library
        for number in range(1, library.btf__type_cnt(self._btf)):
            address = library.btf__type_by_id(self._btf, number)
            kind = _Type.from_address(address)
            if kind.info >> 24 & 0x1F != _KIND_ENUM:
                continue
            for entry in (_Enumerator * (kind.info & 0xFFFF)).from_address(address + ctypes.sizeof(_Type)):
                if library.btf__name_by_offset(self._btf, entry.name) == name.encode():
                    return int(entry.value)
        raise BtfError(f"this kernel has no enumerator {name}")

    def arguments(self, tracepoint: str) -> int:
        """Returns how many arguments a tracepoint has; 0 if there is none of that name."""
        # typedef void (*btf_trace_NAME)(void *, arguments...)
        library, btf = self._library, self._btf
        number = library.btf__find_by_name_kind(btf, f"btf_trace_{tracepoint}".encode(), _KIND_TYPEDEF)
        if number <= 0:
            return 0
        for _ in range(2):  # typedef -> pointer -> function prototype
            number = _Type.from_address(library.btf__type_by_id(btf, number)).size_or_type
        return int(_Type.from_address(library.btf__type_by_id(btf, number)).info & 0xFFFF) - 1


@contextmanager
def opened() -> Iterator[Types]:
    """Yields the running kernel's types. Raises BtfError if they cannot be read."""
    try:
        library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise BtfError(f"{error}: install libbpf1 (python3-bpfcc depends on it)") from error
    for name in ("btf__load_vmlinux_btf", "btf__type_by_id"):
        getattr(library, name).restype = ctypes.c_void_p
    library.btf__name_by_offset.restype = ctypes.c_char_p
    library.btf__name_by_offset.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.btf__type_by_id.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.btf__type_cnt.argtypes = (ctypes.c_void_p,)
    library.btf__resolve_type.argtypes = library.btf__resolve_size.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.btf__resolve_size.restype = ctypes.c_int64
    library.btf__find_by_name_kind.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32)
    library.btf__free.argtypes = (ctypes.c_void_p,)
    btf = library.btf__load_vmlinux_btf()
    if not btf:
        raise BtfError("/sys/kernel/btf/vmlinux cannot be read: the kernel needs CONFIG_DEBUG_INFO_BTF=y")
    try:
        yield Types(library, btf)
    finally:
        library.btf__free(btf)


def read(types: Types) -> dict[str, int]:
    """Returns the -D values that depend on the running kernel: each offset in bytes. Raises BtfError, OSError."""
    fields = FIELDS | architecture().fields
    values = {f"TL_OFFSET_{key}": sum(types.offset(*member) for member in path) for key, path in fields.items()}
    for key, path in OPTIONAL.items():
        try:
            values[f"TL_OFFSET_{key}"] = sum(types.offset(*member) for member in path)
        except BtfError:  # the kernel lacks it
            continue
    values |= _of_memory(types)
    # Since Linux 6.16 an argument of the tracepoint says whether the thread is the last of its process.
    if types.arguments("sched_process_exit") > 1:
        values["TL_GROUP_DEAD_IS_ARGUMENT"] = 1
    return values


def tells_of_victims(values: Mapping[str, int]) -> bool:
    """Returns whether the kernel tells which process it ends because memory is short. values: from `read`."""
    return "TL_OFFSET_CHARGED" in values


def _of_memory(types: Types) -> dict[str, int]:
    # Empty where the kernel has no memory cgroups, or where mark_victim tells but a process's number, which no program
    # can look up: before Linux 6.9 and its stable siblings.
    if types.arguments(MARK_VICTIM) < 2:
        return {}
    try:
        values = {f"TL_OFFSET_{key}": types.offset(*member) for key, member in _MEMORY.items()}
        values["TL_OFFSET_MEMORY_GROUP"] += _POINTER_SIZE * types.enumerator(_MEMORY_CGROUP)
    except BtfError:
        return {}
    return values


def _search(library: ctypes.CDLL, btf: int, number: int, member: str) -> tuple[int, int] | None:
    # Returns a member's offset in bits and its type, also of one in an anonymous struct or union.
    address = library.btf__type_by_id(btf, number)
    kind = _Type.from_address(address)
    if kind.info >> 24 & 0x1F not in _KINDS_WITH_MEMBERS:
        return None
    members = (_Member * (kind.info & 0xFFFF)).from_address(address + ctypes.sizeof(_Type))
    for entry in members:
        # With kind_flag set, the upper byte of the offset is a bit field's size.
        bits = int(entry.offset & 0xFFFFFF if kind.info >> 31 else entry.offset)
        name = library.btf__name_by_offset(btf, entry.name).decode()
        if name == member:
            return bits, int(entry.type)
        inner = _search(library, btf, entry.type, member) if not name else None
        if inner is not None:
            return bits + inner[0], inner[1]
    return None
