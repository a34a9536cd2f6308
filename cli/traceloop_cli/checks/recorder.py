# SPDX-License-Identifier: Apache-2.0
"""Whether BCC compiles the recorder here, and the kernel takes it: a process of the recorder's own package tries it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

from traceloop_cli.checks.model import Machine
from traceloop_cli.findings import Finding, Level

_AREA: Final = "recorder"
_TIMEOUT_S: Final = 120
_LINES_MAX: Final = 3


def findings(machine: Machine) -> Iterator[Finding]:
    """Of a recorder that is loaded beside the daemon's, and taken out again."""
    if not machine.is_root:
        yield Finding(_AREA, Level.UNKNOWN, "whether the recorder compiles and loads: that takes root")
        return
    try:
        found = _tried()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        yield _not_loaded(str(error))
        return
    if not found["bcc"]:
        yield Finding(
            _AREA,
            Level.ERROR,
            f"{sys.executable} has no module bcc",
            "BCC compiles the recorder when the daemon starts",
            "apt-get install python3-bpfcc (Debian, Ubuntu) or dnf install python3-bcc (Fedora); PyPI's bcc is another",
        )
    elif "error" in found:
        yield _not_loaded("; ".join(str(found["error"]).strip().splitlines()[-_LINES_MAX:]))
    else:
        yield Finding(_AREA, Level.OK, f"BCC compiles it, and the kernel takes it, in {found['took_s']:.1f} s")


def _tried() -> dict[str, Any]:
    # sys.path: the daemon's package lies where this one does.
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
    why = "the next start of the daemon fails"
    remedy = "journalctl -u traceloopd says more; please report it, with this line and `uname -a`"
    return Finding(_AREA, Level.ERROR, f"the recorder cannot be loaded: {reason}", why, remedy)
