# SPDX-License-Identifier: Apache-2.0
"""The first module that traceloopctl and ``python -m traceloop_cli`` run; it loads the others."""

import gc
import os
import signal
import sys
from typing import NoReturn

_GARBAGE_MIN = 100_000
"""Objects between searches for garbage, of which loading modules makes none; the default makes a search in each."""


def main() -> NoReturn:
    """Runs traceloopctl. While modules are loaded, ^C ends the process silently."""
    gc.set_threshold(_GARBAGE_MIN)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background jobs ignore it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from traceloop_cli.main import run  # noqa: PLC0415

    status = run()
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(status)  # everything is written; taking all modules apart would take 5 ms


if __name__ == "__main__":
    main()
