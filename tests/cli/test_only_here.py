# SPDX-License-Identifier: Apache-2.0
"""Verbs that concern the machine that they run on are refused for others, before anything is made here."""

from __future__ import annotations

import click
import pytest

from traceloop_cli.commands import run as run_verb
from traceloop_cli.errors import Denied
from traceloop_cli.main import cli
from traceloop_cli.plugin import translated

COMMAND = ("run", "--", "true")


@pytest.fixture
def made(monkeypatch):
    """Counts what `run` would make on this machine, and lets it make nothing."""
    made = []

    def mkdtemp(**_):
        made.append("a cgroup")
        raise PermissionError(1, "not in a test")

    monkeypatch.setattr(run_verb, "mkdtemp", mkdtemp)
    monkeypatch.setattr(run_verb.os, "fork", lambda: made.append("a process"))
    monkeypatch.delenv("TRACELOOP_ADDRESS", raising=False)
    return made


@pytest.mark.parametrize(
    "words",
    [
        ("-H", "alpha", *COMMAND),
        ("-H", "alpha", "-H", "beta", *COMMAND),
        ("--archive", "store:traces", *COMMAND),
        translated(COMMAND),
        translated(("--node", "b", *COMMAND)),
        ("run", "--address", "ssh:alpha", "--", "true"),
        ("run", "--address", "kube:traceloop", "--", "true"),
    ],
)
def test_run_is_refused_for_other_machines(made, words):
    with pytest.raises(click.UsageError) as refused:
        cli.main(list(words), prog_name="traceloopctl", standalone_mode=False)
    assert str(refused.value) == (
        "run concerns the machine that it runs on: run it there, `ssh HOST traceloopctl run`."
    )
    assert made == []


def test_run_is_refused_by_the_environments_address(made, monkeypatch):
    monkeypatch.setenv("TRACELOOP_ADDRESS", "ssh:alpha")
    with pytest.raises(click.UsageError, match=r"^run concerns the machine"):
        cli.main(list(COMMAND), prog_name="traceloopctl", standalone_mode=False)
    assert made == []


def test_run_is_not_refused_here(made):
    with pytest.raises(Denied, match="cannot make a cgroup"):
        cli.main(["--address", "unix:/nonexistent/socket", *COMMAND], prog_name="traceloopctl", standalone_mode=False)
    assert made == ["a cgroup"]
