# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl answers --version, and a mistyped verb with the verbs that it resembles."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from fake_daemon import NO_DAEMON, FakeDaemon, ctl, daemon, path, serving

from traceloop_cli import main
from traceloop_cli.commands.run import request
from traceloop_proto import traceloop_pb2 as pb

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.installed


def test_the_version_is_told_without_a_daemon(ctl):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert ctl("--version") == f"traceloopctl {version}\n"
    assert ctl(*NO_DAEMON, "--version") == f"traceloopctl {version}\n"


@pytest.mark.parametrize("option", ["-H", "--hosts", "--archive", "--address"])
def test_an_option_without_its_value_takes_no_verb_for_one(ctl, option):
    assert ctl(option, status=2) == f"Option '{option}' requires an argument. See `traceloopctl --help`."


def test_a_time_that_is_no_number_is_one_line(ctl):
    message = ctl("stats", "--programs", "--seconds", "nan", status=2)
    assert message.startswith("Invalid value for '--seconds': nan is not in the range 0.1<=x<=60.")


def test_a_command_whose_name_is_not_utf_8_can_be_recorded():
    assert request(Path("/c"), None, "/bin/a\udcffb").name == "a\\udcffb"
    assert request(Path("/c"), "mine", "/bin/a\udcffb").name == "mine"


def test_an_error_of_a_file_is_not_taken_for_one_of_the_output(monkeypatch, capsys):
    def fail(**_):
        Path("/nonexistent/x").read_text()

    monkeypatch.setattr(main.cli, "main", fail)
    monkeypatch.setattr(main, "_discard_output", lambda: None)
    monkeypatch.setattr(main.signal, "signal", lambda *_: None)
    assert main.run() == 1
    assert capsys.readouterr().err == "traceloopctl: /nonexistent/x: No such file or directory\n"


def strict(text):
    def refuse(word):
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


class Odd(FakeDaemon):
    """A daemon of another's making."""

    def Stats(self, _request, _context):  # noqa: N802 - gRPC's name
        durations = pb.Durations(counts=[1], sum_s=float("nan"), longest_s=float("inf"))
        return pb.StatsReply(node="n\33[2J", hook_durations=durations)


def test_statistics_that_no_daemon_of_ours_sends_are_still_a_table_and_json(ctl, path):
    with serving(Odd(), path):
        table = dict(re.split(r" {2,}", line.strip(), maxsplit=1) for line in ctl("stats").splitlines())
        found = strict(ctl("stats", "-o", "json"))
    assert (table["node"], table["daemon started"]) == (r"n\33[2J", "-")
    assert (found["hook_durations"]["sum_s"], found["hook_durations"]["longest_s"]) == (None, None)


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
