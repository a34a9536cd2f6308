# SPDX-License-Identifier: Apache-2.0
"""Calls that were refused: by seccomp, or for want of a capability.

Source of the capabilities, where the kernel does not tell: capabilities(7).
"""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.rules.rule import Rule, words
from traceloop_decode.causes.story import Story

_NEEDS: Final = {
    "CAP_CHOWN": "chown fchown lchown fchownat",
    "CAP_FOWNER": "chmod fchmod fchmodat utime utimes utimensat",
    "CAP_SETUID": "setuid setreuid setresuid setfsuid",
    "CAP_SETGID": "setgid setregid setresgid setgroups setfsgid",
    "CAP_NET_RAW": "socket",
    "CAP_NET_ADMIN": "setsockopt",
    "CAP_SYS_ADMIN": "mount umount umount2 pivot_root unshare setns sethostname setdomainname swapon swapoff bpf "
    "quotactl fsopen fsmount move_mount",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_PTRACE": "ptrace process_vm_readv process_vm_writev",
    "CAP_SYS_NICE": "nice setpriority sched_setscheduler sched_setaffinity sched_setattr",
    "CAP_SYS_RESOURCE": "setrlimit prlimit64",
    "CAP_SYS_TIME": "settimeofday clock_settime adjtimex stime",
    "CAP_SYS_MODULE": "init_module finit_module delete_module",
    "CAP_SYS_BOOT": "reboot kexec_load",
    "CAP_MKNOD": "mknod mknodat",
    "CAP_IPC_LOCK": "mlock mlockall",
    "CAP_KILL": "kill tkill tgkill",
    "CAP_SYSLOG": "syslog",
    "CAP_PERFMON": "perf_event_open",
}
CAPABILITY: Final = {call: capability for capability, calls in _NEEDS.items() for call in calls.split()}
"""Call -> the capability that it needs, if it fails with EPERM."""
_OF_FILES: Final = frozenset((1, 2))  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def _by_seccomp(failure: Failure, _story: Story) -> bool:
    return failure.last.by_seccomp and failure.last.result is not None  # else SIGSYS ended it: see `endings`


def _was_refused(failure: Failure, _story: Story) -> bool:
    # Those for files are asked for wherever the owner or the mode forbids something: to have them is no remedy.
    return not set(failure.last.missed) <= _OF_FILES


RULES: Final = (
    Rule(
        "seccomp-refused",
        None,
        None,
        88,
        "The container's seccomp filter refused {who} the call {call}{of}: {error}.",
        fits=_by_seccomp,
    ),
    Rule(
        "capability-refused",
        None,
        words("EPERM EACCES"),
        78,
        "{who} may not call {call}{of}: that needs the capability {capability}, which the kernel refused.",
        fits=_was_refused,
    ),
    Rule(
        "capability-missing",
        frozenset(CAPABILITY),
        words("EPERM"),
        70,
        "{who} may not call {call}{of}: that needs the capability {capability}, or another owner.",
    ),
    Rule("not-permitted", None, words("EPERM EACCES"), 50, "{who} may not call {call}{of}: {error}."),
)
