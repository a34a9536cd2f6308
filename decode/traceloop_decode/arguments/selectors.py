# SPDX-License-Identifier: Apache-2.0
"""Selecting arguments: the argument that tells the variants of a call apart, such as fcntl's command."""

from __future__ import annotations

from typing import Final

SELECTORS: Final[dict[str, tuple[int, str]]] = {
    "arch_prctl": (0, "arch_prctl"),
    "bpf": (0, "bpf_cmd"),
    "fcntl": (1, "fcntl_cmd"),
    "fsconfig": (1, "fsconfig_cmd"),
    "futex": (1, "futex_ops"),
    "ipc": (0, "ipc_ops"),
    "io_uring_register": (1, "uring_register"),
    "ioctl": (1, "ioctls"),
    "kcmp": (2, "kcmp_type"),
    "keyctl": (0, "keyctl_ops"),
    "landlock_add_rule": (1, "landlock_rule"),
    "msgctl": (1, "msgctl_cmd"),
    "prctl": (0, "prctl_options"),
    "ptrace": (0, "ptrace_requests"),
    "reboot": (2, "reboot_cmd"),
    "seccomp": (0, "seccomp_ops"),
    "semctl": (2, "semctl_cmd"),
    "shmctl": (1, "shmctl_cmd"),
    "setsockopt": (2, "so_options"),
    "socketcall": (0, "socket_op"),
    "syslog": (0, "syslog_action"),
}
"""Call -> the index of its selecting argument, and the table of `constants` that names the argument's values."""
