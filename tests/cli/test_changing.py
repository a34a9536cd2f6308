# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl close and add: the commands that change the daemon's traces."""

from __future__ import annotations

import pytest
from fake_daemon import BUSYBOX, KILLED, ctl, daemon, path

pytestmark = pytest.mark.installed


def test_close_says_so_for_each_and_show_of_a_closed_one_fails(daemon, ctl):
    assert ctl("close", "node1_default_mypod") == "closed\n"
    assert "no trace node1_default_mypod" in ctl("show", "node1_default_mypod", status=1)
    daemon.traces = [BUSYBOX, KILLED]
    assert ctl("close", "node1_default_mypod", "node1_default_other") == "closed\nclosed\n"
    assert "no trace x" in ctl("close", "x", status=1)


def test_add_prints_the_new_id(daemon, ctl):
    assert ctl("add", "--cgroup", "/system.slice", "--name", "web") == "node1_web\n"
    assert "is recorded as x" in ctl("add", "--cgroup", "/twice", "--name", "web", status=1)
    assert ctl("add", "--unit", "cron", "--name", "web") == ctl("add", "--container", "0f1e", "--name", "web")


@pytest.mark.parametrize("words", [(), ("--name", "x"), ("--cgroup", "/a", "--unit", "b"), ("--unit", "")])
def test_add_takes_one_target(ctl, words):
    assert ctl("add", *words, status=2).startswith("Exactly one of --container, --unit and --cgroup is required.")
