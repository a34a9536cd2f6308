# SPDX-License-Identifier: Apache-2.0
"""Table of the calls that 32-bit programs of x86 make by socketcall(2) and ipc(2), and where their arguments are."""

from __future__ import annotations

from typing import Final, NamedTuple

SOCKETCALL, IPC = 102, 117
CALL_SHIFT: Final = 64  # above what a register holds


class Multiplexed(NamedTuple):
    """A call within another.

    sources: for each of its arguments the other's register, or -1 - n for the n-th word of the array. nested: the
    argument that each nested memory of the array is of.
    """

    name: str
    sources: tuple[int, ...]
    nested: tuple[int, ...] = ()


def _socket(name: str, count: int, *nested: int) -> Multiplexed:
    return Multiplexed(name, tuple(-1 - n for n in range(count)), nested)


# include/uapi/linux/net.h, net/socket.c
_SOCKETCALLS: Final = {
    1: _socket("socket", 3),
    2: _socket("bind", 3, 1),
    3: _socket("connect", 3, 1),
    4: _socket("listen", 2),
    5: _socket("accept", 3, 1, 2),
    6: _socket("getsockname", 3, 1, 2),
    7: _socket("getpeername", 3, 1, 2),
    8: _socket("socketpair", 4, 3),
    9: _socket("send", 4, 1),
    10: _socket("recv", 4, 1),
    11: _socket("sendto", 6, 1, 4),
    12: _socket("recvfrom", 6, 1, 4, 5),
    13: _socket("shutdown", 2),
    14: _socket("setsockopt", 5, 3),
    15: _socket("getsockopt", 5, 3, 4),
    16: _socket("sendmsg", 3, 1),
    17: _socket("recvmsg", 3, 1, 1),
    18: _socket("accept4", 4, 1, 2),
    19: _socket("recvmmsg", 5),
    20: _socket("sendmmsg", 4),
}
# include/uapi/linux/ipc.h, ipc/syscall.c
_IPCS: Final = {
    1: Multiplexed("semop", (1, 4, 2)),
    2: Multiplexed("semget", (1, 2, 3)),
    3: Multiplexed("semctl", (1, 2, 3, -1)),
    4: Multiplexed("semtimedop", (1, 4, 2, 5)),
    11: Multiplexed("msgsnd", (1, 4, 2, 3)),
    12: Multiplexed("msgrcv", (1, -1, 2, -2, 3), (1,)),
    13: Multiplexed("msgget", (1, 2)),
    14: Multiplexed("msgctl", (1, 2, 4)),
    21: Multiplexed("shmat", (1, 4, 2)),
    22: Multiplexed("shmdt", (4,)),
    23: Multiplexed("shmget", (1, 2, 3)),
    24: Multiplexed("shmctl", (1, 2, 4)),
}
CALLS: Final = {
    number | operation << CALL_SHIFT: call
    for number, calls in ((SOCKETCALL, _SOCKETCALLS), (IPC, _IPCS))
    for operation, call in calls.items()
}
"""Number -> call. The number, which no call of the kernel has, joins the called number and the operation."""
PROTOTYPES: Final = {
    "recv": "recv(int fd, void *ubuf, size_t size, unsigned int flags)",
    "send": "send(int fd, void *buff, size_t len, unsigned int flags)",
}
"""Prototypes of the calls that have no number of their own in any table."""


def kernel_number(number: int) -> int:
    """Returns the number by which the kernel was called: of a call within another, that of the other."""
    return number & (1 << CALL_SHIFT) - 1 if number in CALLS else number
