# SPDX-License-Identifier: Apache-2.0
"""Reads object stores by the user's own rclone: its remotes, keys and configuration."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from typing import Final

from traceloop_cli.errors import Failed

_BREAKS: Final = "AWS_CA_BUNDLE"
"""rclone 1.60 fails on every request if this is set; RCLONE_CA_CERT is its own."""
_TIME: Final = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")
_NO_DIRECTORY: Final = 3


def output(*words: str, stdin: Sequence[str] = ()) -> bytes:
    """Returns what rclone prints; nothing of a directory that does not exist. stdin: lines. Raises Failed."""
    env = {name: value for name, value in os.environ.items() if name != _BREAKS}
    try:
        ended = subprocess.run(
            ["rclone", *words],
            input="".join(f"{line}\n" for line in stdin).encode("utf-8", "surrogateescape"),
            capture_output=True,
            env=env,
            check=False,
        )
    except OSError as error:
        raise Failed(f"cannot run rclone: {error.strerror}; install it, or see its place in PATH") from error
    if ended.returncode == _NO_DIRECTORY:
        return b""
    if ended.returncode:
        raise Failed(f"rclone: {_reason(ended.stderr.decode('utf-8', 'replace')) or ended.returncode}")
    return ended.stdout


def _reason(stderr: str) -> str:
    # The last message; the earlier ones are further attempts.
    lines = [line for line in stderr.splitlines() if _TIME.match(line)] or stderr.splitlines()
    return _TIME.sub("", lines[-1]).strip() if lines else ""
