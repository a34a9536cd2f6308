# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl dump``: a trace as a file, to be read anywhere."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress

import click

from traceloop_cli.errors import Failed
from traceloop_cli.options.common import TRACE_ID, address_option
from traceloop_cli.sources.archive_files import STANDARD, opened
from traceloop_cli.sources.client import DEADLINE_S, recorder
from traceloop_cli.sources.file_errors import cannot_write
from traceloop_decode.archive_file import NONE, pack, read_head
from traceloop_proto.recorder_pb2 import TraceRequest

_MODE = 0o600


@click.command("dump")
@click.argument("trace", metavar="ID", type=TRACE_ID)
@click.option("--file", "path", metavar="FILE", required=True, help="Where to; -: to stdout.")
@click.option("--force", is_flag=True, help="Write over FILE if there is one.")
@address_option()
@click.pass_obj
def command(address: str, trace: str, path: str, force: bool) -> None:  # noqa: FBT001 - click calls it by keyword
    """Write a trace into a file.

    `show --file` and `info --file` read it, on any machine and without a daemon. A container that still runs is not
    stopped for this: the file holds what its ring holds now. It holds what the container read and wrote, and is made
    readable to you alone.
    """
    if path == STANDARD and sys.stdout.isatty():
        raise click.UsageError("An archive file is not for a terminal: redirect the output, or name a file.")
    if os.path.isdir(path):  # noqa: PTH112 - as it is given
        raise cannot_write(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if path != STANDARD and not force and os.path.lexists(path):
        raise Failed(f"{path} is there already: give --force to write over it")
    with recorder(address) as daemon:
        file = b"".join(chunk.data for chunk in daemon.Dump(TraceRequest(id=trace), timeout=DEADLINE_S))
    info, encoded = opened(file, f"trace {trace}")
    if read_head(file).method == NONE:  # of a live ring, which the daemon does not spend time on packing
        file = pack(info, encoded)
    if path == STANDARD:
        sys.stdout.buffer.write(file)
        sys.stdout.buffer.flush()
    else:
        _write(path, file, force=force)


def _write(path: str, file: bytes, *, force: bool) -> None:
    flag = os.O_TRUNC if force else os.O_EXCL
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flag, _MODE)
    except FileExistsError as error:
        raise Failed(f"{path} is there already: give --force to write over it") from error
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        with os.fdopen(fd, "wb") as out:
            out.write(file)
    except OSError as error:
        if not force:  # it is ours, and half a file
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108
        raise cannot_write(path, error) from error
