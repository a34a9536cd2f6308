# SPDX-License-Identifier: Apache-2.0
"""The archive on a real file system: traces stored, found again, damaged, truncated, removed; killed daemons, full
disks.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from archives import INFO, encoded_snapshot, info

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.kept_files import FileState, look_into
from traceloop_daemon.archive.retention import Limits
from traceloop_daemon.errors import ConfigError, TraceDamaged, TraceGone
from traceloop_decode.archive_file import unpack

NS = 10**9
ROOT = Path(__file__).parents[2]


@pytest.fixture
def archive(tmp_path):
    with closing(FileArchive(tmp_path)) as archive:
        yield archive


def reopened(archive):
    """Opens the same directory as the next daemon does."""
    archive.close()
    following = FileArchive(archive.directory, now_ns=lambda: INFO.ended_ns)
    following.scan()
    return following


@pytest.fixture
def recent(tmp_path):
    """An archive whose clock stands at the traces' end."""
    with closing(FileArchive(tmp_path, now_ns=lambda: INFO.ended_ns)) as archive:
        yield archive


# --- stored traces --------------------------------------------------------------------------------------------------


def test_what_is_put_is_a_whole_file_that_only_its_group_may_read(recent):
    changes = recent.put(INFO, encoded_snapshot())
    assert (changes.written, changes.gone) == ((INFO.trace_id,), ())
    (file,) = recent.directory.glob("*.trace")
    assert file.name == "node1_default_mypod.trace"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.stat().st_size == changes.size_bytes
    assert unpack(file.read_bytes()) == (INFO, encoded_snapshot())
    assert recent.get(INFO.trace_id) == encoded_snapshot()
    assert recent.read(INFO.trace_id) == file.read_bytes()
    assert recent.states() == {INFO.trace_id: FileState.WHOLE}


