# SPDX-License-Identifier: Apache-2.0
"""Records the command that the shim runs, and writes the lines of `traceloopctl show -o strace` where strace would.

Each connection carries one command::

    shim: [strace's options, directory, pid of the child that waits, or 0 to ask only whether the options are known]
    server: path of the child's cgroup
    shim: wait status of the child
    server: "" once the lines are written, or the reason why they cannot be
"""

from __future__ import annotations

import json
import re
import socketserver
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import click
from recorded_cgroups import Container

from traceloop_cli.commands.show import command as show
from traceloop_cli.options import rendering
from traceloop_daemon.system.procfs import read_open_files
from traceloop_decode.events import events
from traceloop_decode.model import Event
from traceloop_decode.printers.core import READ_AT_EXIT
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text.strace import ALIGN

if TYPE_CHECKING:
    from traceloop_bpf.tracer import Tracer

# Options of strace that change nothing in which the outputs could differ
_NOTHING = frozenset(("-q", "-I", "-F", "-d", "-h", "--seccomp-bpf", "--"))
_NOTHING_LONG = re.compile(r"--(quiet|silent|silence|interruptible)(=.*)?")
_QUIET = re.compile(r"(?:--(?:quiet|silent|silence)|quiet|silent|silence|q)(?:=(.*))?")
_ARGUMENT = frozenset(("-e", "-P", "-s", "-a", "-X", "-o", "-I", "-E", "-u", "-b", "-O", "-p", "-S", "-U"))
_PASSED = frozenset(("-e", "-P", "-s", "-a", "-X"))
_NOT_OURS = re.compile(
    r"-[EuDbkipOSUwn]|--(inject|fault|env|user|argv0|stack|detach|attach|summary|instruction|syscall-number).*"
)
_PID = re.compile(r"^\d+(<[^>]*>)? +")


class Unknown(Exception):
    """An option of strace that `show` lacks."""


class Server(socketserver.UnixStreamServer):
    """A server that handles one command after the other."""

    def __init__(self, path: Path, tracer: Tracer) -> None:
        super().__init__(str(path), _Command)
        self.tracer = tracer


class _Command(socketserver.StreamRequestHandler):
    server: Server
    wbufsize = -1

    def handle(self) -> None:
        line = self.rfile.readline()
        if not line:
            return
        options, directory, child = json.loads(line)
        if not child:
            self._say(_wrong(options))
            return
        with Container(self.server.tracer, init_pid=child) as container:
            files = _open_files(child)
            self._say(str(container.path))
            json.loads(self.rfile.readline())
            if not {"-f", "--follow-forks"} & set(options):
                (container.path / "cgroup.kill").write_text("1")
            container.wait_empty()
            taken = replace(container.snapshot(), open_files=files)
        try:
            output, arguments, follow, silent = _translated(options)
            text = _shown(taken, arguments, child, follow=follow, silent=silent)
        except (Unknown, click.UsageError) as error:
            self._say(str(error.format_message() if isinstance(error, click.UsageError) else error))
            return
        if output is None:
            self._say(f"\n{text}")
            return
        Path(directory, output).write_bytes(text.encode("utf-8", "surrogateescape"))
        self._say("")

    def _say(self, value: Any) -> None:
        self.wfile.write(json.dumps(value).encode() + b"\n")
        self.wfile.flush()


def _open_files(child: int) -> Any:
    # Read before the child enters the cgroup, as the daemon does: from a directory that names only the child.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "cgroup.procs").write_text(f"{child}\n")
        return read_open_files(Path(directory))


def _wrong(options: list[str]) -> str:
    try:
        _, arguments, _, _ = _translated(options)
        rendering.Rendering(**_values(arguments)).check()
    except (Unknown, click.UsageError) as error:
        return str(error)
    return ""


def _translated(options: list[str]) -> tuple[str | None, list[str], bool, str]:
    """Returns the output file, `show`'s arguments, whether children are shown, and which ends are left out."""
    output, arguments, follow, quiet, n = None, list[str](), False, list[str](), 0
    while n < len(options):
        option, n = options[n], n + 1
        word, n = (options[n], n + 1) if option in _ARGUMENT else ("", n)
        if option == "-o":
            output = word
        elif option in ("-f", "--follow-forks"):
            follow = True
        elif _NOT_OURS.fullmatch(option):
            raise Unknown(f"option {option}")
        elif option == "-q" or _NOTHING_LONG.fullmatch(option) or (option == "-e" and _QUIET.fullmatch(word)):
            match = _QUIET.fullmatch(word or option)
            quiet.append((match and match[1]) or "q")
        elif option in _PASSED:
            arguments += [option, word]
        elif match := re.fullmatch(
            r"--(trace|signal|status|verbose|raw|read|write|decode-fds|abbrev)=(.*)", option, re.DOTALL
        ):
            arguments += ["-e", f"{match[1]}={match[2]}"]
        elif option not in _NOTHING:
            arguments.append(option)
    return output, arguments, follow, _silenced(quiet)


def _silenced(quiet: list[str]) -> str:
    # Which ends are not to be shown, as a regular expression.
    ends = {"exited": "exits?", "superseded": "thread-execve|superseded"}  # by -qq, and by -qqq
    counted = quiet.count("q")
    return "|".join(
        end
        for n, (end, words) in enumerate(ends.items())
        if counted > n + 1 or any(re.search(rf"\b({words}|all)\b", word) for word in quiet)
    )


def _values(arguments: list[str]) -> dict[str, Any]:
    context = show.make_context("show", ["-o", "strace", "--compat", "6.1", "--runtime", *arguments, "none"])
    return {name: context.params[name] for name in rendering.Rendering.__slots__ if name in context.params}


def _shown(taken: Snapshot, arguments: list[str], child: int, *, follow: bool, silent: str) -> str:
    values = _values(arguments)
    if not follow:  # the number of the thread, which is removed below, counts as columns
        values["align"] = (ALIGN if values["align"] is None else values["align"]) + len(f"{child:<5} ")

    def of_command(*given: Any) -> Iterator[Event]:
        return _of(events(*given), child, follow=follow)

    with mock.patch.object(rendering, "events", of_command):
        lines = list(rendering.Rendering(**values).lines(taken))
    lines = [line.replace(READ_AT_EXIT, "") for line in lines]  # ours only
    if values["summary_only"]:
        return "".join(f"{line}\n" for line in lines)
    return "".join(
        f"{line if follow else _PID.sub('', line, count=1)}\n"
        for line in lines
        if not (silent and re.match(rf"(\d+ +)?\+\+\+ ({silent})", line))
    )


def _of(found: Iterable[Event], child: int, *, follow: bool) -> Iterator[Event]:
    begun = False
    for event in found:
        call = getattr(event, "call", event)
        # The exit of the write with which the child entered the cgroup is not a call of the program.
        if not begun and getattr(call, "name", "") == "write":
            continue
        begun = True
        if follow or getattr(event, "tid", getattr(call, "tid", child)) == child:
            yield event
