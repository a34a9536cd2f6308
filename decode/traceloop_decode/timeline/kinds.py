# SPDX-License-Identifier: Apache-2.0
"""Kinds of calls, by which a picture colours them: few enough to be told apart at a glance.

A call has the first kind of this table that it fits::

    waiting    its purpose is to wait: for time, for another thread, process or descriptor
    network    strace's class %network; and any call whose first argument is a descriptor of a socket
    process    strace's classes %process and %creds
    memory     strace's class %memory
    files      strace's classes %file and %desc
    other      the rest: signals, clocks, identity
"""

from __future__ import annotations

from functools import cache
from typing import Final

from traceloop_decode.errnos import ERRNO, is_error
from traceloop_decode.model import Call
from traceloop_decode.tables.classes import CLASSES

KINDS: Final = ("files", "network", "process", "memory", "waiting", "other")
"""The kinds, in the order in which a legend lists them."""

_WAITING: Final = frozenset(
    (
        *("futex", "futex_time64", "futex_wait", "futex_waitv", "restart_syscall", "pause", "sched_yield"),
        *("nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "wait4", "waitid", "waitpid"),
        *("poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64"),
        *("epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_wait_old", "io_getevents", "io_pgetevents"),
        *("rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "sigsuspend", "io_uring_enter"),
        *("semop", "semtimedop", "msgrcv", "mq_timedreceive", "mq_timedreceive_time64", "flock", "timeout"),
    )
)
_CLASSES: Final = (("network", "network"), ("process", "process"), ("creds", "process"), ("memory", "memory"))
_FILES: Final = ("file", "desc")
_MEMBERS: Final = {name: frozenset(text.split()) for name, text in CLASSES.items()}
_INT: Final = 0xFFFFFFFF
# Answers rather than failures: "not yet", "no terminal", "a pipe", "interrupted, and restarted".
_ANSWERS: Final = frozenset(
    (
        *("EAGAIN", "EINPROGRESS", "EINTR", "ENOTTY", "ESPIPE"),
        *("ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK"),
    )
)
_WAITED: Final = ("ETIMEDOUT", "ECHILD")  # answers of calls that wait


def kind_of(call: Call) -> str:
    """Returns a word of KINDS. Sockets are known for calls that passed through `descriptors.follow.known`."""
    kind = _by_name(call.name)
    if kind == "files" and call.files is not None and call.registers:
        known = call.files.before.get(call.registers[0] & _INT)
        if known is not None and known.socket is not None:
            return "network"
    return kind


def error_of(call: Call) -> str:
    """Returns the name of the error that a picture marks; "" for success, and for answers such as EAGAIN."""
    if call.result is None:
        return "seccomp" if call.by_seccomp else ""
    if not is_error(call.result):
        return ""
    name = ERRNO[-call.result][0] if -call.result in ERRNO else str(-call.result)
    return "" if name in _ANSWERS or (name in _WAITED and _by_name(call.name) == "waiting") else name


@cache
def _by_name(name: str) -> str:
    if name in _WAITING:
        return "waiting"
    for members, kind in _CLASSES:
        if name in _MEMBERS[members]:
            return kind
    return "files" if any(name in _MEMBERS[members] for members in _FILES) else "other"
