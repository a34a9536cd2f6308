# SPDX-License-Identifier: Apache-2.0
"""The entry point of traceloop-explain: takes the socket that systemd passes to it, and exits when it is idle."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from typing import Final

from traceloop_explain.finding import reason_of
from traceloop_explain.serving import serve

_FIRST_FD: Final = 3  # sd_listen_fds(3)


def main() -> None:
    """Runs the command line of this process, and exits with 0 when it is idle."""
    parser = argparse.ArgumentParser(
        prog="traceloop-explain",
        description="Find why containers ended, for traceloopd. systemd starts it: traceloop-explain.socket.",
    )
    parser.add_argument("--idle", metavar="SECONDS", type=float, default=60, help="exit then. Default: %(default)s")
    options = parser.parse_args()
    logging.basicConfig(format="traceloop-explain: %(message)s", level=logging.INFO)
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("traceloop-explain: no socket was passed: start traceloop-explain.socket instead")
    with socket.socket(fileno=_FIRST_FD) as listener:
        serve(listener, reason_of, idle_s=options.idle)
