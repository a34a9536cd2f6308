# SPDX-License-Identifier: Apache-2.0
"""Lines for a person to page through, as journalctl(1) has it; the environment has the same words for it::

    SYSTEMD_PAGER, PAGER    the first that is set counts; empty or cat: none. Else less, else more
    SYSTEMD_LESS, LESS      less's options: FRXMK where neither is set, which are journalctl's without S: long lines are
                            folded, for what S hides is a call's result. F: it ends at once if all fits the screen. R,
                            which lets colours through, is added where it is missing
    SYSTEMD_PAGERSECURE     whether less is kept from running commands and writing files, and others than less are not
                            run at all; where it is not set: if this was started by sudo or pkexec

A pager is run on a terminal alone. It gets each line as soon as there is one, and no more of them than it reads.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain
from pathlib import PurePath
from typing import Any, Final, TypeVar

import click

_LESS: Final = "FRXMK"
_OFF: Final = ("", "cat")
_BY_ANOTHER: Final = ("SUDO_UID", "PKEXEC_UID")
_YES: Final = ("1", "yes", "true", "on", "y", "t")  # as systemd reads it
_Command = TypeVar("_Command", bound=Callable[..., Any])


def pager_option(command: _Command) -> _Command:
    """``--no-pager``; the verb gets it as `no_pager`."""
    return click.option("--no-pager", is_flag=True, help="Print all at once, on a terminal too.")(command)


def print_lines(lines: Iterable[str], *, paged: bool) -> None:
    """Prints lines; through a pager if one is wanted, and there is one. Returns when its reader has seen enough."""
    following = iter(lines)
    candidates = _candidates() if paged and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else []
    if candidates and (first := next(following, None)) is not None:  # what is wrong is said before there is a pager
        following = chain((first,), following)
        for words in candidates:
            if _paged(words, following):
                return
    sys.stdout.writelines(f"{line}\n" for line in following)


def _candidates() -> list[list[str]]:
    # Command lines, the first that can be run is to be.
    chosen = next((os.environ[name] for name in ("SYSTEMD_PAGER", "PAGER") if name in os.environ), "less").strip()
    if chosen in _OFF:
        return []
    try:
        words = shlex.split(chosen)
    except ValueError:  # a quote that is not closed
        words = [chosen]
    found = (words, ["less"], ["more"])
    return [words for words in found if not _secure() or PurePath(words[0]).name == "less"]


def _secure() -> bool:
    said = os.environ.get("SYSTEMD_PAGERSECURE")
    return said.lower() in _YES if said is not None else any(name in os.environ for name in _BY_ANOTHER)


def _paged(words: list[str], lines: Iterable[str]) -> bool:
    # Runs a pager to its end; False if it cannot be run.
    options = os.environ.get("SYSTEMD_LESS", os.environ.get("LESS", _LESS))
    if "r" not in options.lower():
        options = f"{options} -R"
    env = os.environ | {"LESS": options} | ({"LESSSECURE": "1"} if _secure() else {})
    sys.stdout.flush()
    # ^C is for the pager, which is told as well: if it ends by that, the next line finds nobody to read it. If it does
    # not, its reader is to have the rest. An exception could come at any time, also when all is done.
    interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, env=env, text=True, encoding="ascii", bufsize=1)
    except OSError:
        signal.signal(signal.SIGINT, interrupt)
        return False
    assert process.stdin is not None
    pipe = signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # else this ends before the pager has tidied up the terminal
    try:
        with suppress(BrokenPipeError):  # a pager that is left: the reader has seen enough
            process.stdin.writelines(f"{line}\n" for line in lines)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
        signal.signal(signal.SIGPIPE, pipe)
    return True  # and ^C stays without effect: who presses it twice means the pager both times
