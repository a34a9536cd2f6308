# SPDX-License-Identifier: Apache-2.0
"""Checks that BCC compiles the recorder here and the kernel accepts it, in a process of the recorder's own package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from traceloop_cli.checks.model import Machine
from traceloop_cli.findings import Finding, Level

_AREA: Final = "recorder"
_TIMEOUT_S: Final = 120
_LINES_MAX: Final = 3


def findings(machine: Machine) -> Iterator[Finding]:
    """Loads a recorder beside the daemon's, removes it again, and reports the outcome."""
    if not machine.is_root:
        yield Finding(_AREA, Level.UNKNOWN, "only root can test whether the recorder compiles and loads")
        return
    try:
        found = _tried()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        yield _not_loaded(str(error))
        return
    yield from judged(found)


def judged(found: Mapping[str, Any]) -> Iterator[Finding]:
    """Reports what a recorder's trial found: the object that ``python -m traceloop_bpf.check`` prints."""
    if not found["bcc"]:
        yield Finding(
            _AREA,
            Level.ERROR,
            f"{sys.executable} has no module bcc",
            "BCC compiles the recorder when the daemon starts",
            "apt-get install python3-bpfcc (Debian, Ubuntu), dnf install python3-bcc (Fedora); PyPI's bcc is unrelated",
        )
    elif "error" in found:
        yield _not_loaded("; ".join(str(found["error"]).strip().splitlines()[-_LINES_MAX:]))
    else:
        yield Finding(_AREA, Level.OK, f"BCC compiles it and the kernel loads it, in {found['took_s']:.1f} s")
        if not found["capabilities"]:
            yield Finding(
                _AREA, Level.OK, "this kernel does not tell which capabilities are asked for: Linux 6.14 and later do"
            )
        if not found["io_uring"]:
            yield Finding(
                _AREA,
                Level.WARNING,
                "this kernel does not tell of io_uring requests",
                "files that containers open and data that they send through io_uring are not in their traces",
                "sysctl kernel.io_uring_disabled=2 turns io_uring off (Linux 6.6 and later)",
            )


def _tried() -> dict[str, Any]:
    # Passes sys.path on, since the recorder's package is installed beside this one.
    path = os.pathsep.join(filter(None, sys.path))
    ended = subprocess.run(
        [sys.executable, "-B", "-m", "traceloop_bpf.check"],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        cwd="/",
    )
    if ended.returncode:
        raise ValueError("; ".join(ended.stderr.strip().splitlines()[-_LINES_MAX:]))
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def _not_loaded(reason: str) -> Finding:
    why = "the daemon will fail at its next start"
    remedy = "journalctl -u traceloopd has the details; please report them, with this line and `uname -a`"
    return Finding(_AREA, Level.ERROR, f"the recorder cannot be loaded: {reason}", why, remedy)
