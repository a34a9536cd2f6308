# SPDX-License-Identifier: Apache-2.0
"""i386 calls whose arguments differ from the 64-bit call of the same name: table lines, and struct sizes in bytes.

`TABLE` has the calls with a line of their own; ``wide_`` before a word's name says that 32-bit programs use the 64-bit
struct too. A call in `LIKE` or `WIDE` has the line of the 64-bit call named there. Every other call has the line of the
64-bit call of the same name, if both have the same arguments. Of such a line, memory is read only if its layout is the
same in both (`SAME`), or if `SIZES` has its size and `traceloop_decode.printers.widening` can convert it; other memory
is printed as an address.
"""

from __future__ import annotations

TABLE = """
waitpid             int out:wait_status wait_options
stat64              in:path out:stat64
lstat64             in:path out:stat64
fstat64             fd out:stat64
fstatat64           dirfd in:path out:stat64 at_flags
statfs64            in:path size out:statfs64
fstatfs64           fd size out:statfs64
truncate64          in:path split_number split_rest
ftruncate64         fd split_number split_rest
pread64             fd out:bytes[result] size split_number split_rest
pwrite64            fd in:bytes[count] size split_number split_rest
_llseek             fd high_number split_rest out:boxed_offset one_whence
mmap2               addr ulong prot_bits map_flags fd page_offset = hex
_newselect          int inout:fd_set[n] inout:fd_set[n] inout:fd_set[n] inout:timeout_us
sendfile64          fd fd inout:wide_moved_offset size
ugetrlimit          one_rlimits out:rlimit
prlimit64           int one_rlimits in:wide_rlimit out:wide_rlimit
fallocate           fd fallocate_mode split_number split_rest split_number split_rest
readahead           fd split_number split_rest size
fadvise64           fd split_number split_rest size one_fadvise
fadvise64_64        fd split_number split_rest split_number split_rest one_fadvise
sync_file_range     fd split_number split_rest split_number split_rest sync_range_flags
preadv              fd end:iovec[vlen] ulong split_number split_rest
pwritev             fd in:iovec[vlen] ulong split_number split_rest
preadv2             fd end:iovec[vlen] ulong split_number split_rest rwf_flags
pwritev2            fd in:iovec[vlen] ulong split_number split_rest rwf_flags
setsockopt:SO_ATTACH_FILTER fd one_socket_levels option_name in:option_given[optlen]>in:filter_step@4/4[u16@0]
setsockopt:SO_ATTACH_REUSEPORT_CBPF fd one_socket_levels option_name in:option_given[optlen]>in:filter_step@4/4[u16@0]
fanotify_mark       fd fanotify_mark_flags split_events split_rest fanotify_dirfd in:path

# 16-bit numbers
getgroups           int addr
setgroups           int addr
getresuid           addr addr addr
getresgid           addr addr addr

# calls that make others: the array of their arguments, and the memory that these point at
socketcall          socketcall_op addr
socketcall:SYS_SOCKET one_socket_op in:words[3]
socketcall:SYS_BIND,SYS_CONNECT one_socket_op in:words[3]>in:sockaddr@4/4[u32@8]
socketcall:SYS_LISTEN,SYS_SHUTDOWN one_socket_op in:words[2]
socketcall:SYS_ACCEPT one_socket_op in:words[3]>out:peer@4/4[*u32@8]>inout:peer_length@8/4
socketcall:SYS_GETSOCKNAME,SYS_GETPEERNAME one_socket_op in:words[3]>out:peer@4/4[*u32@8]>inout:peer_length@8/4
socketcall:SYS_SOCKETPAIR one_socket_op in:words[4]>out:socket_pair@12/4
socketcall:SYS_SEND one_socket_op in:words[4]>in:sent@4/4[u32@8]
socketcall:SYS_RECV one_socket_op in:words[4]>out:received@4/4[result]
socketcall:SYS_SENDTO one_socket_op in:words[6]>in:sent@4/4[u32@8]>in:sockaddr@16/4[u32@20]
socketcall:SYS_RECVFROM one_socket_op in:words[6]>out:received@4/4[result]>out:peer@16/4[*u32@20]>inout:peer_length@20/4
socketcall:SYS_SETSOCKOPT one_socket_op in:words[5]>in:option_given@12/4[u32@16]
socketcall:SYS_GETSOCKOPT one_socket_op in:words[5]>out:option@12/4[*u32@16]>inout:option_length@16/4
socketcall:SYS_SENDMSG one_socket_op in:words[3]>in:msghdr@4/4
socketcall:SYS_RECVMSG one_socket_op in:words[3]>in:msghdr_words@4/4>out:msghdr@4/4
socketcall:SYS_ACCEPT4 one_socket_op in:words[4]>out:peer@4/4[*u32@8]>inout:peer_length@8/4
socketcall:SYS_RECVMMSG one_socket_op in:words[5]
socketcall:SYS_SENDMMSG one_socket_op in:words[4]
send                fd in:sent[len] size msg_flags
recv                fd out:received[result] size msg_flags
ipc                 one_ipc_ops int int uint addr uint
ipc:SEMOP           one_ipc_ops int int uint in:sembuf[second]
ipc:SEMCTL          one_ipc_ops int int uint in:words[1]
ipc:SEMTIMEDOP      one_ipc_ops int int uint in:sembuf[second] in:timespec
ipc:MSGSND          one_ipc_ops int int uint in:message_32[second+4]
ipc:MSGRCV          one_ipc_ops int int uint in:words[2]>out:message_32@0/4[result+4]
ipc:SHMAT           one_ipc_ops int int out:words[1] addr
semctl              int int one_semctl_cmd semctl_argument
msgsnd              int in:message_32[msgsz+4] ulong msg_queue_flags
msgrcv              int out:message_32[result+4] ulong long msg_queue_flags

# the layout differs from the 64-bit call's, and is not printed
getdents            fd addr uint
rt_sigreturn
rt_sigtimedwait_time64 in:sigset[sigsetsize] out:siginfo in:wide_timespec size
"""

