# SPDX-License-Identifier: Apache-2.0
"""Where traceloopctl starts, as ``python -m traceloop_cli`` does: it loads the rest."""

import signal


def main() -> None:
    """Run traceloopctl. Loading it takes most of a second, in which ^C ends it without a word."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as in the background of a shell
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from traceloop_cli.main import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
