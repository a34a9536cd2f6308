# SPDX-License-Identifier: Apache-2.0
"""README.md: a real session gives its transcript, and its commands run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest
from command_lines import parse
from lab import Daemon, Runc
from lab.demo import Stage
from lab.installed import install
from lab.service import SERVICE
from lab.systemd import Systemd
from readme import ROOT, RUNNERS, blocks, commands, kinds, run_by, runners_of

pytestmark = pytest.mark.installed


def shape(text):
    """Replaces what differs between runs: numbers, sizes, the node's name, and the widths of columns."""
    text = re.sub(r"\d+(\.\d+)?[BKMsm]?\b", "N", re.sub(r"file-output", "file-N", text))
    text = re.sub(r"(\) += N| <unfinished \.\.\.>)$", "", text, flags=re.MULTILINE)
    return [re.sub(r" +", " ", line.strip()) for line in text.splitlines() if line.strip()]


@pytest.mark.kernel
@pytest.mark.runtime
def test_the_transcript_is_what_happens(tmp_path):
    (transcript,) = blocks("console")
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", transcript, re.MULTILINE)
    assert len(steps) == 3
    with Daemon() as daemon, Runc(tmp_path / "runc") as runc:
        stage = Stage(tmp_path, daemon, runc)
        stage.play("runc run --keep --bundle multiplication mypod")
        stage.play("runc delete mypod")
        node = json.loads(daemon.ctl("list", "-o", "json").stdout)[0]["node"]
        for command, shown in steps:
            said = stage.play(command.replace("vm_", f"{node}_"))
            # An excerpt: another call may come between a call's entry and its exit, on another CPU.
            assert {*shape(shown)} <= {*shape(said.replace(node, "vm"))}


@pytest.mark.kernel
@pytest.mark.systemd
def test_commands_run_where_it_is_installed():
    lines = run_by("lab")
    assert len(lines) >= 4
    with Systemd() as lab:
        install(lab)
        # `traceloopctl doctor` exits with 0 only if the daemon runs.
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        for line in lines:
            if line.startswith("traceloopctl"):
                parse(line)
            ended = lab.run(*shlex.split(line), check=False, timeout_s=180)
            wanting = "not installed" in ended.stderr or "is not installed" in ended.stdout
            assert ended.returncode == 0 or wanting, f"{line}: {ended.stdout}{ended.stderr}"


def test_each_command_is_run_by_one_test():
    """Each command in README has exactly one runner; the runners read their commands from README."""
    for command in commands():
        assert len(runners_of(command)) == 1, f"which test runs `{command}`? See tests/support/readme.py"
    assert all(run_by(runner) for runner in RUNNERS)
    # A test above plays the transcript.
    assert kinds() == {"sh", "console", ""}
    programs = {command.split()[0] for command in commands()}
    for block in blocks(""):
        assert not any(
            line.split()[:1] and line.split()[0] in programs - {"traceloopctl"} for line in block.splitlines()
        )


def test_targets_are_there():
    help_text = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    for line in commands():
        for target in re.findall(r"\bmake (\w+)", line):
            assert re.search(rf"make {target}\b", help_text), line
