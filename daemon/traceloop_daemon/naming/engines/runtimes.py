# SPDX-License-Identifier: Apache-2.0
"""The OCI runtimes themselves, for containers whose cgroups have names of no engine, and their command lines.

Seen with runc 1.1 to 1.3 and crun 1.8 to 1.28: ``runc [options] create|run [options] ID``. ``--bundle`` (``-b``) is the
bundle, else it is the working directory. With cgroupfs the runtime makes the
cgroup, and missing ones above it, by itself; so the cgroup is known by its process. With systemd (``runc-<id>.scope``
by default) it is the parent of the container's first process.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_bpf.births import Kind, Suffix
from traceloop_daemon.naming.engines.model import Engine, Form

NAMES: Final = ("runc", "crun")
_VERBS: Final = (b"create", b"run")
_WORDS_MAX_BYTES: Final = 1 << 16

RUNTIMES: Final = Engine(
    "runtime",
    forms=(
        *(Form(Kind.BEGINS, f"{name}-", Suffix.SCOPE) for name in NAMES),
        *(Form(Kind.RUNTIME, name) for name in NAMES),
    ),
    bundles=("run/crun/{id}",),  # a copy of the configuration, 0.2 ms before the cgroup
)


@dataclass(frozen=True, slots=True)
class Started:
    """The container that a runtime's process starts. bundle: a directory; empty if it could not be read."""

    container_id: str
    bundle: str


def started_by(pid: int, proc: Path = Path("/proc")) -> Started | None:
    """Reads a process's command line; returns None if it is gone or starts no container."""
    try:
        with (proc / str(pid) / "cmdline").open("rb") as file:
            words = file.read(_WORDS_MAX_BYTES).split(b"\0")[:-1]
    except OSError:  # it is gone
        return None
    cwd = directory_of(pid, proc)
    return None if cwd is None else of_words(words, cwd)


def directory_of(pid: int, proc: Path = Path("/proc")) -> Path | None:
    """Returns a process's working directory; None if the process is gone."""
    try:
        return (proc / str(pid) / "cwd").readlink()
    except OSError:
        return None


def of_words(words: Sequence[bytes], cwd: Path | None) -> Started | None:
    """Returns what a command line starts; None if it starts no container.

    cwd: the working directory, to which the bundle's path may be relative; None if it is not known.
    """
    verb = next((at for at, word in enumerate(words) if at and word in _VERBS), 0)
    if not verb or verb + 1 >= len(words):
        return None
    bundle = Path(cwd or "", os.fsdecode(_option(words[verb + 1 : -1])))
    return Started(os.fsdecode(words[-1]), os.path.normpath(bundle) if bundle.is_absolute() else "")


def parent_of(pid: int, proc: Path = Path("/proc")) -> int:
    """Returns the number of a process's parent; 0 if the process is gone."""
    try:
        stat = (proc / str(pid) / "stat").read_bytes()
    except OSError:
        return 0
    return int(stat.rpartition(b") ")[2].split()[1])  # by proc_pid_stat(5), the fourth field


def _option(words: Sequence[bytes]) -> bytes:
    for at, word in enumerate(words):
        if word in (b"--bundle", b"-b", b"-bundle"):
            return words[at + 1] if at + 1 < len(words) else b""
        for form in (b"--bundle=", b"-b=", b"-bundle="):
            if word.startswith(form):
                return word.removeprefix(form)
    return b""
