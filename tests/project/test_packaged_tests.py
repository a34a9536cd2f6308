# SPDX-License-Identifier: Apache-2.0
"""Tests that a package's build runs, on a machine that has Debian's libraries alone: those of others are skipped."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "packaging/unit-tests.sh").read_text()
FOLDERS = re.findall(r"tests/\w+", SCRIPT)
MODULES = {  # of debian/control's Build-Depends
    *("click", "google", "grpc", "lark", "pytest", "_pytest"),
}
OWN = {path.stem for folder in ("decode", "tests", "tests/support", *FOLDERS) for path in (ROOT / folder).iterdir()}
IMPORTED = {*sys.stdlib_module_names, *MODULES, *OWN, *(path.parent.name for path in ROOT.glob("*/*/__init__.py"))}


def foreign(path: Path) -> set[str]:
    """Returns the modules that a file imports at once without asking whether they are there."""
    found: set[str] = set()
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Expr) and "importorskip" in ast.unparse(statement):
            break
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            found.add(str(statement.module).partition(".")[0])
        elif isinstance(statement, ast.Import):
            found |= {name.name.partition(".")[0] for name in statement.names}
    return found - IMPORTED


def test_folders_are_found() -> None:
    assert len(FOLDERS) == 8


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_else_is_needed_to_collect_them(folder: str) -> None:
    faults = {path.name: modules for path in (ROOT / folder).glob("test_*.py") if (modules := foreign(path))}
    assert not faults
