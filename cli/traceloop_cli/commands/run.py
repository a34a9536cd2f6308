# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl run``: runs a command in a cgroup of its own, and records it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NoReturn

import click

from traceloop_cli.errors import Denied, Failed
from traceloop_cli.options.common import TEXT, address_option
from traceloop_cli.options.hosts import only_here
from traceloop_cli.options.rendering import Rendering
from traceloop_cli.sources.addresses import control_address
from traceloop_cli.sources.archive_files import snapshot
from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_decode.mountinfo import mounts
from traceloop_decode.safe_text import encodable, printable
from traceloop_proto.traceloop_pb2 import AddRequest, TraceRequest

_PREFIX: Final = "traceloop-run-"
_NOT_FOUND: Final = 127  # as shells report it
_NOT_EXECUTABLE: Final = 126
_FOR_COMMAND: Final = (signal.SIGINT, signal.SIGQUIT)
"""Signals that a terminal sends to the command as well, which decides what they do."""
_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP)


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--name", metavar="NAME", type=TEXT, help="The trace's name, if not the command's.")
@click.option("--show", is_flag=True, help="Print the trace to stderr afterwards, as strace -f does.")
@click.option(
    "-e", "expressions", metavar="EXPR", type=TEXT, multiple=True, help="With --show: what to print, as for `show`."
)
@click.argument("words", metavar="COMMAND [ARG]...", nargs=-1, required=True, type=click.UNPROCESSED)
@address_option()
@click.pass_obj
def command(address: str, *, name: str | None, show: bool, expressions: tuple[str, ...], words: tuple[str, ...]) -> int:
    """Record a command that runs on this machine.

    Runs the command in a cgroup of its own, and exits with its status, or with 128 and the number of the signal that
    killed it. The trace remains; its id is printed to stderr. Processes that outlive the command are recorded until
    they end.
    """
    only_here("run", address)  # it may be the verb's own --address
    rendering = Rendering.only("strace", expressions)
    rendering.check()
    if expressions and not show:
        raise click.UsageError("-e selects what --show prints: give both.")
    program = shutil.which(words[0])
    if program is None:
        print(f"traceloopctl: there is no command {printable(words[0])}", file=sys.stderr)
        return _NOT_FOUND
    with (
        _own_cgroup() as cgroup,
        _waiting(program, words, cgroup) as child,  # before gRPC has threads, which a fork would bring into the trace
        connected(control_address(address)) as daemon,
    ):
        trace_id = daemon.Add(request(cgroup, name, words[0]), timeout=DEADLINE_S).id
        status = child.run()
        print(f"traceloopctl: recorded as {printable(trace_id)}", file=sys.stderr)
        if show:
            chunks = daemon.Snapshot(TraceRequest(id=trace_id), timeout=DEADLINE_S)
            lines = rendering.lines(snapshot(b"".join(chunk.data for chunk in chunks), f"trace {trace_id}"))
            for line in lines:
                print(line, file=sys.stderr)
    return status


def request(cgroup: Path, name: str | None, program: str) -> AddRequest:
    """Returns the request to record a cgroup, under a name or else the program's, which need not be UTF-8."""
    return AddRequest(cgroup=str(cgroup), name=name or encodable(Path(program).name))


@contextmanager
def _own_cgroup() -> Iterator[Path]:
    found = mounts(os.fsdecode(Path("/proc/self/mountinfo").read_bytes()))
    mount = next((one.point for one in found if one.kind == "cgroup2" and one.root == "/"), None)
    if mount is None:
        raise Failed("no cgroup2 file system is mounted: see `traceloopctl doctor`")
    try:
        cgroup = Path(mkdtemp(prefix=_PREFIX, dir=mount))
    except PermissionError as error:
        raise Denied(f"cannot make a cgroup below {mount}: {error.strerror}; run this as root") from error
    except OSError as error:
        raise Failed(f"cannot make a cgroup below {mount}: {error.strerror}") from error
    try:
        yield cgroup
    finally:
        try:
            cgroup.rmdir()
        except OSError:
            print(f"traceloopctl: processes are left in {cgroup}: it is recorded until they end", file=sys.stderr)


class _Child:
    """A process that waits until it may become the command."""

    def __init__(self, pid: int, go: int) -> None:
        self._pid, self._go = pid, go

    def run(self) -> int:
        """Runs the command to its end, and returns its status as shells report it."""
        pid, self._pid = self._pid, 0
        for number in _FOR_COMMAND:
            signal.signal(number, signal.SIG_IGN)
        for number in _FORWARDED:
            signal.signal(number, lambda number, _: os.kill(pid, number))
        os.write(self._go, b"1")
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """Lets the process end, if it has not become the command."""
        os.close(self._go)
        if self._pid:
            os.waitpid(self._pid, 0)


@contextmanager
def _waiting(program: str, words: Sequence[str], cgroup: Path) -> Iterator[_Child]:
    procs = os.open(cgroup / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    told, go = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(go)
        _become(program, words, procs, told)
    os.close(procs)
    os.close(told)
    child = _Child(pid, go)
    try:
        yield child
    finally:
        child.close()


def _become(program: str, words: Sequence[str], procs: int, told: int) -> NoReturn:
    # In the child: nothing of Python may run after it, whatever happens.
    try:
        if not os.read(told, 1):
            os._exit(0)
        for number in (*_FOR_COMMAND, *_FORWARDED, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.write(procs, b"0")
        os.execv(program, list(words))  # noqa: S606 - that is what this program is for
    except OSError as error:
        os.write(2, f"traceloopctl: cannot run {printable(program)}: {error.strerror}\n".encode())
    finally:
        os._exit(_NOT_EXECUTABLE)
