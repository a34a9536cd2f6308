# SPDX-License-Identifier: Apache-2.0
"""Limits that were reached: of open files, processes, memory."""

from __future__ import annotations

from typing import Final

from traceloop_decode.causes.rules.rule import Rule, words
from traceloop_decode.syscalls import FORKS

RULES: Final = (
    Rule(
        "watches-used-up",
        words("inotify_add_watch"),
        words("ENOSPC"),
        90,
        "{who} may not watch more files: the limit of inotify is reached (fs.inotify.max_user_watches).",
    ),
    Rule(
        "watches-used-up",
        words("inotify_init inotify_init1"),
        words("EMFILE"),
        90,
        "{who} may not watch files: the limit of inotify instances (fs.inotify.max_user_instances), or its own of open "
        "files, is reached.",
    ),
    Rule(
        "too-many-files",
        None,
        words("EMFILE"),
        95,
        "{who} may not open more files or sockets: its limit{limit} is reached{held}.",
    ),
    Rule("too-many-files", None, words("ENFILE"), 95, "The machine has no place for more open files."),
    Rule(
        "ipc-used-up",
        words("semget shmget msgget"),
        words("ENOSPC"),
        90,
        "{who} failed in {call}: a limit of System V IPC is reached (kernel.sem, kernel.shmmni or kernel.msgmni).",
    ),
    Rule(
        "out-of-processes",
        FORKS,
        words("EAGAIN"),
        95,
        "{who} could not start a process or thread: the limit of their number is reached (pids.max or RLIMIT_NPROC).",
    ),
    Rule(
        "out-of-memory",
        FORKS | words("mmap brk mremap mlock mlockall shmget"),
        words("ENOMEM EAGAIN"),
        80,
        "{who} got no more memory: {call} failed: {error}.",
    ),
)
