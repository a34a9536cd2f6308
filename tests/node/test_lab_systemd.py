# SPDX-License-Identifier: Apache-2.0
"""The lab's systemd itself: it boots, runs commands, and leaves nothing behind, least of all when killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lab.systemd import Systemd
from recorded_cgroups import cgroup2_mount

pytestmark = [pytest.mark.kernel, pytest.mark.systemd]

TESTS = Path(__file__).parents[1]
SLEEPER = """
from lab.systemd import Systemd
with Systemd() as lab, lab.start("sleep", "infinity") as sleeper:
    lab.run("systemd-run", "--unit=sleeper", "--quiet", "sleep", "infinity")
    print(lab.directory, lab.pid, flush=True)
    sleeper.wait()
"""


def test_units_run_and_their_journal_is_read() -> None:
    with Systemd() as lab:
        assert lab.run("systemctl", "is-system-running").stdout == "running\n"
        lab.write("/etc/systemd/system/hello.service", "[Service]\nType=oneshot\nExecStart=echo hello\n")
        lab.run("systemctl", "start", "hello.service")
        (entry,) = lab.journal("_SYSTEMD_UNIT=hello.service", "_TRANSPORT=stdout")
        assert entry["MESSAGE"] == "hello"
        assert lab.wait_for_journal("MESSAGE=hello")["__CURSOR"] == entry["__CURSOR"]
        assert lab.unit("hello.service")["Result"] == "success"
        assert lab.run("id", "--user", "--name", user="nobody").stdout == "nobody\n"
        (lab.shared / "file").write_text("of both")
        assert lab.run("cat", lab.shared / "file").stdout == "of both"
        assert lab.run("sh", "-c", "exit 3", check=False).returncode == 3
        with pytest.raises(AssertionError, match="No such file"):
            lab.run("cat", "/no/such/file")
        directory = lab.directory
    assert not Path("/etc/systemd/system/hello.service").exists()
    assert_gone(directory)


def test_nothing_outlives_a_test_that_is_killed() -> None:
    words = [sys.executable, "-c", SLEEPER]
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS}/support"}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        directory, pid = process.stdout.readline().split()
        init = os.pidfd_open(int(pid))
        process.send_signal(signal.SIGKILL)
    keepers = [keeper for keeper in Path("/proc").glob("[0-9]*") if directory in cmdline(keeper)]
    try:
        assert select.select([init], [], [], 30)[0]
        for keeper in keepers:
            wait_for_end(int(keeper.name))
    finally:
        os.close(init)
    assert_gone(Path(directory))


def cmdline(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except (OSError, ValueError):  # it ended meanwhile
        return ""


def wait_for_end(pid: int) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([pidfd], [], [], 30)[0]
    finally:
        os.close(pidfd)


def assert_gone(directory: Path) -> None:
    mount = cgroup2_mount()
    assert mount is not None
    assert not directory.exists()
    assert not (mount / directory.name).exists()
    assert str(directory) not in Path("/proc/self/mountinfo").read_text()
