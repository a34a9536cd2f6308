# SPDX-License-Identifier: Apache-2.0
"""Writes one file into the store by rclone, with credentials that need not permit reading or listing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from traceloop_ship.errors import ShipError

# Nothing is asked of the store: whether the object exists, what it holds, whether there is a bucket.
_WRITE_ONLY: Final = ("--no-check-dest", "--no-traverse", "--s3-no-head", "--s3-no-check-bucket")
_PATIENCE: Final = ("--contimeout=15s", "--timeout=60s", "--retries=3", "--low-level-retries=3", "--retries-sleep=2s")
_BREAKS: Final = "AWS_CA_BUNDLE"  # rclone 1.60 fails on every request if this is set
_TIME: Final = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")


def upload(source: Path, target: str, bandwidth: str) -> None:
    """Copies a file to REMOTE:KEY. Raises ShipError."""
    env = {name: value for name, value in os.environ.items() if name != _BREAKS}
    words = ("rclone", "copyto", *_WRITE_ONLY, *_PATIENCE, f"--bwlimit={bandwidth}", str(source), target)
    try:
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env=env, check=False)
    except OSError as error:
        raise ShipError(f"cannot run rclone: {error.strerror}; install it") from error
    if ended.returncode:
        lines = ended.stderr.decode("utf-8", "replace").splitlines()
        lines = [line for line in lines if _TIME.match(line)] or lines  # the last message tells most
        raise ShipError(f"rclone: {_TIME.sub('', lines[-1]).strip() if lines else ended.returncode}")
