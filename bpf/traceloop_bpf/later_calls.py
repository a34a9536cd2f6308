# SPDX-License-Identifier: Apache-2.0
"""Finds the running kernel's numbers of calls that the tables lack, without executing those calls.

Theory of operation. tracefs lists the name of each of the kernel's calls, with the names and C types of its arguments,
but not its number. A short-lived process (``python -m traceloop_bpf.later_calls LAST``, which reads lines of ``name
id`` from its standard input) opens a perf_event_open(2) counter on each call's exit tracepoint, and a seccomp filter
that answers all numbers after the table's last with ENOSYS. Then it makes the calls, one by one. The kernel executes
none of them, but counts the return of the call with that number: seccomp runs before a call, its exit tracepoint after
it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import subprocess
import sys
from pathlib import Path
from struct import Struct
from typing import Final

from traceloop_bpf.arch import architecture
from traceloop_decode.later_calls import lacking, params
from traceloop_decode.syscalls import Abi, Later, Syscall, abis

TRACEFS: Final = Path("/sys/kernel/tracing")
_NUMBERS: Final = 64  # how many numbers after the table's last are tried
_NAMES_MAX: Final = 256
_ENTER: Final = "sys_enter_"
_LOSS: Final = "calls that are newer than this version keep their numbers"
_TIMEOUT_S: Final = 10.0

# struct perf_event_attr up to PERF_ATTR_SIZE_VER0: type, size, config, and the rest 0
_PERF_ATTR: Final = Struct("<IIQ48x")
_PERF_TYPE_TRACEPOINT: Final = 2
_PERF_FLAG_FD_CLOEXEC: Final = 8
_COUNT_BYTES: Final = 8

# linux/filter.h, linux/seccomp.h, linux/prctl.h
_FILTER: Final = Struct("<HBBI")  # struct sock_filter: code, jt, jf, k
_PROGRAM: Final = Struct("<HxxxxxxQ")  # struct sock_fprog: len, filter
_LOAD_NR, _IF_GREATER, _RETURN = 0x20, 0x25, 0x06
_SECCOMP_RET_ERRNO, _SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2

_libc: Final = ctypes.CDLL(None, use_errno=True)


class NotNamed(Exception):
    """The kernel's newer calls could not be named and are shown by number. The message says why and what to do."""


def find(arch: str = platform.machine(), tracefs: Path = TRACEFS, known: tuple[Abi, ...] = ()) -> Later:
    """Returns the running kernel's calls after the last number of its table. Raises NotNamed.

    known: tables to use instead of those of `arch`, the one of the kernel's own ABI first.
    """
    tables = known or abis(arch)
    directory = tracefs / "events/syscalls"
    try:
        here = [entry.name for entry in directory.iterdir() if entry.name.startswith(_ENTER)]
        names = lacking((name.removeprefix(_ENTER) for name in here), tables)[:_NAMES_MAX]
        if not names:
            return {}
        ids = {name: (directory / f"sys_exit_{name}/id").read_text().strip() for name in names}
        numbers = _numbers(ids, max(tables[0].prototypes, default=0))
        return {
            number: Syscall(name, params((directory / f"{_ENTER}{name}/format").read_text()))
            for number, name in numbers.items()
        }
    except (OSError, ValueError) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        raise NotNamed(f"{_LOSS}: {why}: mount tracefs at {TRACEFS}, and let the daemon read it") from error


def _numbers(ids: dict[str, str], last: int) -> dict[int, str]:
    # ids: the ids of the tracepoints sys_exit_NAME, by name.
    path = os.pathsep.join(
        {str(Path(__file__).parents[1]), str(Path(sys.modules[Abi.__module__].__file__ or "").parents[1])}
    )
    try:
        run = subprocess.run(
            [sys.executable, "-m", "traceloop_bpf.later_calls", str(last)],
            input="".join(f"{name} {number}\n" for name, number in ids.items()),
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotNamed(f"{_LOSS}: the process that looks for them gave no answer in {_TIMEOUT_S:.0f} s") from error
    if run.returncode:
        why = run.stderr.strip().splitlines() or [f"status {run.returncode}"]
        raise NotNamed(f"{_LOSS}: {why[-1]}: let the daemon use perf_event_open(2) and seccomp(2)")
    pairs = (line.split() for line in run.stdout.splitlines())
    return {int(number): name for number, name in pairs}


def main(last: int, lines: list[str]) -> None:
    """Runs the short-lived process, which prints a line ``number name`` for each call that it found."""
    counters = {name: _counter(int(event)) for name, event in (line.split() for line in lines)}
    _refuse(last + 1, last + _NUMBERS)
    before = dict.fromkeys(counters, 0)
    found = []
    for number in range(last + 1, last + 1 + _NUMBERS):
        _libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6)
        now = {name: int.from_bytes(os.read(fd, _COUNT_BYTES), sys.byteorder) for name, fd in counters.items()}
        found += [f"{number} {name}" for name, count in now.items() if count > before[name]]
        before = now
    print("\n".join(found))


def _counter(event: int) -> int:
    # Counts a tracepoint for this thread alone.
    attr = ctypes.create_string_buffer(_PERF_ATTR.pack(_PERF_TYPE_TRACEPOINT, _PERF_ATTR.size, event), _PERF_ATTR.size)
    fd: int = _libc.syscall(architecture().perf_event_open, attr, 0, -1, -1, ctypes.c_ulong(_PERF_FLAG_FD_CLOEXEC))
    return _checked(fd, "perf_event_open")


def _refuse(first: int, last: int) -> None:
    # This thread's calls of these numbers return ENOSYS afterwards, and are not executed.
    code = b"".join(
        (
            _FILTER.pack(_LOAD_NR, 0, 0, 0),  # struct seccomp_data begins with the number
            _FILTER.pack(_IF_GREATER, 2, 0, last),
            _FILTER.pack(_IF_GREATER, 0, 1, first - 1),
            _FILTER.pack(_RETURN, 0, 0, _SECCOMP_RET_ERRNO | errno.ENOSYS),
            _FILTER.pack(_RETURN, 0, 0, _SECCOMP_RET_ALLOW),
        )
    )
    filters = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(_PROGRAM.pack(len(code) // _FILTER.size, ctypes.addressof(filters)))
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero), "PR_SET_NO_NEW_PRIVS")
    _checked(_libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), program, zero, zero), "PR_SET_SECCOMP")


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} ({what})")
    return result


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.stdin.readlines())
