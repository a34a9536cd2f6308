# SPDX-License-Identifier: Apache-2.0
"""The entry point of traceloop-ship: ships what waits, once, and exits."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from traceloop_ship.errors import ShipError
from traceloop_ship.ledger import Ledger
from traceloop_ship.report import report
from traceloop_ship.settings import read
from traceloop_ship.shipping import Outcome, ship
from traceloop_ship.upload import upload

_log = logging.getLogger(__name__)


def main() -> None:
    """Runs the command line of this process, and exits: 0 if nothing waits, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="traceloop-ship", description="Send archived traces that were not sent yet to an object store, by rclone."
    )
    parser.add_argument("--config", metavar="FILE", type=Path, default="/etc/traceloop/ship.toml")
    parser.add_argument("--state-dir", metavar="DIR", type=Path, default="/var/lib/traceloop-ship")
    options = parser.parse_args()
    logging.basicConfig(format="traceloop-ship: %(message)s", level=logging.INFO)
    try:
        outcome = _run(options.config, options.state_dir)
    except ShipError as error:
        sys.exit(f"traceloop-ship: {error}")
    except OSError as error:
        sys.exit(f"traceloop-ship: {error.filename}: {error.strerror}")
    sys.exit(1 if outcome.error else 0)


def _run(config: Path, state_dir: Path) -> Outcome:
    settings = read(config)
    with Ledger(state_dir) as ledger:
        outcome = ship(settings, ledger, upload)
        report(state_dir, settings.textfile, outcome, time.time())
    if outcome.shipped or outcome.waiting:
        _log.info("shipped %d traces, %d bytes; %d wait", *(outcome.shipped, outcome.shipped_bytes, outcome.waiting))
    return outcome