LIKE: dict[str, str] = {
    "chown32": "chown",
    "clone": "clone",
    "fchown32": "fchown",
    "fcntl64": "fcntl",
    "getgroups32": "getgroups",
    "getresgid32": "getresgid",
    "getresuid32": "getresuid",
    "lchown32": "lchown",
    "setfsgid32": "setfsgid",
    "setfsuid32": "setfsuid",
    "setgid32": "setgid",
    "setgroups32": "setgroups",
    "setregid32": "setregid",
    "setresgid32": "setresgid",
    "setresuid32": "setresuid",
    "setreuid32": "setreuid",
    "setuid32": "setuid",
    "umount": "umount2",
}

WIDE: dict[str, str] = {
    "clock_adjtime64": "clock_adjtime",
    "clock_getres_time64": "clock_getres",
    "clock_gettime64": "clock_gettime",
    "clock_nanosleep_time64": "clock_nanosleep",
    "clock_settime64": "clock_settime",
    "epoll_pwait2": "epoll_pwait2",
    "futex_time64": "futex",
    "futex_waitv": "futex_waitv",
    "mq_timedreceive_time64": "mq_timedreceive",
    "mq_timedsend_time64": "mq_timedsend",
    "ppoll_time64": "ppoll",
    "pselect6_time64": "pselect6",
    "recvmmsg_time64": "recvmmsg",
    "sched_rr_get_interval_time64": "sched_rr_get_interval",
    "semtimedop_time64": "semtimedop",
    "timer_gettime64": "timer_gettime",
    "timer_settime64": "timer_settime",
    "timerfd_gettime64": "timerfd_gettime",
    "timerfd_settime64": "timerfd_settime",
    "utimensat_time64": "utimensat",
}
"""Calls with 64-bit times, whose structs are the 64-bit ones: 32-bit call -> 64-bit call."""

_OTHERS = {"_newselect": "select", "rt_sigtimedwait_time64": "rt_sigtimedwait", "sendfile64": "sendfile"}


def name_of(call: str) -> str:
    """Returns the 64-bit call that does what a 32-bit one does, or the same name if there is none."""
    return LIKE.get(call) or WIDE.get(call) or _OTHERS.get(call, call)


SAME = frozenset(
    [
        "argv",
        "boxed_action",
        "boxed_id",
        "boxed_int",
        "boxed_mempolicy",
        "boxed_offset",
        "boxed_signal",
        "boxed_uint",
        "bpf_attr",
        "bpf_step",
        "bytes",
        "words",
        "cache_counts",
        "cache_range",
        "cap_data",
        "cap_header",
        "clone_args",
        "clone_parent",
        "control_blocks",
        "cpu_set",
        "epoll_change",
        "epoll_event",
        "epoll_slot",
        "f_owner_ex",
        "fd_number",
        "fd_set",
        "memfd_name",
        "fs_option",
        "reboot_text",
        "user_desc",
        "file_attr",
        "file_handle",
        "futex_waitv",
        "hex_bytes",
        "host_name",
        "id_list",
        "inode_flags_word",
        "int",
        "io_event",
        "io_uring_params",
        "iocb",
        "ioctl_int",
        "iovec",
        "key_text",
        "landlock_ruleset",
        "mask_and_size",
        "message_32",
        "mmsghdr",
        "modem_lines",
        "mount_attr",
        "mount_data",
        "mount_id",
        "mount_type",
        "msghdr",
        "msghdr_words",
        "node_list",
        "notif_sizes",
        "offset",
        "open_how",
        "option",
        "option_given",
        "option_length",
        "path",
        "path_beneath",
        "peer",
        "peer_length",
        "perf_attr",
        "pollfd",
        "received",
        "residency",
        "sched_attr",
        "sembuf",
        "sent",
        "sigset",
        "sigset_late",
        "sigset_out",
        "sockaddr",
        "socket_pair",
        "statx",
        "status_list",
        "string",
        "task_name",
        "termio",
        "termios",
        "termios2",
        "thread_name",
        "timer_id",
        "timezone",
        "utsname",
        "wait_status",
        "winsize",
        "xattr_names",
        "xattr_value",
    ]
)
"""Words whose memory has the same layout in both, or whose layout the kernel side and the printers tell apart."""

SIZES: dict[str, int] = {
    "boxed_addr": 4,
    "boxed_size": 4,
    "file_timespec": 8,
    "file_timeval": 8,
    "flock": 16,
    "flock_found": 16,
    "flock_64": 24,
    "flock_64_found": 24,
    "itimerspec": 16,
    "itimerval": 16,
    "late_timespec": 8,
    "moved_offset": 4,
    "mq_attr": 32,
    "mq_create_attr": 32,
    "remaining": 8,
    "rlimit": 8,
    "rusage": 72,
    "sigaction": 20,
    "sigevent": 64,
    "siginfo": 128,
    "stack": 12,
    "stat": 64,
    "stat64": 96,
    "statfs": 64,
    "statfs64": 84,
    "sysinfo": 64,
    "time_limit": 8,
    "time_t": 4,
    "timeout_ns": 8,
    "timeout_us": 8,
    "timespec": 8,
    "timeval": 8,
    "timex": 84,
    "tms": 16,
    "utimbuf": 8,
    "vars": 4,
    "wait_rusage": 72,
}
