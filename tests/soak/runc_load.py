# SPDX-License-Identifier: Apache-2.0
"""The soak's side of containers.py, outside the lab."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from lab.busybox import make_root
from lab.installed import HOOK
from lab.systemd import PROJECT, Systemd

_END_S = 120


class RuncLoad:
    """The containers' process, which runs containers once it is constructed."""

    def __init__(self, lab: Systemd, socket: str) -> None:
        root, directory = make_root(lab.shared / "root"), lab.shared / "bundles"
        directory.mkdir()
        script = Path(__file__).with_name("containers.py")
        environment = ["env", f"PYTHONPATH={PROJECT}/tests:{PROJECT}/tests/support", "PYTHONDONTWRITEBYTECODE=1"]
        self._process = lab.start(*environment, "/usr/bin/python3", script, root, directory, HOOK, socket)
        self._lock = threading.Lock()
        self._said: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def take(self) -> list[dict[str, Any]]:
        """Returns the reports since the last time."""
        with self._lock:
            said, self._said = self._said, []
        return said

    def end(self) -> list[dict[str, Any]]:
        """Waits until all have ended; returns the remaining reports."""
        _, errors = self._process.communicate(timeout=_END_S)
        self._reader.join()
        return self.take() + ([{"fault": f"containers.py: {errors}"}] if self._process.returncode else [])

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._lock:
                self._said.append(json.loads(line))
