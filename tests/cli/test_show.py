# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl show and info of a trace in the daemon."""

from __future__ import annotations

import json

import pytest
from fake_daemon import CALL, ctl, daemon, path

pytestmark = pytest.mark.installed


def test_show_in_every_format(daemon, ctl):
    assert ctl("show", "node1_default_mypod", "-o", "classic").splitlines()[0] == (
        CALL + r'write(fd=1, buf=7415808 "42\n", count=3) = 3'
    )
    assert ctl("show", "node1_default_mypod").splitlines() == [
        CALL + r'write(fd=1, buf="42\n", count=3) = 3',
        r"00:00.000003000 cpu#1 pid 7 [b\33c] exit_group(error_code=1) = ?",
        r"00:00.000004000 cpu#1 pid 7 [b\33c] +++ exited with 1 +++",
    ]
    assert ctl("show", "node1_default_mypod", "-o", "strace", "-e", "trace=!write").splitlines() == [
        "7     exit_group(1)                     = ?",
        "7     +++ exited with 1 +++",
    ]
    several = ("-o", "strace", "-P", "/none", "-P", "/etc/none")
    assert ctl("show", *several, "--", "node1_default_mypod") == "7     +++ exited with 1 +++\n"
    made = [json.loads(line) for line in ctl("show", "0123", "-o", "jsonl").splitlines()]
    assert [(one["event"], one["syscall"], one["ret"]) for one in made] == [
        ("syscall", "write", 3),
        ("syscall", "exit_group", None),
        ("exit", None, None),
    ]
    assert made[0]["args"][1]["data"] == "42\n"


def test_a_damaged_snapshot_is_an_error(daemon, ctl):
    daemon.snapshot = b"not a snapshot" * 100
    assert "node1_default_mypod: not a traceloop snapshot" in ctl("show", "node1_default_mypod", status=1)


def test_info_is_lines_of_keys_and_values(daemon, ctl):
    lines = ctl("info", "node1_default_o").splitlines()
    values = dict(line.split(": ", 1) for line in lines)
    assert values["id"] == "node1_default_other"
    assert values["state"] == "recording"
    assert (values["ended"], values["exit_code"], values["signal"], values["pod"]) == ("-", "-", "9", "-")
    assert (values["labels"], values["capture"], values["ring_size_bytes"]) == ("-", "-", "-")
    lines = ctl("info", "node1_default_m").splitlines()
    assert {'labels: {"app":"shop","tier":"front"}', "capture: no-payload", "ring_size_bytes: 4194304"} <= {*lines}


def test_a_file_is_not_followed(ctl):
    said = ctl("show", "--file", "x.trace", "-f", status=2)
    assert said.startswith("--follow follows a live trace of the daemon's, not a file")
