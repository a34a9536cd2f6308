# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""Errors of traceloopctl are one line each, with the exit code of their kind."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_daemon import BUSYBOX, FILE, KILLED, TIMEOUT_S, ctl, daemon, path

pytestmark = pytest.mark.installed


def documented():
    """Returns patterns of the lines that traceloopctl(1) explains."""
    page = (Path(__file__).parents[2] / "docs/man/traceloopctl.1.scd").read_text()
    section = re.search(r"^# DIAGNOSTICS$(.*?)^# ", page, re.MULTILINE | re.DOTALL)[1]
    heads = re.findall(r"^([*_].*)\n\t", section, re.MULTILINE)
    return [re.sub("_[A-Z]+_", ".+", re.escape(head).replace(r"\*", "")) for head in heads]


MISSING_HERE = {
    *("the daemon at", "uid", "cannot use", "cannot write the output", "interrupted", "trace .+ is closed"),
    *("trace .+ was closed before", "trace .+: how its container ended"),
}
"""The lines that other tests provoke: those below, test_output, test_pager, test_daemon, test_members, test_wait."""


def test_each_line_is_in_the_manual_and_each_of_the_manuals_is_real(daemon, ctl, path, tmp_path):
    (tmp_path / "text").write_text("x" * 100)
    (tmp_path / "half").write_bytes(FILE[:-1])
    (tmp_path / "damaged").write_bytes(FILE + b"x")
    (tmp_path / "newer").write_bytes(FILE[:8] + b"\3" + FILE[9:])
    said = [
        ctl("show", "nosuch", status=1),
        ctl("info", "node1_default", status=1),
        ctl("stdio", "--pod", "nosuch", status=1),
        ctl("list", "--address", "unix:/nonexistent/socket", status=3),
        ctl("show", "--file", str(tmp_path), status=1),
        *(ctl("show", "--file", str(tmp_path / name), status=1) for name in ("text", "half", "damaged", "newer")),
        ctl("dump", "node1_default_m", "--file", str(tmp_path / "text"), status=1),
        ctl("dump", "node1_default_m", "--file", str(tmp_path), status=1),
        *(ctl("list", *words, status=2) for words in (("-S", "noon"), ("-o", "xml"), ("--nope",))),
    ]
    daemon.traces = []
    said.append(ctl("show", status=1))
    lines = documented()
    for line in said:
        assert any(re.match(known, line) for known in lines), line
    unseen = [known for known in lines if not any(re.match(known, line) for line in said)]
    assert all(any(known.replace("\\", "").startswith(word) for word in MISSING_HERE) for known in unseen), unseen


@pytest.mark.parametrize("verb", ["show", "info", "close"])
def test_an_unknown_id_and_an_ambiguous_prefix(daemon, ctl, verb):
    assert ctl(verb, "nosuch", status=1) == "no trace nosuch: `traceloopctl list` shows all traces"
    message = ctl(verb, "node1_default", status=1)
    assert message == "node1_default fits 2 traces; give more of the id: node1_default_mypod, node1_default_other"
    assert daemon.traces == [BUSYBOX, KILLED]


def test_a_daemon_that_denies(daemon, ctl):
    assert ctl("add", "--cgroup", "/private", "--name", "x", status=4) == r"only root may add a cgroup\33[2J"


def test_no_socket(ctl, path):
    message = ctl("list", status=3)
    assert message.startswith(f"no daemon at {path}: No such file or directory; start it")


def test_a_socket_that_nobody_listens_on(ctl, path):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    assert ctl("list", status=3).startswith(f"no daemon at {path}: Connection refused; start it")


def test_something_else_behind_the_socket(ctl, path):
    with socket.socket(socket.AF_UNIX) as other, ThreadPoolExecutor(1) as pool:
        other.bind(str(path))
        other.listen()

        def slam():
            while True:
                try:
                    connection, _ = other.accept()
                except OSError:
                    return
                connection.close()

        pool.submit(slam)
        message = ctl("list", status=3)
        other.shutdown(socket.SHUT_RDWR)
    assert message.startswith(f"the daemon at {path} closed the connection: ")


def test_no_permission(daemon, ctl, path):
    # Root without the right to override permissions, and a socket of another user
    prefix = ()
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    path.chmod(0o600 if prefix else 0)
    message = ctl("list", status=4, prefix=prefix)
    assert message.startswith(f"cannot use {path}: Permission denied; run this as root")


def test_what_changes_goes_to_the_control_socket_beside(daemon, ctl, path):
    path.unlink()
    assert ctl("--address", f"unix://{path}", "close", BUSYBOX.id) == "closed\n"
    assert ctl("add", "--cgroup", "/a", "--name", "a") == "node1_a\n"
    control = path.with_name("control.sock")
    prefix = ()
    if os.geteuid() == 0:
        os.chown(control, 65534, 65534)
        prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
    control.chmod(0o600 if prefix else 0)
    for words in (("close", KILLED.id), ("add", "--cgroup", "/a", "--name", "a")):
        message = ctl(*words, status=4, prefix=prefix)
        assert message == f"cannot use {control}: Permission denied; run this as root"


def test_the_address_from_everywhere_and_the_last_word_wins(daemon, ctl, path):
    elsewhere = {"env": {"TRACELOOP_ADDRESS": "unix:/nonexistent/socket"}}
    assert "no daemon at /nonexistent/socket" in ctl("list", status=3, **elsewhere)
    listed = ctl("list")
    for words in (
        ("--address", f"unix:{path}"),
        (f"--address=unix://{path}", "list"),
        ("list", "--address", f"unix:{path}"),
        ("--address", "unix:/nonexistent/other", "list", "--address", f"unix:{path}"),
    ):
        assert ctl(*words, **elsewhere) == listed
    assert len(ctl("--address", f"unix:{path}", "--no-legend", **elsewhere).splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shwo", "x"], "No such command 'shwo' (did you mean show?)."),
        (["dump"], "Missing option '--file'. See `traceloopctl dump --help`."),
        (["show", "x", "-o", "xml"], "Invalid value for '-o' / '--output': 'xml' is not one of"),
        (["show", "x", "-e", "nosuch"], "-e: invalid system call 'nosuch'. See `traceloopctl show --help`."),
        (["list", "extra"], "Got unexpected extra argument (extra). See `traceloopctl list --help`."),
        (["close"], "Missing argument 'ID...'. See `traceloopctl close --help`."),
        (["--address", "tcp:1"], "'tcp:1' is not of the form unix:PATH or ssh:[USER@]HOST."),
        (["list", "--address", "unix:"], "'unix:' is not of the form unix:PATH or ssh:[USER@]HOST."),
        (["info", "a\udcff"], r"Invalid value for 'ID': 'a\udcff' is not UTF-8."),
        (["--nope"], "--nope"),
    ],
)
def test_usage_errors(ctl, words, message):
    said = ctl(*words, status=2)
    assert message in said
    assert re.search(r"See `traceloopctl .*--help`\.$", said)
    assert said.count("\n") <= 1


def test_help_needs_no_daemon(ctl):
    text = ctl("--help")
    assert all(
        re.search(rf"^  {verb} ", text, re.MULTILINE)
        for verb in ("list", "show", "info", "dump", "close", "add", "stats")
    )
    assert "traceloopctl show [OPTIONS] [ID]" in ctl("show", "-h")
    assert (
        "Usage: traceloopctl"
        in subprocess.run(
            [sys.executable, "-m", "traceloop_cli", "-h"], capture_output=True, text=True, check=True, timeout=TIMEOUT_S
        ).stdout
    )
