# SPDX-License-Identifier: Apache-2.0
"""Loads redis, nginx, postgres and a Python service for a long time, and checks that their beginnings are still told.

    SERVERS_SECONDS=600 PYTHONPATH=tests:tests/support .venv/bin/python -m servers.run [NAME...]

Exits with 1 if a trace lacks something. README.md describes the load and the checks.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import Daemon
from servers.programs import ALL, Server

SECONDS = float(os.environ.get("SERVERS_SECONDS", "600"))
QUIET: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
FILES = ("execve", "open", "openat", "access", "bind", "connect")
"""The calls of a server's start that its trace must still tell."""
_LINE = re.compile(r'\d+ +(\w+)\((?:AT_FDCWD, )?"((?:[^"\\]|\\.)*)".* = (?:-1 (\w+)|\d+)')
_ADDRESS = re.compile(r"\d+ +(bind|connect)\(\d+, (\{.*?\}), \d+\) = (?:-1 (\w+)|\d+)")
_TOTAL = re.compile(r" *[\d.]+ +[\d.]+ +\d+ +(\d+) +(\d*) +(\w+)")

Fact = tuple[str, str, str | None]
"""A call, the file or address that it names, and its error."""


@dataclass(frozen=True)
class Told:
    """Facts that `show` tells of a trace."""

    facts: set[Fact]
    made: set[int]
    """Processes whose start is told."""
    failed: set[str]
    """Calls of which one that failed is told."""
    lines: int
    arguments: list[str]
    """The argument vectors of the programs that were executed."""


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    faults: list[str] = []
    with Daemon(config='node = "n"\n') as daemon:
        for name in names:
            for fault in _loaded(daemon, name):
                faults.append(f"{name}: {fault}")
                print(f"  MISSING {fault}", flush=True)
    print(f"{len(faults)} missing")
    return 1 if faults else 0


def _loaded(daemon: Daemon, name: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as text:
        directory = Path(text)
        directory.chmod(0o755)
        server = ALL[name](directory)
        known = _start_by_strace(server, directory / "start.strace")
        with _recorded(daemon, server, name) as pid:
            children = _children(pid)
            began = time.monotonic()
            server.load(SECONDS)
            took = time.monotonic() - began
        told = _told(daemon, f"n_{name}")
        table = daemon.ctl("show", f"n_{name}", "-c", timeout_s=600).stdout
        errors = {match[3]: int(match[2] or 0) for match in map(_TOTAL.fullmatch, table.splitlines()) if match}
        calls = sum(
            int(match[1]) for match in map(_TOTAL.fullmatch, table.splitlines()) if match and match[3] != "total"
        )
        print(
            f"{name}: {calls:,} calls in {took:.0f} s, {calls / took:,.0f}/s, and {told.lines:,} of them shown; "
            f"{len(known)} files and addresses of its start, {len(children)} processes",
            flush=True,
        )
        daemon.ctl("close", f"n_{name}")
    for fact in sorted(known - told.facts, key=str):
        yield f"{fact[0]} {fact[1]} {fact[2] or ''}"
    if not any(words == list(server.argv) for words in told.arguments):
        yield f"the execve of {server.argv}"
    for child in sorted(children - told.made):
        yield f"the start of process {child}"
    for call in sorted(errors.keys() - told.failed - {"total"}):
        # rt_sigreturn returns what the interrupted call did, so strace shows no error.
        if errors[call] and call != "rt_sigreturn":
            yield f"an error of {call}, which had {errors[call]}"


def _start_by_strace(server: Server, file: Path) -> set[Fact]:
    # What the server opens, listens on and connects to until it answers, by strace.
    words = ["strace", "-f", "-qq", "-s", "4096", "-o", str(file), "-e", f"trace={','.join(FILES)}", *server.argv]
    with subprocess.Popen(words, **QUIET) as process:
        try:
            server.wait_until_it_answers()
        finally:
            _end(process)
    found: set[Fact] = set()
    for line in file.read_text().split("--- SIGINT", 1)[0].splitlines():
        match = _LINE.match(line) or _ADDRESS.match(line)
        if match and not re.search(r"/proc/\d|PostgreSQL\.\d|pgsql_tmp", match[2]):
            found.add((match[1], match[2], match[3]))
    return found


@contextmanager
def _recorded(daemon: Daemon, server: Server, name: str) -> Iterator[int]:
    # Yields the pid of a server that is recorded and answers.
    words = [Path(sys.executable).parent / "traceloopctl", "--address", daemon.address, "run", "--name", name, "--"]
    with subprocess.Popen([*words, *server.argv], **QUIET) as process:
        try:
            server.wait_until_it_answers()
            yield _first_child(process.pid)
        finally:
            _end(process)
    daemon.wait_for_log(lambda line: f"frozen n_{name} " in line)


def _end(process: subprocess.Popen[bytes]) -> None:
    # Ends the server that a process has started and waits for.
    if process.poll() is None:
        os.kill(_first_child(process.pid), signal.SIGINT)
    process.wait()


def _first_child(pid: int) -> int:
    (child, *_) = sorted(_children(pid))
    return child


def _children(pid: int) -> set[int]:
    return {
        int(number)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for number in (task / "children").read_text().split()
    }


def _told(daemon: Daemon, trace: str) -> Told:
    facts: set[Fact] = set()
    made: set[int] = set()
    failed: set[str] = set()
    arguments: list[list[str]] = []
    lines = 0
    for line in daemon.ctl("show", trace, "-o", "jsonl", timeout_s=600).stdout.splitlines():
        event = json.loads(line)
        if event["event"] != "syscall":
            continue
        lines += 1
        name, errno = event["syscall"], event["errno"]
        if errno:
            failed.add(name)
        elif name in ("clone", "clone3", "fork", "vfork") and event["ret"]:
            made.add(event["ret"])
        if name in ("bind", "connect"):
            facts.add((name, event["args"][1]["text"], errno))
            continue
        if name == "execve":
            arguments.append([piece.get("data") for piece in event["args"][1]["list"]])
        for argument in event["args"][:2]:
            if "data" in argument:
                facts.add((name, argument["data"], errno))
                break
    return Told(facts, made, failed, lines, arguments)


if __name__ == "__main__":
    sys.exit(main())
