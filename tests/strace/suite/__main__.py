# SPDX-License-Identifier: Apache-2.0
"""Runs strace's own tests with the recorder in strace's place, and counts those that pass::

    PYTHONPATH=tests:tests/support .venv/bin/python -m strace.suite [--show] [--keep] [NAME...]

A core test passes under strace on this machine and prints unchanged calls: it injects nothing, attaches to nothing,
unwinds no stacks, prints no SELinux labels, and is not about strace's own command line. `build/strace-suite/said/TEST`
holds each test's output, beginning with its diff (- is expected, + is ours). passing.txt names the tests that passed
when it was written; the command exits with 1 when one of them fails. Needs root, and the sources of Debian's strace
(build.sh).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

from strace.suite import older
from strace.suite.server import Server
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer

HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build/strace-suite"
RING_SIZE = 64 << 20
ITEM_MAX = 4096  # the most that ring.item_max takes: by default paths and buffers are cut at 256 bytes
CALL_MAX = 16384
PASSING = HERE / "passing.txt"
TIMEOUT_S = 20
_SUFFIX = re.compile(r"(\.gen)?\.test$")
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "srcdir": ".",
    "STRACE_ARCH": "x86_64",
    "STRACE_NATIVE_ARCH": "x86_64",
    "SIZEOF_KERNEL_LONG_T": "8",
    "SIZEOF_LONG": "8",
    "MIPS_ABI": "",
    "TIMEOUT_DURATION": str(TIMEOUT_S),
}
# Not ours: changes that strace makes to a program, processes it attaches to, its command line, optional libraries
_OTHERS = re.compile(
    r"inject|fault|secontext|tamper|attach|detach|unwind|strace-[VktETCSiDnupf]|-k\b|-V\b|options-|qual_|looping|-ff|"
    r"interactive|delay|bexecve|strace--|legacy_syscall_info|gen_tests|ksysent|filter-unavailable|kill_child|zeroargc|"
    r"count|summary|kvm|net-yy.*netlink|status-detached|-success|first_exec_failure|redirect|filtering_.*syntax|pidns|"
    r"process_vm_.*fault|poke|net\.test|sun_path"
)


def core() -> list[str]:
    """Returns the names of the core tests, which may include tests that strace itself fails."""
    return sorted(path.name for path in tests().glob("*.test") if not _OTHERS.search(path.name))


def tests() -> Path:
    """Returns the directory of strace's tests."""
    return next(BUILD.glob("strace-*/tests"))


def run(name: str, environment: dict[str, str]) -> tuple[bool | None, str]:
    """Runs one test; returns whether it passed (None if it cannot run here), and its output."""
    try:
        ended = subprocess.run(
            ["sh", "./run.sh", f"./{name}"],
            cwd=tests(), env=_ENVIRONMENT | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=2 * TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, "no end"
    return None if ended.returncode == 77 else ended.returncode == 0, ended.stdout.decode("utf-8", "replace")


def main() -> int:
    """Runs the command; returns 1 if a named test failed or, without names, one of passing.txt."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--strace", action="store_true", help="only find which tests strace passes here")
    parser.add_argument("--show", action="store_true", help="print the output of the tests")
    parser.add_argument("--keep", action="store_true", help="write passing.txt again")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    subprocess.run([HERE / "build.sh", BUILD], check=True)
    known = BUILD / "core.txt"
    if given.strace or not known.exists():
        known.write_text("".join(f"{name}\n" for name in core() if run(name, {})[0]))
    if given.strace:
        return 0
    chosen = [one for one in known.read_text().split() if not given.names or _SUFFIX.sub("", one) in given.names]
    passed = _passed(chosen, show=given.show)
    print(f"{len(passed)} passed, {len(chosen) - len(passed)} failed of {len(chosen)} that strace passes")
    if given.keep:
        PASSING.write_text("".join(f"{name}\n" for name in passed))
    if given.names:
        return len(passed) != len(chosen)
    lost = [name for name in PASSING.read_text().split() if name not in passed and name in chosen]
    for name in lost:
        print(f"{name} passed before: see build/strace-suite/said/{name}")
    return bool(lost)


def _passed(chosen: list[str], *, show: bool) -> list[str]:
    passed, path, said_in = list[str](), BUILD / "server.sock", BUILD / "said"
    path.unlink(missing_ok=True)
    said_in.mkdir(exist_ok=True)
    older.forget(tests().parent)
    shim = f"{sys.executable} -I -S {HERE / 'shim.py'}"
    with (
        closing(Tracer.load(Plan(ring_size=RING_SIZE, item_max=ITEM_MAX, call_max=CALL_MAX, pool_size=1))) as tracer,
        Server(path, tracer) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in chosen:
            well, said = run(name, {"STRACE": shim, "TRACELOOP_SUITE": str(path)})
            passed += [name] if well else []
            print(f"{'ok  ' if well else 'FAIL'} {name}", flush=True)
            (said_in / name).write_text(said)
            if show:
                print(said)
        server.shutdown()
    return passed


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
