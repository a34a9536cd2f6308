# SPDX-License-Identifier: Apache-2.0
"""The real daemon's metrics file: written atomically, and reported when it cannot be."""

import stat
import time

import pytest
from lab import Daemon
from prometheus import parsed
from recorded_cgroups import Cgroup
from test_daemon import inside, start, trace_of, wait_state

pytestmark = pytest.mark.kernel


def wait_for(path, before=None):
    """Waits until the file exists and differs from `before`; returns its text."""
    end = time.monotonic() + 60
    while not path.exists() or (text := path.read_text()) == before:
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.05)  # only inotify(7), which Python lacks, announces renames into a directory
    return text


def test_the_daemon_writes_the_file_again_and_again(tmp_path):
    path = tmp_path / "traceloop.prom"
    with Daemon(config=f'[metrics]\ntextfile = "{path}"\ninterval = "1s"\n') as daemon, Cgroup() as cgroup:
        text = wait_for(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        assert parsed(text)["traceloop_traces"].value("recording") == 0
        with inside(cgroup, "cat") as process:
            assert start(daemon, "measured", process.pid) == "ok\n"
            while not parsed(text)["traceloop_traces"].value("recording"):
                text = wait_for(path, text)
        trace = trace_of(daemon, "measured")
        wait_state(daemon, trace["id"], "frozen")
        events = trace_of(daemon, "measured")["events"]
        while parsed(text)["traceloop_events_total"].value() != events:
            text = wait_for(path, text)
        assert parsed(text)["traceloop_recordings_total"].value("hook") == 1
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_told_once_and_once_when_it_can(tmp_path):
    directory = tmp_path / "collector"
    path = directory / "traceloop.prom"
    with Daemon(config=f'[metrics]\ntextfile = "{path}"\ninterval = "1s"\n') as daemon:
        daemon.wait_for_log(lambda line: "metrics cannot be written" in line)
        lines = daemon.wait_for_log(lambda line: str(path) in line)
        assert "No such file or directory" in lines
        assert "docs/metrics.md" in lines
        # The daemon retries, and logs nothing more.
        assert daemon.ctl("list").returncode == 0
        directory.mkdir()
        wait_for(path)
        daemon.wait_for_log(lambda line: f"metrics are written to {path} again" in line)
        assert daemon.log.count("metrics cannot be written") == 1
        assert daemon.log.count("metrics are written") == 1
