# SPDX-License-Identifier: Apache-2.0
"""Tells probing from failing: errors that healthy programs get all the time, and mean nothing by themselves.

Three tables: errors that only say "not now" or "not of this kind"; pairs of call and error by which programs ask; and
paths that programs and libraries try although they rarely exist.
"""

from __future__ import annotations

import re
from typing import Final

from traceloop_decode.model import Call

QUIET: Final = frozenset(
    (
        *("EAGAIN", "EINTR", "EINPROGRESS", "EALREADY", "EISCONN", "ECHILD", "ENOTTY", "ESPIPE", "ENODATA", "ENXIO"),
        *("ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK", "ENOTCONN", "ENOPROTOOPT"),
        *("ENOSYS", "ESRCH", "EOPNOTSUPP", "ENODEV", "ENOTSUPP"),
    )
)
"""Errors that say: not now, not of this kind, nothing left; and codes that stay inside the kernel."""

# Call -> errors by which programs ask.
_ASKING: Final = {
    "readlink": ("EINVAL", "ENOENT"),
    "readlinkat": ("EINVAL", "ENOENT"),
    "prctl": ("EINVAL", "EPERM"),
    "ioctl": ("EINVAL", "EPERM"),
    "fcntl": ("EBADF",),
    "fstat": ("EBADF",),
    "newfstatat": ("EBADF",),
    "close": ("EBADF",),
    "mkdir": ("EEXIST",),
    "mkdirat": ("EEXIST",),
    "rmdir": ("ENOENT", "ENOTEMPTY", "EEXIST"),
    "unlink": ("ENOENT",),
    "unlinkat": ("ENOENT",),
    "epoll_ctl": ("EPERM", "EEXIST", "ENOENT"),
    "setsockopt": ("EINVAL",),
    "getxattr": ("ENOENT",),
    "lgetxattr": ("ENOENT",),
    "statx": ("EINVAL",),
    "rseq": ("EINVAL", "EPERM"),
    "set_robust_list": ("EINVAL",),
    "arch_prctl": ("EINVAL",),
    "mremap": ("EFAULT", "ENOMEM"),
    "madvise": ("EINVAL", "ENOMEM"),
    "sched_setscheduler": ("EPERM",),
    "get_mempolicy": ("EPERM",),
    "lseek": ("EINVAL",),
    "setpgid": ("EPERM", "EACCES"),
    "setsid": ("EPERM",),
    "wait4": ("EINVAL",),
    "futex": ("ETIMEDOUT", "EINVAL"),
    "rt_sigtimedwait": ("EAGAIN",),
    "clone3": ("EINVAL",),
    "vfork": ("EINVAL",),
}
STATS: Final = frozenset(
    (
        *(
            "stat",
            "lstat",
            "newfstatat",
            "fstatat64",
            "statx",
            "access",
            "faccessat",
            "faccessat2",
            "stat64",
            "lstat64",
        ),
        *("statfs", "readlink", "readlinkat"),
    )
)
"""Calls that ask about a path and use nothing."""

# Paths that libraries and programs try first. Source: programs that start healthy, as strace shows them.
_BEGINS: Final = (
    *("/proc/", "/sys/", "/dev/pts", "/dev/tty", "/dev/console", "/run/systemd/", "/etc/selinux/"),
    *("/etc/gcrypt/", "/etc/crypto-policies/", "/usr/share/locale/", "/usr/local/share/locale/", "/usr/lib/ssl/"),
    *("/usr/lib/python", "/usr/local/lib/python", "/usr/lib/locale/C."),
)
_ENDS: Final = (
    *("/etc/ld.so.preload", "/etc/ld.so.nohwcap", "/etc/ld.so.cache", "/etc/localtime", "/etc/gai.conf", "/etc/TZ"),
    *("/etc/host.conf", "/etc/nsswitch.conf", "/etc/inputrc", "/openssl.cnf", "/pyvenv.cfg", "/pybuilddir.txt"),
    *(".pyc", ".pyo", ".pth", "._pth", "/setup.cfg", "/locale-archive", "/SYS_LC_MESSAGES", "/.git", "/ENV"),
    *("/gconv-modules", "/gconv-modules.cache", "/gconv-modules.d", "/site-packages", "/dist-packages"),
    *("/node_modules", "/tls", "/haswell", "/x86_64"),
)
_CONTAINS: Final = (
    *("/nscd", "__pycache__", "/site-packages/", "/dist-packages/", "/lib-dynload", "/glibc-hwcaps/", "/haswell/"),
    *("linux-gnu/tls/", "/lib/tls/", "/x86_64/", "/LC_MESSAGES/", "/sitecustomize", "/usercustomize"),
    *("/.git/", "/node_modules/", "/terminfo/", "/__init__.", ".cpython-", ".abi3.so"),
)
_PATTERNS: Final = re.compile(r"(?:/usr)?/lib/python[\d.]+\.zip|/etc/ssl/certs/[0-9a-f]{8}\.\d+")
_NO_ROUTE: Final = frozenset(("ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL"))
_INT: Final = 0xFFFFFFFF
_LIBRARY: Final = re.compile(r"lib[^/]{1,128}\.so(?:\.\d{1,9}){0,4}")


def is_probe(call: Call, error: str, path: str) -> bool:
    """Tells whether an error is one that means nothing by itself. path: the call's, or that of its socket."""
    if error in QUIET or error in _ASKING.get(call.name, ()) or (error in _NO_ROUTE and sends_nothing(call)):
        return True
    if error not in ("ENOENT", "ENOTDIR", "EACCES", "EINVAL", "ECONNREFUSED"):
        return False
    return bool(path) and (is_tried(path) or (error == "ENOTDIR" and call.name in STATS))


def sends_nothing(call: Call) -> bool:
    """Tells whether a call connects a datagram socket: getaddrinfo(3) sorts addresses by whether that succeeds."""
    known = call.files.before.get(call.registers[0] & _INT) if call.files is not None and call.registers else None
    return call.name == "connect" and known is not None and known.socket is not None and known.socket.kind[:3] == "UDP"


def is_tried(path: str) -> bool:
    """Tells whether a path is one that programs try although it rarely exists."""
    return (
        path.startswith(_BEGINS)
        or path.endswith(_ENDS)
        or any(part in path for part in _CONTAINS)
        or _PATTERNS.fullmatch(path) is not None
    )


def is_library(path: str) -> bool:
    """Tells whether a path is a shared library's: looked for in several directories."""
    return _LIBRARY.fullmatch(path.rpartition("/")[2]) is not None
