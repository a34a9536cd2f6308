# SPDX-License-Identifier: Apache-2.0
"""The real daemon finds traces by name, and traceloopctl says which one it is if there are others."""

from __future__ import annotations

import pytest
from lab import Daemon
from recorded_cgroups import Cgroup

pytestmark = [pytest.mark.kernel, pytest.mark.installed]


def test_a_name_is_the_newest_trace_and_the_one_before_has_a_tilde():
    with Daemon(config='node = "n"\n') as daemon:
        for number in (1, 2, 3):
            with Cgroup() as cgroup:
                daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "web")
            suffix = "" if number == 1 else f"_{number}"
            daemon.wait_for_log(lambda line, trace_id=f"n_web{suffix}": f"frozen {trace_id} " in line)
        told = "web: n_web_3, the newest of 3 traces; web~1 is n_web_2\n"
        for verb in ("info", "show"):
            newest = daemon.ctl(verb, "web")
            assert newest.stderr == told
            before = daemon.ctl(verb, "web~2")
            assert (before.returncode, before.stderr) == (0, "")
        assert daemon.ctl("info").stdout.splitlines()[0] == "id: n_web_3"
        assert daemon.ctl("info", "web~2").stdout.splitlines()[0] == "id: n_web"
        assert daemon.ctl("close", "web").stderr == told
        assert daemon.ctl("info", "n_w").stdout.splitlines()[0] == "id: n_web_2"
        assert "n_web_3 is closed" in daemon.ctl("info", "n_web_3", check=False).stderr
