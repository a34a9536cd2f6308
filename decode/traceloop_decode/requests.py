# SPDX-License-Identifier: Apache-2.0
"""The requests of io_uring, by opcode (enum io_uring_op of linux/io_uring.h): names and arguments.

A request that does what a system call does has that call's name and, as far as it has them, its arguments in the same
order, so it is printed and selected like the call. Numbers that only the request has follow: the offset of a read, for
instance. The other requests are called as io_uring_enter(2) calls them.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from traceloop_decode.syscalls import Abi

_READ: Final = "read(unsigned int fd, char *buf, size_t count, loff_t pos, rwf_t flags)"
_WRITE: Final = "write(unsigned int fd, const char *buf, size_t count, loff_t pos, rwf_t flags)"
_READV: Final = "readv(unsigned long fd, const struct iovec *vec, unsigned long vlen, loff_t pos, rwf_t flags)"
_WRITEV: Final = "writev(unsigned long fd, const struct iovec *vec, unsigned long vlen, loff_t pos, rwf_t flags)"
_SENDTO: Final = "sendto(int fd, void *buff, size_t len, unsigned int flags, struct sockaddr *addr, int addr_len)"
_SENDMSG: Final = "sendmsg(int fd, struct user_msghdr *msg, unsigned int flags)"
_URING_CMD: Final = "uring_cmd(int fd, unsigned int cmd_op)"
_FUTEX: Final = "void *uaddr, unsigned long val, unsigned long mask, unsigned int flags"
_VALUE: Final = "size_t size, int flags"

OPCODES: Final = {
    0: "nop()",
    1: _READV,
    2: _WRITEV,
    3: "fsync(unsigned int fd, loff_t offset, loff_t len, int flags)",
    4: _READ,  # READ_FIXED
    5: _WRITE,  # WRITE_FIXED
    6: "poll_add(int fd, unsigned int events)",
    7: "poll_remove(u64 user_data, unsigned int events)",
    8: "sync_file_range(int fd, loff_t offset, loff_t nbytes, unsigned int flags)",
    9: _SENDMSG,
    10: "recvmsg(int fd, struct user_msghdr *msg, unsigned int flags)",
    11: "timeout(struct __kernel_timespec *ts, unsigned int count, unsigned int flags)",
    12: "timeout_remove(u64 user_data, unsigned int flags)",
    13: "accept4(int fd, struct sockaddr *upeer_sockaddr, int *upeer_addrlen, int flags)",
    14: "async_cancel(u64 user_data, unsigned int flags, int fd)",
    15: "link_timeout(struct __kernel_timespec *ts, unsigned int flags)",
    16: "connect(int fd, struct sockaddr *uservaddr, int addrlen)",
    17: "fallocate(int fd, int mode, loff_t offset, loff_t len)",
    18: "openat(int dfd, const char *filename, int flags, umode_t mode)",
    19: "close(unsigned int fd)",
    20: "files_update(int *fds, unsigned int count, unsigned int offset)",
    21: "statx(int dfd, const char *filename, unsigned int flags, unsigned int mask, struct statx *buffer)",
    22: _READ,
    23: _WRITE,
    24: "fadvise64(int fd, loff_t offset, size_t len, int advice)",
    25: "madvise(unsigned long start, size_t len_in, int behavior)",
    26: _SENDTO,
    27: "recvfrom(int fd, void *ubuf, size_t size, unsigned int flags)",
    28: "openat2(int dfd, const char *filename, struct open_how *how, size_t usize)",
    29: "epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)",
    30: "splice(int fd_in, loff_t off_in, int fd_out, loff_t off_out, size_t len, unsigned int flags)",
    31: "provide_buffers(void *addr, int len, int nbufs, int bgid, int bid)",
    32: "remove_buffers(int nbufs, int bgid)",
    33: "tee(int fdin, int fdout, size_t len, unsigned int flags)",
    34: "shutdown(int fd, int how)",
    35: "renameat2(int olddfd, const char *oldname, int newdfd, const char *newname, unsigned int flags)",
    36: "unlinkat(int dfd, const char *pathname, int flag)",
    37: "mkdirat(int dfd, const char *pathname, umode_t mode)",
    38: "symlinkat(const char *oldname, int newdfd, const char *newname)",
    39: "linkat(int olddfd, const char *oldname, int newdfd, const char *newname, int flags)",
    40: "msg_ring(int fd, u64 cmd, u64 user_data, unsigned int len)",
    41: f"fsetxattr(int fd, const char *name, const void *value, {_VALUE})",
    42: f"setxattr(const char *pathname, const char *name, const void *value, {_VALUE})",
    43: "fgetxattr(int fd, const char *name, void *value, size_t size)",
    44: "getxattr(const char *pathname, const char *name, void *value, size_t size)",
    45: "socket(int family, int type, int protocol)",
    46: _URING_CMD,
    47: _SENDTO,  # SEND_ZC
    48: _SENDMSG,  # SENDMSG_ZC
    49: _READ,  # READ_MULTISHOT
    50: "waitid(int which, pid_t upid, struct siginfo *infop, int options)",
    51: f"futex_wait({_FUTEX})",
    52: f"futex_wake({_FUTEX})",
    53: "futex_waitv(struct futex_waitv *waiters, unsigned int nr_futexes)",
    54: "fixed_fd_install(int fd, unsigned int flags)",
    55: "ftruncate(unsigned int fd, off_t length)",
    56: "bind(int fd, struct sockaddr *umyaddr, int addrlen)",
    57: "listen(int fd, int backlog)",
    58: "recv_zc(int fd, unsigned int len, unsigned int flags)",
    59: "epoll_wait(int epfd, struct epoll_event *events, int maxevents)",
    60: _READV,  # READV_FIXED
    61: _WRITEV,  # WRITEV_FIXED
    62: "pipe2(int *fildes, int flags)",
    63: "nop()",  # NOP128
    64: _URING_CMD,  # URING_CMD128
}
"""Opcode -> the request as C has it."""

CLOSE: Final = 19
_O_LARGEFILE, _MSG_NOSIGNAL, _EPOLLONESHOT_ET = 0o100000, 0x4000, 0xC0000000
ADDED: Final = {
    6: (1, _EPOLLONESHOT_ET),
    9: (2, _MSG_NOSIGNAL),
    18: (2, _O_LARGEFILE),
    26: (3, _MSG_NOSIGNAL),
    47: (3, _MSG_NOSIGNAL),
    48: (2, _MSG_NOSIGNAL),
}
"""Opcode -> an argument, and the bits that the kernel adds to it whether or not the program set them (io_uring/*.c)."""

LINES: Final = """\
poll_add         fd poll_events
timeout          in:timespec uint hex32
link_timeout     in:timespec hex32
splice           fd loff fd loff size splice_flags
async_cancel     - hex32 int
"""
"""Words of `arguments.table` for requests that are no system calls, or have other arguments than those."""

IOSQE: Final = ("FIXED_FILE", "IO_DRAIN", "IO_LINK", "IO_HARDLINK", "ASYNC", "BUFFER_SELECT", "CQE_SKIP_SUCCESS")
"""Names of the bits in a request's flags, from the lowest on, without IOSQE_ (linux/io_uring.h)."""
ANY_SLOT: Final = 0xFFFFFFFF


@cache
def abi(arch: str) -> Abi:
    """Returns the requests of a kernel as a table, whose numbers are opcodes."""
    return Abi(arch, compat=False, prototypes=OPCODES, requests=True)


NAMES: Final = frozenset(prototype.partition("(")[0] for prototype in OPCODES.values())
"""The names that requests have."""
