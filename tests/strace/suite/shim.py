# SPDX-License-Identifier: Apache-2.0
"""Replaces strace in its own tests: runs a command, recorded, and exits with its status.

The server (server.py), at the socket named by TRACELOOP_SUITE, makes the cgroup and writes the lines. This process
forks the command itself, so that descriptors, directory, environment and signals are those of the test.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

_ARGUMENT = "abeoOPsuUXEIS"  # strace's short options with an argument
_LONG_ARGUMENT = [
    "abbrev",
    "argv0",
    "attach",
    "columns",
    "const-print-style",
    "decode-pids",
    "detach-on",
    "env",
    "fault",
    "inject",
    "interruptible",
    "kvm",
    "output",
    "quiet",
    "raw",
    "read",
    "signal",
    "silence",
    "silent",
    "status",
    "string-limit",
    "strings-in-hex",
    "summary-columns",
    "summary-sort-by",
    "summary-syscall-overhead",
    "syscall-limit",
    "trace",
    "trace-fds",
    "trace-path",
    "user",
    "verbose",
    "write",
]


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Splits the words into strace's options, with `-e ARGUMENT` as two words and `--long=argument` as one, and the
    command.
    """
    options, n = list[str](), 0
    while n < len(words) and words[n].startswith("-") and words[n] != "-":
        word, n = words[n], n + 1
        if word == "--":
            break
        if word.startswith("--"):
            if "=" not in word and word[2:] in _LONG_ARGUMENT:
                word, n = f"{word}={words[n]}", n + 1
            options.append(word)
            continue
        for at, letter in enumerate(word[1:], 2):
            options.append(f"-{letter}")
            if letter in _ARGUMENT:
                n += not word[at:]
                options.append(word[at:] or words[n - 1])
                break
    return options, words[n:]


def main() -> int:
    """Runs the command; returns its exit status."""
    options, command = split(sys.argv[1:])
    if options[:1] in (["-V"], ["--version"]):
        print("strace -- version 6.1")
        return 0
    if "-h" in options:
        return _ask([options, "", 0])
    if not command:
        print("strace: must have PROG [ARGS] or -p PID", file=sys.stderr)
        return 1
    program = command[0] if "/" in command[0] else shutil.which(command[0])
    if program is None:
        print(f"strace: Cannot find executable '{command[0]}'", file=sys.stderr)
        return 1
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["TRACELOOP_SUITE"])
        lines = server.makefile("rw", encoding="utf-8", errors="surrogateescape")
        go = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if not child:
            _become(program, command, go[0])
        print(json.dumps([options, str(Path.cwd()), child]), file=lines, flush=True)
        cgroup = json.loads(lines.readline())
        os.write(go[1], os.fsencode(cgroup))
        while (ended := os.waitpid(-1, 0x40000000))[0] != child:  # __WALL: with CLONE_PARENT the child has siblings
            pass
        status = ended[1]
        print(json.dumps(status), file=lines, flush=True)
        said = json.loads(lines.readline())
    if said:
        print(f"strace: {said}", file=sys.stderr)
        return 1
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) not in (9, 19) else None
        os.kill(os.getpid(), os.WTERMSIG(status))
    return os.waitstatus_to_exitcode(status)


def _ask(question: list[object]) -> int:
    # Asks whether a system call exists, as strace -e NAME -h does by its status.
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.environ["TRACELOOP_SUITE"])
        lines = server.makefile("rw", encoding="utf-8", errors="surrogateescape")
        print(json.dumps(question), file=lines, flush=True)
        said = json.loads(lines.readline())
    print(said, file=sys.stderr)
    return 1 if said else 0


def _become(program: str, command: list[str], go: int) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores these two
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    environment = {name: text for name, text in os.environb.items() if name != b"TRACELOOP_SUITE"}
    try:
        cgroup = os.read(go, 4096)
        procs = os.open(cgroup + b"/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        os.write(procs, b"0")
        os.execve(program, command, environment)
    finally:
        os._exit(127)


if __name__ == "__main__":
    sys.exit(main())
