# SPDX-License-Identifier: Apache-2.0
"""Tells why a daemon's socket cannot be used."""

from __future__ import annotations

import errno
import os.path
import socket
from contextlib import suppress
from typing import Final

from traceloop_cli.errors import CliError, Denied, Failed, Unreachable
from traceloop_cli.sources.addresses import CONTROL

_REFUSAL_S: Final = 0.2
_REFUSAL_MAX_BYTES: Final = 200


def cut_off(where: str, details: str) -> CliError:
    """Returns the error of a connection that was open. where: the daemon's socket, for the message."""
    return Unreachable(
        f"the daemon at {where} closed the connection: {details}; try again, and see `journalctl -u traceloopd`"
    )


def unavailable(path: str, details: str) -> CliError:
    """Returns the error of a socket on this machine."""
    # gRPC does not tell why it could not connect, so a plain connect finds the reason.
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)
            refusal = _refusal(probe)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.EACCES, errno.EPERM):
            who = "root" if os.path.basename(path) == CONTROL else "root or as a member of the group traceloop"  # noqa: PTH119
            return Denied(f"cannot use {path}: {reason}; run this as {who}")
        return Unreachable(
            f"no daemon at {path}: {reason}; start it (systemctl start traceloopd), "
            "or name its socket with --address unix:PATH"
        )
    if refusal:
        return Failed(refusal)
    return cut_off(path, details)


def _refusal(probe: socket.socket) -> str:
    # The daemon sends a line at once only to a client that has too many connections.
    probe.settimeout(_REFUSAL_S)
    with suppress(OSError):
        said = probe.recv(_REFUSAL_MAX_BYTES).decode("utf-8", "replace")
        if said.endswith("\n"):
            return said.rstrip("\n")
    return ""
