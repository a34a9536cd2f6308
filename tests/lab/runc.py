# SPDX-License-Identifier: Apache-2.0
"""Runs bundles with runc, keeps its state in a private directory, and leaves no container running.

A container outlives the process that started it. A helper process therefore waits on a pipe for the end of the `with`
block, or of this process, however it ends, and deletes all containers.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Self

from patience import PATIENCE

_REAPER = 'cat; for id in $(runc --root "$0" list --quiet); do runc --root "$0" delete --force "$id"; done'


class Runc:
    def __init__(self, state: Path) -> None:
        self.state = state

    def __enter__(self) -> Self:
        words = ["/bin/sh", "-euc", _REAPER, str(self.state)]
        self._reaper = subprocess.Popen(words, stdin=subprocess.PIPE, process_group=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._reaper.communicate(timeout=60 * PATIENCE)
        assert self._reaper.returncode == 0, f"containers may be left: runc --root {self.state} list"

    def __call__(self, *words: str | Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs a subcommand, which must succeed."""
        return subprocess.run(
            self._command(words), capture_output=True, text=True, timeout=timeout_s * PATIENCE, check=True
        )

    def run(
        self, bundle: Path, container_id: str, *, keep: bool = False, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs a container to its end and deletes it, unless told to `keep` it; the result has its exit status."""
        with self.start(bundle, container_id, keep=keep) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_s * PATIENCE)
            except BaseException:
                self("delete", "--force", container_id)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start(self, bundle: Path, container_id: str, *, keep: bool = False) -> subprocess.Popen[str]:
        """Starts a container as `run` does, with a pipe as stdin; the caller waits for it."""
        words: list[str | Path] = ["run", *(["--keep"] if keep else []), "--bundle", bundle, container_id]
        return subprocess.Popen(
            self._command(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # an interrupt from the terminal reaches only this process, which then cleans up
        )

    def containers(self) -> list[dict[str, Any]]:
        return json.loads(self("list", "--format", "json").stdout) or []

    def _command(self, words: tuple[str | Path, ...] | list[str | Path]) -> list[str | Path]:
        return ["runc", "--root", self.state, *words]
