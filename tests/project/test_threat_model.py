# SPDX-License-Identifier: Apache-2.0
"""docs/threat-model.md: each promise names the tests that prove it, and these exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TREE = {path.name: path for path in TESTS.rglob("test_*.py")}
PAGE = (TESTS.parent / "docs/threat-model.md").read_text()
NAMED = re.findall(r"`(\w+\.py)::(\w+)`", PAGE)
PROMISES = re.findall(r"^\| (?!-|promise \|)(.*)", PAGE.split("## What is promised")[1].split("\n## ")[0], re.MULTILINE)
HELD = re.compile(r"`\w+\.py::\w+`|`make soak`")


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_tests_that_are_named_exist(file):
    there = {node.name for node in ast.parse(TREE[file].read_text()).body if isinstance(node, ast.FunctionDef)}
    assert {name for of, name in NAMED if of == file} <= there


def test_every_test_is_named_so_that_it_is_looked_for():
    assert len(re.findall(r"\btest_\w+", PAGE)) == 2 * len(NAMED)  # a file and a function each


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_has_a_test(promise):
    what, held = promise.removesuffix(" |").split(" | ")
    assert what
    assert HELD.search(held)
