# SPDX-License-Identifier: Apache-2.0
"""Locks that keep daemons apart cannot be taken by users who may only read."""

import os
import stat
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.errors import ConfigError
from traceloop_daemon.system import own_lock

MEMBER = 65534
HOLD = """
import fcntl, os, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
for path in sys.argv[1:]:
    try:
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("holds", os.path.basename(path))
    except PermissionError:
        pass
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def member_holds(*paths):
    """Locks those of the paths that the member can open; yields their names."""
    command = [sys.executable, "-c", HOLD, *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        held = []
        for line in process.stdout:
            if line == "ready\n":
                break
            held.append(line.split()[1])
        yield held
        process.stdin.close()


@pytest.fixture
def state_dir(tmp_path):
    base = Path(tempfile.gettempdir())
    for directory in (tmp_path, *tmp_path.parents):
        if base in directory.parents:
            directory.chmod(0o755)
    directory = tmp_path / "state"
    directory.mkdir(mode=0o750)
    os.chown(directory, -1, MEMBER)
    return directory


def test_a_member_who_locks_all_that_it_can_open_keeps_no_daemon_from_starting(state_dir):
    with closing(FileArchive(state_dir)):
        pass
    with member_holds(state_dir, *state_dir.iterdir()) as held:
        assert held == ["state"]
        with closing(FileArchive(state_dir)), pytest.raises(ConfigError, match="another traceloopd keeps its traces"):
            FileArchive(state_dir)
    with closing(FileArchive(state_dir)):
        pass


def test_a_lock_that_others_could_open_is_closed_to_them(tmp_path):
    (tmp_path / own_lock.NAME).touch(0o644)
    os.close(own_lock.lock(tmp_path))
    assert stat.S_IMODE((tmp_path / own_lock.NAME).stat().st_mode) == 0o600


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / own_lock.NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        own_lock.lock(tmp_path)


def test_one_lock_at_a_time(tmp_path):
    fd = own_lock.lock(tmp_path)
    with pytest.raises(BlockingIOError):
        own_lock.lock(tmp_path)
    os.close(fd)
    os.close(own_lock.lock(tmp_path))


def test_the_file_that_a_daemon_removes_as_it_stops_locks_nothing(tmp_path, monkeypatch):
    """Another daemon may have opened it before: a third one would make and lock a new file."""
    first = own_lock.lock(tmp_path)
    flock, locked = own_lock.fcntl.flock, []

    def stopped_meanwhile(fd, how):
        if not locked:
            (tmp_path / own_lock.NAME).unlink()
            os.close(first)
        locked.append(fd)
        flock(fd, how)

    monkeypatch.setattr(own_lock.fcntl, "flock", stopped_meanwhile)
    second = own_lock.lock(tmp_path)
    try:
        assert len(locked) == 2
        with pytest.raises(BlockingIOError):
            own_lock.lock(tmp_path)
    finally:
        os.close(second)
