# SPDX-License-Identifier: Apache-2.0
"""What the recorder must know of the running kernel, from its BTF, by libbpf (which BCC brings along)."""

from __future__ import annotations

import ctypes
from typing import Final

_KIND_STRUCT: Final = 4  # BTF_KIND_STRUCT, linux/btf.h
_KIND_TYPEDEF: Final = 8

FIELDS: Final = {
    "STATUS": (("task_struct", "thread_info"), ("thread_info", "status")),
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
    "MM": (("task_struct", "mm"),),
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
    "HIERARCHY_ID": (("cgroup_root", "hierarchy_id"),),
}
"""TL_OFFSET_<key> of tracer.bpf.c -> the members whose offsets add up to it."""


class BtfError(Exception):
    """This kernel's BTF cannot be read, or lacks a member."""


class _Type(ctypes.Structure):  # struct btf_type
    _fields_ = (("name", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size_or_type", ctypes.c_uint32))


class _Member(ctypes.Structure):  # struct btf_member
    _fields_ = (("name", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))


def read() -> dict[str, int]:
    """The -D values that depend on the running kernel: the offset in bytes of each of FIELDS. Raises BtfError."""
    try:
        library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise BtfError(f"{error}: install libbpf1 (python3-bpfcc depends on it)") from error
    for name in ("btf__load_vmlinux_btf", "btf__type_by_id"):
        getattr(library, name).restype = ctypes.c_void_p
    library.btf__name_by_offset.restype = ctypes.c_char_p
    library.btf__name_by_offset.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.btf__type_by_id.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.btf__find_by_name_kind.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32)
    library.btf__free.argtypes = (ctypes.c_void_p,)
    btf = library.btf__load_vmlinux_btf()
    if not btf:
        raise BtfError("/sys/kernel/btf/vmlinux cannot be read: the kernel needs CONFIG_DEBUG_INFO_BTF=y")
    try:
        values = {
            f"TL_OFFSET_{key}": sum(_offset(library, btf, *member) for member in path) for key, path in FIELDS.items()
        }
        # Since Linux 6.16 the tracepoint says itself which thread is its process's last.
        if _arguments(library, btf, "sched_process_exit") > 1:
            values["TL_GROUP_DEAD_IS_ARGUMENT"] = 1
        return values
    finally:
        library.btf__free(btf)


def _offset(library: ctypes.CDLL, btf: int, struct: str, member: str) -> int:
    number = library.btf__find_by_name_kind(btf, struct.encode(), _KIND_STRUCT)
    found = _search(library, btf, number, member) if number > 0 else None
    if found is None:
        raise BtfError(f"this kernel has no struct {struct} with a member {member}")
    return found


def _arguments(library: ctypes.CDLL, btf: int, tracepoint: str) -> int:
    # typedef void (*btf_trace_NAME)(void *, arguments...)
    number = library.btf__find_by_name_kind(btf, f"btf_trace_{tracepoint}".encode(), _KIND_TYPEDEF)
    if number <= 0:
        return 0
    for _ in range(2):  # typedef -> pointer -> function prototype
        number = _Type.from_address(library.btf__type_by_id(btf, number)).size_or_type
    return int(_Type.from_address(library.btf__type_by_id(btf, number)).info & 0xFFFF) - 1


def _search(library: ctypes.CDLL, btf: int, number: int, member: str) -> int | None:
    address = library.btf__type_by_id(btf, number)
    kind = _Type.from_address(address)
    members = (_Member * (kind.info & 0xFFFF)).from_address(address + ctypes.sizeof(_Type))
    for entry in members:
        # With kind_flag set, the upper byte of the offset is a bit field's size.
        bits = entry.offset & 0xFFFFFF if kind.info >> 31 else entry.offset
        name = library.btf__name_by_offset(btf, entry.name).decode()
        if name == member:
            return int(bits // 8)
        if (
            not name
            and (_Type.from_address(library.btf__type_by_id(btf, entry.type)).info >> 24 & 0x1F) == _KIND_STRUCT
        ):
            inner = _search(library, btf, entry.type, member)
            if inner is not None:
                return int(bits // 8) + inner
    return None
