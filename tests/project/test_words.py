# SPDX-License-Identifier: Apache-2.0
"""Docstrings begin with a verb or their subject, not with a word that points elsewhere (CONTRIBUTING.md, Words)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "bpf", "cli", "daemon", "decode", "explain", "hook", "packaging", "proto", "ship", "tests")
FIRST_WORDS = (
    *("Of", "As", "Those", "These", "That", "It", "Its", "They", "What", "Which", "Who", "Whose", "Whether", "Where"),
    *("How", "By", "From", "Until", "With", "Without", "All", "One", "So", "This", "There", "Else", "No", "None"),
    *("Nothing", "Not", "And", "Or", "At", "For", "To", "In", "Is", "Has", "Does"),
)
_BEGINS = re.compile(rf"\s*(?:{'|'.join(FIRST_WORDS)})(?![\w-])")
# Finds strings at the beginning of a line; only files with such a string are parsed, as parsing all takes seconds.
_CANDIDATE = re.compile(rf"^[ \t]*[rR]?(?:\"\"\"|'''|[\"']){_BEGINS.pattern}", re.MULTILINE)
_GENERATED = re.compile(r"_pb2(_grpc)?\.py$")


def _sources(folder: str) -> Iterator[Path]:
    yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if not _GENERATED.search(path.name))
    if folder == "hook":  # a script, whose name has no suffix
        yield ROOT / "hook/traceloop_hook/traceloop-add-hooks"


def _docstrings(text: str) -> Iterator[tuple[int, str]]:
    # Docstrings of modules, classes and functions, and those of names, which follow the assignment.
    for node in ast.walk(ast.parse(text)):
        for child in ast.iter_child_nodes(node):
            value = child.value if isinstance(child, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield child.lineno, value.value


def _faults(path: Path) -> list[str]:
    text = path.read_text()
    if not _CANDIDATE.search(text):
        return []
    name = path.relative_to(ROOT)
    return [
        f"{name}:{line}: {found.strip().splitlines()[0]}" for line, found in _docstrings(text) if _BEGINS.match(found)
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_a_verb_or_their_subject(folder: str) -> None:
    faults = [fault for path in _sources(folder) for fault in _faults(path)]
    assert not faults, "\n".join(["these docstrings begin with a word of FIRST_WORDS:", *faults])


def test_every_folder_with_sources_is_looked_at() -> None:
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name != "build" and path.name[0] != "."]
    assert {path.name for path in folders if next(path.rglob("*.py"), None)} <= set(FOLDERS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"""Of a thing."""\n', True),
        ('"""Office hours."""\n', False),
        ('"""No-op."""\n', False),
        ('X = 1\n"""What it is."""\n', True),
        ('class A:\n    """\n    Whether it is.\n    """\n', True),
        ('def f():\n    "All of it."\n', True),
        ('async def f():\n    r"""None of it."""\n', True),
        ('text = f(\n    "Of a thing",\n    """Of another""",\n)\n', False),
    ],
)
def test_the_test_finds_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, found: bool
) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    (tmp_path / "file.py").write_text(text)
    assert bool(_faults(tmp_path / "file.py")) is found
