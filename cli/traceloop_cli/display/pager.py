# SPDX-License-Identifier: Apache-2.0
"""Output through a pager, controlled by the same environment variables as journalctl(1)::

    SYSTEMD_PAGER, PAGER    the first that is set names the pager; empty or cat: no pager. Neither set: less, else more
    SYSTEMD_LESS, LESS      less's options. Neither set: FRXMK, which are journalctl's except S, so that long lines are
                            wrapped: S would hide the results of calls. F: less ends at once if the output fits the
                            screen. R, which passes colours through, is added if missing
    SYSTEMD_PAGERSECURE     if true, less may neither run commands nor write files, and no other pager is run. Not set:
                            true under sudo and pkexec

The pager runs only if standard output is a terminal. It gets each line as soon as the line exists, and lines are
produced no faster than it reads them.

click.echo_via_pager supports only PAGER of these variables.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain
from typing import Any, Final, TypeVar

import click

_LESS: Final = "FRXMK"
_OFF: Final = ("", "cat")
_BY_ANOTHER: Final = ("SUDO_UID", "PKEXEC_UID")
_YES: Final = ("1", "yes", "true", "on", "y", "t")  # what systemd takes for true
_Command = TypeVar("_Command", bound=Callable[..., Any])


def pager_option(command: _Command) -> _Command:
    """Adds ``--no-pager``; the verb gets the bool `no_pager`."""
    return click.option("--no-pager", is_flag=True, help="Do not use a pager, even on a terminal.")(command)


def print_lines(lines: Iterable[str], *, paged: bool) -> None:
    """Prints lines, through a pager if `paged` and one can be run. Returns when the reader leaves the pager."""
    following = iter(lines)
    candidates = _candidates() if paged and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else []
    if (
        candidates and (first := next(following, None)) is not None
    ):  # an error in the first line appears before the pager does
        following = chain((first,), following)
        for words in candidates:
            if _paged(words, following):
                return
    sys.stdout.writelines(f"{line}\n" for line in following)


def _candidates() -> list[list[str]]:
    # Command lines in order of preference; the first that can be run is used.
    chosen = next((os.environ[name] for name in ("SYSTEMD_PAGER", "PAGER") if name in os.environ), "less").strip()
    if chosen in _OFF:
        return []
    import shlex  # noqa: PLC0415 - as subprocess below: pipes need neither

    try:
        words = shlex.split(chosen)
    except ValueError:  # an unclosed quote
        words = [chosen]
    found = (words, ["less"], ["more"])
    return [words for words in found if not _secure() or words[0].rpartition("/")[2] == "less"]


def _secure() -> bool:
    said = os.environ.get("SYSTEMD_PAGERSECURE")
    return said.lower() in _YES if said is not None else any(name in os.environ for name in _BY_ANOTHER)


def _paged(words: list[str], lines: Iterable[str]) -> bool:
    # Runs a pager until it ends; returns False if it cannot be run.
    import subprocess  # noqa: PLC0415

    options = os.environ.get("SYSTEMD_LESS", os.environ.get("LESS", _LESS))
    if "r" not in options.lower():
        options = f"{options} -R"
    env = os.environ | {"LESS": options} | ({"LESSSECURE": "1"} if _secure() else {})
    sys.stdout.flush()
    # The pager gets ^C too. If it exits, the next write fails with EPIPE; if it stays, its reader gets the rest. The
    # default handler could raise KeyboardInterrupt at any point, even after all lines are written.
    interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, env=env, text=True, encoding="ascii", bufsize=1)
    except OSError:
        signal.signal(signal.SIGINT, interrupt)
        return False
    assert process.stdin is not None
    pipe = signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # stay alive until the pager has restored the terminal
    try:
        with suppress(BrokenPipeError):  # the reader has left the pager
            process.stdin.writelines(f"{line}\n" for line in lines)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        signal.signal(signal.SIGPIPE, pipe)
    return True  # ^C stays ignored: a second one was meant for the pager too
