# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl answers --version, and a mistyped verb with the verbs that it resembles."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from fake_daemon import NO_DAEMON, ctl, daemon, path

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.installed


def test_the_version_is_told_without_a_daemon(ctl):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ctl("--version") == f"traceloopctl {version}\n"
    assert ctl(*NO_DAEMON, "--version") == f"traceloopctl {version}\n"


def test_the_packages_have_that_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(r"^Version: +(.*)$", (ROOT / "packaging/traceloop.spec").read_text(), re.MULTILINE)[1] == version
    assert (ROOT / "packaging/debian/changelog").read_text().startswith(f"traceloop ({version}) ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shwo", "x"], "No such command 'shwo' (did you mean show?). See `traceloopctl --help`."),
        (["stat"], "No such command 'stat' (did you mean stats?). See `traceloopctl --help`."),
        (["engine", "enabel"], "No such command 'enabel' (did you mean enable?). See `traceloopctl engine --help`."),
        (["xyzzy"], "No such command 'xyzzy'. See `traceloopctl --help`."),
    ],
)
def test_a_verb_that_was_mistyped(ctl, words, message):
    assert ctl(*words, status=2) == message
