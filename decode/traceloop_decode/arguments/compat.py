# SPDX-License-Identifier: Apache-2.0
"""The 32-bit calls of i386 that are not as the 64-bit call of the same name: words, and sizes in bytes.

A line of its own is in `TABLE`; ``wide_`` before a word's name says that its struct is the 64-bit one there too. A
call of `LIKE` or `WIDE` has the line of another. All others have the line of the 64-bit call of that name, if it has
the same arguments. Of memory then remains what is the same in both (`SAME`) or has a size in `SIZES`, and so a way to
be widened in `traceloop_decode.printers.widening`; the rest is an address.
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
truncate64          in:path split_number none
ftruncate64         fd split_number none
pread64             fd out:bytes[result] size split_number none
pwrite64            fd in:bytes[count] size split_number none
_llseek             fd high_number none out:boxed_offset one_whence
mmap2               addr ulong prot_bits map_flags fd page_offset = hex
_newselect          int inout:fd_set[n] inout:fd_set[n] inout:fd_set[n] inout:timeout_us
sendfile64          fd fd inout:wide_moved_offset size
ugetrlimit          one_rlimits out:rlimit
prlimit64           int one_rlimits in:wide_rlimit out:wide_rlimit
fallocate           fd fallocate_mode split_number none split_number none
readahead           fd split_number none size
fadvise64           fd split_number none size one_fadvise
fadvise64_64        fd split_number none split_number none one_fadvise
sync_file_range     fd split_number none split_number none sync_range_flags

# 16-bit numbers
getgroups           int addr
setgroups           int addr
getresuid           addr addr addr
getresgid           addr addr addr

# another layout than the 64-bit call's, and not printed
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
    "futex_time64": "futex",
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
"""The same, and their structs are the 64-bit ones: those with times of 64 bits."""

_OTHERS = {"_newselect": "select", "rt_sigtimedwait_time64": "rt_sigtimedwait", "sendfile64": "sendfile"}


def name_of(call: str) -> str:
    """The 64-bit call that does what a 32-bit one does; the same name where there is none."""
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
        "f_owner_ex",
        "fd_number",
        "fd_set",
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
        "mmsghdr",
        "modem_lines",
        "mount_attr",
        "mount_data",
        "mount_id",
        "mount_type",
        "msghdr",
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
"""Memory that is laid out alike in both, or is told apart by the kernel side and the printers."""

SIZES: dict[str, int] = {
    "boxed_addr": 4,
    "boxed_size": 4,
    "file_timespec": 8,
    "file_timeval": 8,
    "flock": 16,
    "flock_found": 16,
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
