# SPDX-License-Identifier: Apache-2.0
"""The places of tests: folder and markers state what a test needs, and each file's name is unique in the tree."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MIRRORS = {"bpf", "cli", "daemon", "decode", "explain", "hook", "ship"}
FILES = sorted(path for path in TESTS.rglob("test_*.py"))
KERNEL = re.compile(r"\bmark\.kernel\b")


def always_needs_the_kernel(path: Path) -> bool:
    tree = ast.parse(path.read_bytes())
    of_all = [ast.unparse(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    each = [any(KERNEL.search(ast.unparse(mark)) for mark in test.decorator_list) for test in tests]
    return any(KERNEL.search(text) for text in of_all) or all(each)


def test_each_file_is_in_a_folder_that_says_what_it_tests() -> None:
    assert {path.parent.relative_to(TESTS).as_posix() for path in FILES} == {*MIRRORS, "node", "project"}
    assert [path.name for path in TESTS.glob("*.py")] == ["conftest.py"]


def test_no_two_have_one_name() -> None:
    names = Counter(path.name for path in FILES)
    assert not [name for name, count in names.items() if count > 1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_needs_the_kernel_as_a_whole_is_in_node_and_nothing_else(path: Path) -> None:
    assert (path.parent.name == "node") == always_needs_the_kernel(path)


def test_a_packages_build_runs_all_folders_but_node() -> None:
    script = (TESTS.parent / "packaging/unit-tests.sh").read_text()
    assert set(re.findall(r"\btests/(\w+)", script)) == {*MIRRORS, "project"}
