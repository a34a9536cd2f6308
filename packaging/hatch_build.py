# SPDX-License-Identifier: Apache-2.0
"""Compiles the hook for a wheel, and sets the wheel's platform tag accordingly."""
# ruff: noqa: INP001 - hatchling loads this file by its path

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Hook(BuildHookInterface):  # type: ignore[misc]
    """The wheel's custom build hook, which pyproject.toml names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - a hatchling interface
        """Compiles the hook before hatchling collects the wheel's files. Raises CalledProcessError."""
        root = Path(self.root)
        subprocess.run([root / "hook/compile.sh", root / "build/hook/traceloop-hook"], check=True)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