_PUT = """
import sys
from pathlib import Path
from archives import INFO, encoded_snapshot, info
from traceloop_daemon.archive.directory import FileArchive
archive = FileArchive(Path(sys.argv[1]), now_ns=lambda: INFO.ended_ns)
assert archive.put(INFO, encoded_snapshot()).written
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_the_file_is_on_the_disk_before_its_name_is_and_that_before_it_counts(tmp_path):
    path = os.pathsep.join(map(str, (ROOT / "tests/support", ROOT / "daemon", ROOT / "decode", ROOT / "bpf")))
    watched = ["strace", "-f", "-y", "-o", tmp_path / "calls", "-e", "trace=fsync,fdatasync,/rename"]
    subprocess.run(
        [*watched, sys.executable, "-c", _PUT, tmp_path / "state"], check=True, env={**os.environ, "PYTHONPATH": path}
    )
    calls = re.findall(r"(\w+)\((.*)\) += 0", (tmp_path / "calls").read_text())
    ours = [(name, words) for name, words in calls if f"{tmp_path}/state" in words]
    assert [name.removesuffix("at") for name, _ in ours] == ["fsync", "rename", "fsync"]
    assert "/state/.new-" in ours[0][1]
    assert f'/state/{INFO.trace_id}.trace"' in ours[1][1]
    assert ours[2][1].endswith(f"<{tmp_path}/state>")


def test_a_directory_is_made_for_the_group_alone(tmp_path):
    with closing(FileArchive(tmp_path / "a" / "b")) as archive:
        assert stat.S_IMODE(archive.directory.stat().st_mode) == 0o750


def test_the_next_daemon_finds_all_oldest_first(recent):
    infos = [info(f"t{n}", INFO.ended_ns - n) for n in range(5)]
    for one in infos:
        recent.put(one, encoded_snapshot())
    recent.close()
    with closing(FileArchive(recent.directory)) as following:
        assert [(kept.info, kept.state) for kept in following.scan()] == [
            (one, FileState.WHOLE) for one in reversed(infos)
        ]
        recent._lock_fd = os.dup(following._lock_fd)  # the fixture closes it


def test_a_clock_stepped_by_days_takes_what_is_too_old_and_nothing_else(tmp_path):
    day_ns, now_ns = 86_400 * NS, [INFO.ended_ns]
    with closing(FileArchive(tmp_path, Limits(max_age_s=14 * 86_400), now_ns=lambda: now_ns[0])) as archive:

        def ended(trace_id):
            return archive.put(info(trace_id, now_ns[0]), encoded_snapshot(), live=["live"]).gone

        archive.put(info("live", 0), encoded_snapshot(), live=["live"])
        assert ended("before") == ()
        now_ns[0] -= 3 * day_ns
        assert ended("behind") == ()
        now_ns[0] += 6 * day_ns
        assert ended("ahead") == ()
        now_ns[0] = INFO.ended_ns + 1
        assert archive.tend(["live"]).gone == ()
        now_ns[0] = INFO.ended_ns + 12 * day_ns
        assert archive.tend(["live"]).gone == (("behind", "max_age, 1209600 s"),)
        now_ns[0] = INFO.ended_ns + 400 * day_ns
        assert [trace_id for trace_id, _ in archive.tend(["live"]).gone] == ["before", "ahead"]
        assert archive.states() == {"live": FileState.WHOLE}


@pytest.mark.parametrize("trace_id", ["../../x", ".", "é" * 5000, "a\nb", "x" * 250])
def test_odd_and_long_ids_are_kept_and_found_under_their_own_names(recent, trace_id):
    recent.put(info(trace_id), encoded_snapshot())
    assert [kept.trace_id for kept in recent.scan()] == [trace_id]
    assert recent.get(trace_id) == encoded_snapshot()
    recent.delete(trace_id)
    assert recent.scan() == []
    assert recent.closed_ids() == (trace_id,)


def test_a_second_put_replaces_the_first_at_once(recent):
    recent.put(info("live", 0), encoded_snapshot(1))
    with (recent.directory / "live.trace").open("rb") as before:
        recent.put(info("live"), encoded_snapshot(2))
        assert unpack(before.read()) == (info("live", 0), encoded_snapshot(1))
    assert recent.get("live") == encoded_snapshot(2)
    (kept,) = recent.scan()
    assert kept.ended_ns == INFO.ended_ns


def test_what_was_deleted_is_gone_and_its_id_is_remembered(recent):
    recent.put(INFO, encoded_snapshot())
    recent.delete(INFO.trace_id)
    assert not (recent.directory / "node1_default_mypod.trace").exists()
    with pytest.raises(TraceGone, match=r"node1_default_mypod: its file .* is gone"):
        recent.get(INFO.trace_id)
    recent.delete("never there")
    recent.close()
    with closing(FileArchive(recent.directory)) as following:
        assert following.closed_ids() == (INFO.trace_id, "never there")
        recent._lock_fd = os.dup(following._lock_fd)


def test_a_file_that_is_removed_while_the_daemon_starts_is_passed_over(recent, monkeypatch):
    def removed_first(entry):
        if entry.name == "gone.trace":
            Path(entry.path).unlink()
        return look_into(entry)

    recent.put(INFO, encoded_snapshot())
    recent.put(info("gone"), encoded_snapshot())
    monkeypatch.setattr("traceloop_daemon.archive.directory.look_into", removed_first)
    assert [kept.trace_id for kept in recent.scan()] == [INFO.trace_id]


def test_two_daemons_do_not_share_a_directory(archive):
    with pytest.raises(ConfigError, match="another traceloopd keeps its traces in"):
        FileArchive(archive.directory)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be kept in .*/file/x: Not a directory; give --state-dir"):
        FileArchive(tmp_path / "file" / "x")


# --- files changed by others ----------------------------------------------------------------------------------------


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def cut_in_head(path):
    os.truncate(path, 20)


def empty(path):
    os.truncate(path, 0)


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"x")


def newer(path):
    path.write_bytes(path.read_bytes()[:8] + b"\7" + path.read_bytes()[9:])


def other(path):
    path.write_bytes(b"#!/bin/sh\n")


def rename(path):
    path.with_name("others.trace").replace(path)


def remove(path):
    path.unlink()


def flip(path, at=-200):
    file = bytearray(path.read_bytes())
    file[at] ^= 1
    path.write_bytes(file)


BROKEN = {
    cut: (FileState.TRUNCATED, "truncated archive: "),
    cut_in_head: (FileState.TRUNCATED, "truncated archive: cut off within its head, after 20 bytes"),
    empty: (FileState.TRUNCATED, "truncated archive: "),
    lengthen: (FileState.DAMAGED, "damaged archive: "),
    other: (FileState.TRUNCATED, "not a traceloop archive"),  # too short for its head
    remove: (FileState.MISSING, "is gone"),
}


@pytest.mark.parametrize("harm", BROKEN)
def test_harm_is_told_at_once_and_when_read(recent, harm):
    recent.put(info("whole"), encoded_snapshot())
    recent.put(INFO, encoded_snapshot())
    harm(recent.directory / "node1_default_mypod.trace")
    state, reason = BROKEN[harm]
    assert recent.state(INFO.trace_id) is state
    assert recent.states() == {"whole": FileState.WHOLE, INFO.trace_id: state}
    with pytest.raises((TraceGone, TraceDamaged), match=reason) as caught:
        recent.get(INFO.trace_id)
    assert "\n" not in str(caught.value)
    assert recent.get("whole") == encoded_snapshot()


@pytest.mark.parametrize(
    ("harm", "state"),
    [
        *((harm, FileState.TRUNCATED) for harm in (cut, cut_in_head, empty)),
        *((harm, FileState.DAMAGED) for harm in (lengthen, newer, other, rename)),
        (lambda path: flip(path, 50), FileState.DAMAGED),
    ],
)
def test_harm_is_found_at_start_and_said_in_one_line(recent, harm, state, caplog):
    recent.put(INFO, encoded_snapshot())
    recent.put(info("others"), encoded_snapshot())
    harm(recent.directory / "node1_default_mypod.trace")
    found = {kept.trace_id: kept.state for kept in recent.scan()}
    assert found.pop("others", FileState.WHOLE) is FileState.WHOLE
    assert found == {INFO.trace_id: state}
    (record,) = caplog.records
    assert "node1_default_mypod.trace: " in record.getMessage()
    assert (recent.directory / "node1_default_mypod.trace").exists()


def test_a_flipped_bit_is_found_when_read_and_remembered_until_it_is_mended(recent):
    recent.put(INFO, encoded_snapshot())
    path = recent.directory / "node1_default_mypod.trace"
    flip(path)
    assert recent.state(INFO.trace_id) is FileState.WHOLE
    with pytest.raises(TraceDamaged, match=r"^trace node1_default_mypod: .*\.trace: damaged archive: its checksum"):
        recent.get(INFO.trace_id)
    assert recent.state(INFO.trace_id) is FileState.DAMAGED
    flip(path)
    assert recent.get(INFO.trace_id) == encoded_snapshot()
    assert recent.state(INFO.trace_id) is FileState.WHOLE


def test_a_file_that_was_cut_off_when_the_daemon_started_is_whole_once_it_is_put_back(tmp_path):
    archive = FileArchive(tmp_path, now_ns=lambda: INFO.ended_ns)
    archive.put(INFO, encoded_snapshot())
    path = tmp_path / f"{INFO.trace_id}.trace"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with closing(reopened(archive)) as following:
        assert following.state(INFO.trace_id) is FileState.TRUNCATED
        path.write_bytes(whole)
        assert following.get(INFO.trace_id) == encoded_snapshot()
        assert following.state(INFO.trace_id) is FileState.WHOLE
        path.write_bytes(whole[:-1])
        assert following.state(INFO.trace_id) is FileState.TRUNCATED


def test_other_things_in_the_directory_are_left_alone(recent):
    recent.put(INFO, encoded_snapshot())
    (recent.directory / "notes").write_text("mine")
    (recent.directory / "directory.trace").mkdir()
    os.mkfifo(recent.directory / "pipe.trace")
    (recent.directory / "link.trace").symlink_to("/etc/passwd")
    assert [kept.trace_id for kept in recent.scan()] == [INFO.trace_id]
    assert len(list(recent.directory.iterdir())) == 6  # with the lock


# --- a daemon that is killed ----------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from dataclasses import replace
from archives import INFO
from traceloop_daemon.archive.directory import FileArchive
archive = FileArchive(Path(sys.argv[1]), now_ns=lambda: INFO.ended_ns)
snapshot = bytes(range(256)) * 4096
print(flush=True)
for number in range(10**9):
    archive.put(replace(INFO, trace_id=f"t{number % 7}"), snapshot + bytes([number % 256]))
"""


