# SPDX-License-Identifier: Apache-2.0
"""`traceloopctl engine status --restarts` fails where nobody knows what is due: packages would go else."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from traceloop_cli.commands import engine
from traceloop_cli.engines import docker
from traceloop_cli.engines.dockerd import Running
from traceloop_cli.engines.host import Host
from traceloop_cli.errors import CliError, Failed
from traceloop_cli.findings import Finding, Level

DUE = Finding("containerd", Level.WARNING, "old", remedy="systemctl restart containerd", is_due=True)
UNSURE = Finding("docker", Level.WARNING, "dockerd does not tell", remedy="x", is_unsure=True)


@pytest.mark.parametrize("unsure", [[], [UNSURE]])
def test_what_is_due_is_printed_and_what_is_unsure_fails(monkeypatch, unsure) -> None:
    monkeypatch.setattr(engine, "findings", lambda _: [DUE, *unsure])
    ended = CliRunner().invoke(engine.command, ["status", "--restarts"])
    assert ended.stdout == "systemctl restart containerd\n"
    assert isinstance(ended.exception, CliError) == bool(unsure)
    assert not unsure or "dockerd does not tell" in str(ended.exception)


def hung(*_: object) -> Running:
    raise Failed("dockerd does not tell which runtimes it has (TimeoutError())")


@pytest.mark.parametrize("asked", [hung, lambda *_: None], ids=["hung", "not there"])
@pytest.mark.parametrize("changed", [True, False])
def test_a_dockerd_that_does_not_answer_is_unsure_if_it_is_older_than_its_file(monkeypatch, asked, changed) -> None:
    files: list[Path] = []
    monkeypatch.setattr(docker.dockerd, "ask", asked)
    monkeypatch.setattr(docker, "runs", lambda _: True)
    monkeypatch.setattr(docker, "started_before", lambda _, paths: files.extend(paths) or changed)
    *_, finding = docker.Docker().findings(Host())
    assert (finding.is_unsure, finding.is_due) == (changed, False)
    assert files == [Path("/etc/docker/daemon.json"), Path("/etc/docker")]  # which tells that the file was removed


def test_who_may_not_ask_is_unsure(monkeypatch) -> None:
    def refused(*_: object) -> Running:
        raise PermissionError

    monkeypatch.setattr(docker.dockerd, "ask", refused)
    *_, finding = docker.Docker().findings(Host())
    assert finding.is_unsure
