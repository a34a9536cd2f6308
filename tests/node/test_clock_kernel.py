# SPDX-License-Identifier: Apache-2.0
"""A clock that is stepped by days while traces are recorded and after they are archived.

No namespace has a CLOCK_REALTIME of its own (time_namespaces(7)), and all programs share the machine's: a preloaded
library shifts it for the daemon alone. gRPC's own reading of the clock bypasses the library, so traceloopctl uses the
machine's clock.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from lab import Daemon
from recorded_cgroups import Cgroup
from test_archive_daemon import archived, fails, listed, record

pytestmark = pytest.mark.kernel

DAY_S = 86_400
NS = 10**9
LIBRARY = Path(__file__).parents[1] / "chaos/clock.c"
NEAR_S = 600


class Clock:
    """The daemon's clock. wrapper: the command that runs the daemon's command line."""

    def __init__(self, directory: Path) -> None:
        self._page, library = directory / "clock", directory / "clock.so"
        self.step(0)
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, LIBRARY], check=True)
        self.wrapper = ("env", f"CHAOS_CLOCK={self._page}", f"LD_PRELOAD={library}")

    def step(self, days: float) -> None:
        """Sets the clock's offset."""
        self.offset_s = round(days * DAY_S)
        fd = os.open(self._page, os.O_RDWR | os.O_CREAT)
        os.pwrite(fd, self.offset_s.to_bytes(8, "little", signed=True), 0)
        os.close(fd)

    @property
    def now_s(self) -> float:
        """The time by this clock, in seconds since 1970."""
        return time.time() + self.offset_s

    def is_near(self, text: str) -> bool:
        """Returns whether a time in JSON's form is about now."""
        return abs(datetime.fromisoformat(text[:19] + "Z").timestamp() - self.now_s) < NEAR_S


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


def within(daemon: Daemon, *window: str) -> list[str]:
    """Returns the ids of the traces that `list` shows for a window of time."""
    return [trace["id"] for trace in json.loads(daemon.ctl("list", "-o", "json", *window).stdout)]


def test_nothing_is_lost_and_every_time_is_that_of_its_own_clock(clock: Clock, tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    with ExitStack() as stack:
        daemon = stack.enter_context(Daemon(config='node = "n"\n', state_dir=state_dir, wrapper=clock.wrapper))
        cgroup = stack.enter_context(Cgroup())
        live = daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "live").stdout.strip()
        started = listed(daemon)[live]["started"]
        assert clock.is_near(started)
        ids = []
        for days in (0, 3, -3):
            clock.step(days)
            trace_id = record(daemon, f"of-{days}", "echo", f"day {days}")
            ids.append(trace_id)
            trace = archived(daemon, trace_id)
            assert clock.is_near(trace["started"])
            assert clock.is_near(trace["ended"])
            assert f'"day {days}\\n"' in daemon.ctl("show", trace_id).stdout
            (first, *_) = daemon.ctl("show", trace_id, "-o", "jsonl").stdout.splitlines()
            assert abs(json.loads(first)["time_ns"] / NS - clock.now_s) < NEAR_S
            assert listed(daemon)[live]["started"] == started  # as the clock said at that time
            window = "-S", f"@{clock.now_s - NEAR_S:.0f}", "-U", f"@{clock.now_s + NEAR_S:.0f}"
            assert set(within(daemon, *window)) - {live} == {trace_id}
        assert ids[1] not in within(daemon, "-U", "+1d")
        rows = daemon.ctl("list").stdout.splitlines()
        for trace_id, age in zip(ids[1:], ("0s", "3d"), strict=True):  # a future time has no age yet
            (row,) = [row for row in rows if trace_id in row.split()]
            assert age in row.split()
        cgroup.run("echo", "the last word")  # by the clock, it ends before it began
        daemon.wait_for_log(lambda line: f"frozen {live} " in line)
        ended = archived(daemon, live)
        assert ended["started"] == started
        assert clock.is_near(ended["ended"])
        assert '"the last word\\n"' in daemon.ctl("show", live).stdout
        before = listed(daemon)
        assert set(before) == {live, *ids}
    with Daemon(config='node = "n"\n', state_dir=state_dir, wrapper=clock.wrapper) as daemon:
        assert listed(daemon) == before
        clock.step(15)  # two ended 18 days ago, one 15, and that of the clock ahead 12
        last = record(daemon, "last", "true")
        archived(daemon, last)
        for trace_id in (ids[0], ids[2], live):
            daemon.wait_for_log(lambda line, one=trace_id: f"dropped {one} to keep within max_age, 1209600 s" in line)
        assert set(listed(daemon)) == {ids[1], last}
        assert "is closed" in fails(daemon, "show", live)