def test_a_killed_daemon_leaves_no_half_file(tmp_path):
    chance = random.Random(1)
    path = os.pathsep.join(map(str, (ROOT / "tests/support", ROOT / "daemon", ROOT / "decode", ROOT / "bpf")))
    seen = 0
    for _ in range(10):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as writer:
            try:
                assert writer.stdout.readline() == b"\n"
                before = _times(tmp_path)
                while _times(tmp_path) == before:
                    pass  # wait until it writes
                for _ in range(chance.randrange(20_000)):
                    pass  # at a random point
            finally:
                writer.kill()
        for file in tmp_path.glob("*.trace"):
            assert len(unpack(file.read_bytes())[1]) == (1 << 20) + 1
        with closing(FileArchive(tmp_path)) as archive:
            seen += bool(list(tmp_path.glob(".new-*")))
            assert {kept.state for kept in archive.scan()} <= {FileState.WHOLE}
            assert not list(tmp_path.glob(".new-*"))
    assert seen  # otherwise it was never killed while it wrote


def _times(directory):
    times = {}
    for file in directory.iterdir():
        with suppress(FileNotFoundError):  # a file that was renamed meanwhile
            times[file.name] = file.stat().st_mtime_ns
    return times


def test_readers_and_closers_never_see_half_a_file(recent):
    ids = [f"t{number}" for number in range(5)]
    done = threading.Event()
    seen = Counter()

    def disturb(seed):
        chance = random.Random(seed)
        while not done.is_set():
            trace_id = chance.choice(ids)
            if chance.random() < 0.3:
                recent.delete(trace_id)
            else:
                with suppress(TraceGone):
                    assert recent.get(trace_id) in (encoded_snapshot(1), encoded_snapshot(2))
                    seen["whole"] += 1
            states = set(recent.states().values())
            assert states <= {FileState.WHOLE, FileState.WAITING, FileState.MISSING}

    with ThreadPoolExecutor(3) as pool:
        disturbers = [pool.submit(disturb, seed) for seed in range(3)]
        chance = random.Random(4)
        for number in range(300):
            recent.put(info(chance.choice(ids)), encoded_snapshot(1 + number % 2))
        done.set()
        for disturber in disturbers:
            disturber.result()
    assert seen["whole"]
    assert recent.usage().waiting == 0
    there = {file.name.removesuffix(".trace") for file in recent.directory.glob("*.trace")}
    assert recent.states() == dict.fromkeys(there, FileState.WHOLE)
    assert not list(recent.directory.glob(".new-*"))


def test_a_file_that_is_replaced_by_a_shorter_one_is_not_taken_for_cut_off(recent, monkeypatch):
    recent.put(INFO, encoded_snapshot(20))
    look = recent._sizes

    def late():
        assert recent.put(INFO, os.urandom(1)).written
        return look()

    monkeypatch.setattr(recent, "_sizes", late)
    assert recent.states() == {INFO.trace_id: FileState.WHOLE}
