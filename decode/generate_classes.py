# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001 - a script
"""Makes ``traceloop_decode/tables/classes.py``: which calls strace's classes, as ``%file``, stand for.

Source: the behaviour of the installed strace (6.1 or later). A program calls every number of both tables, each of which
seccomp refuses, so that none does anything; strace shows those that it counts to a class. Calls that are newer than
Debian 12's strace, or of another architecture, are sorted with another (`_LIKE`). Run it with ``make tables``.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import textwrap
from pathlib import Path
from typing import Final

from traceloop_decode.syscalls import table

_OUTPUT: Final = Path(__file__).parent / "traceloop_decode/tables/classes.py"
_CLASSES: Final = (
    *("file", "process", "network", "signal", "ipc", "desc", "memory", "creds", "clock", "pure"),
    *("stat", "lstat", "fstat", "%stat", "statfs", "fstatfs", "%statfs"),
)
# What strace 6.1 does not know here -> what it is sorted with.
_LIKE: Final = {
    "cachestat": "fadvise64",
    "fchmodat2": "fchmodat",
    "map_shadow_stack": "mmap",
    "mseal": "mprotect",
    "setxattrat": "setxattr",
    "getxattrat": "getxattr",
    "listxattrat": "listxattr",
    "removexattrat": "removexattr",
    "open_tree_attr": "open_tree",
    "file_getattr": "name_to_handle_at",
    "file_setattr": "name_to_handle_at",
    # of 32-bit arm
    "recv": "recvfrom",
    "send": "sendto",
    "arm_fadvise64_64": "fadvise64",
    "arm_sync_file_range": "sync_file_range",
}
_PROBE: Final = r"""
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LAST 77 /* with this argument exit_group is let through */
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		FIELD(arch), UNLESS(AUDIT_ARCH_X86_64, 5),
		FIELD(nr), UNLESS(SYS_exit_group, 3),
		FIELD(args[0]), UNLESS(LAST, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };
	int compat = argc > 1, number;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
	syscall(SYS_sched_yield); /* here it begins; it is in no class */
	for (number = 0; number < 512; number++) {
		long result = number;

		if (!compat && number >= 335 && number < 424)
			continue; /* only uprobes' own calls, which end a program that is none of theirs */
		if (compat)
			asm volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0), "S"(0), "D"(0) : "memory");
		else
			syscall(number, 0, 0, 0, 0, 0, 0);
	}
	syscall(SYS_exit_group, LAST);
}
"""
_LAST: Final = 77
_BEGIN: Final = "sched_yield"
_NUMBER: Final = re.compile(r"^\[ *(\d+)\] (?!sched_yield|syscall_|exit_group\(77)\w+\(", re.MULTILINE)


def main() -> None:
    """Writes the file."""
    with tempfile.TemporaryDirectory() as directory:
        probe = Path(directory) / "probe"
        subprocess.run(["gcc", "-o", probe, "-x", "c", "-"], input=_PROBE, text=True, check=True)
        found = {name: _members(name, probe, Path(directory) / "shown") for name in _CLASSES}
    text = [
        "# SPDX-License-Identifier: Apache-2.0",
        '"""strace\'s classes of system calls, of both tables.',
        "",
        "Made by decode/generate_classes.py: `make tables`.",
        '"""',
        "",
        "CLASSES: dict[str, str] = {",
    ]
    for name, members in found.items():
        lines = textwrap.wrap(" ".join(sorted(members)), 110)
        text.append(f'    "{name}": """\n' + "\n".join(f"        {line}" for line in lines) + '\n    """,')
    text.append("}")
    _OUTPUT.write_text("\n".join(text) + '\n"""A class\'s name, without its ``%`` -> the names of its calls."""\n')


def _members(name: str, probe: Path, shown: Path) -> set[str]:
    members = set()
    for compat in (False, True):
        options = ["-n", "-e", f"trace=%{name},{_BEGIN}", "-o", str(shown)]
        ended = subprocess.run(["strace", *options, probe, *["compat"] * compat], check=False)
        assert ended.returncode == _LAST, f"{name}: the probe ended with {ended.returncode}"
        calls, text = table(compat), shown.read_text().partition(_BEGIN)[2]
        numbers = {int(number) for number in _NUMBER.findall(text)}
        members |= {calls[number].name for number in numbers if number in calls}
    return members | {new for new, old in _LIKE.items() if old in members}


if __name__ == "__main__":
    main()
