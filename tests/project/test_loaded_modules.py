# SPDX-License-Identifier: Apache-2.0
"""Which modules the privileged daemon loads: none that prints what programs did, whoever imports it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bpf", "decode", "proto", "daemon")
PRINTING = ("traceloop_decode.printers", "traceloop_decode.text", "traceloop_decode.values")


@pytest.mark.parametrize("module", ["traceloop_bpf.tracer", "traceloop_daemon.main"])
def test_the_daemon_loads_nothing_that_prints(module: str) -> None:
    path = os.pathsep.join(str(ROOT / folder) for folder in FOLDERS)
    run = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = run.stdout.split()
    assert {module, "traceloop_decode.layout"} <= {*loaded}
    assert not [name for name in loaded if name.startswith(PRINTING)]
