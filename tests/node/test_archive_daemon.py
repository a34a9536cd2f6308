# SPDX-License-Identifier: Apache-2.0
"""The real daemon and its archive: traces of former daemons, files that were damaged, and a full disk."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from lab import Daemon
from lab.daemon import BIN
from recorded_cgroups import Cgroup

pytestmark = pytest.mark.kernel

CONFIG = 'node = "node1"\n'


@pytest.fixture
def state_dir(tmp_path):
    return tmp_path / "state"


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config=CONFIG) as daemon:
        yield daemon


def record(daemon, name, *argv):
    """Records a cgroup in which a program runs; returns the id of its trace, which is frozen."""
    with Cgroup() as cgroup:
        trace_id = daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", name).stdout.strip()
        cgroup.run(*argv)
        daemon.wait_for_log(lambda line: f"frozen {trace_id} " in line)
    return trace_id


def listed(daemon):
    return {trace["id"]: trace for trace in json.loads(daemon.ctl("list", "-o", "json").stdout)}


def archived(daemon, trace_id):
    """Waits until the daemon reports that a trace is in its file."""
    while (trace := listed(daemon)[trace_id])["state"] == "frozen":
        pass
    return trace


def fails(daemon, *words):
    ended = daemon.ctl(*words, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_the_next_daemon_lists_shows_and_closes_what_a_former_one_kept(state_dir):
    with Daemon(config=CONFIG, state_dir=state_dir) as first:
        ids = [record(first, name, "echo", name) for name in ("one", "two", "three")]
        before = [archived(first, trace_id) for trace_id in ids]
        shown = [first.ctl("show", trace_id).stdout for trace_id in ids]
        first.ctl("close", ids[2])
        first.process.kill()
        first.process.wait(30)
    (state_dir / ".new-half").write_text("of a daemon that was killed")
    with Daemon(config='node = "node2"\n', state_dir=state_dir) as second:
        assert list(listed(second).values()) == before[:2]
        assert [second.ctl("show", trace_id).stdout for trace_id in ids[:2]] == shown[:2]
        assert '"one\\n"' in shown[0]
        assert "three is closed" in fails(second, "show", ids[2])
        assert not (state_dir / ".new-half").exists()
        assert second.ctl("close", ids[0]).stdout == "closed\n"
        assert [file.name for file in state_dir.glob("*.trace")] == [f"{ids[1]}.trace"]
    with Daemon(config=CONFIG, state_dir=state_dir) as third:
        assert list(listed(third)) == ids[1:2]
        assert [record(third, name, "true") for name in ("one", "two", "three")] == [f"{one}_2" for one in ids]


def test_limits_are_applied_at_start(state_dir):
    with Daemon(config=CONFIG, state_dir=state_dir) as first:
        ids = [record(first, f"t{number}", "true") for number in range(3)]
        archived(first, ids[2])
    with Daemon(config=CONFIG + "[archive]\nmax_traces = 2\n", state_dir=state_dir) as second:
        assert list(listed(second)) == ids[1:]
        second.wait_for_log(lambda line: f"dropped {ids[0]} to keep within max_traces, 2" in line)
        assert not (state_dir / f"{ids[0]}.trace").exists()


# --- dump -----------------------------------------------------------------------------------------------------------


def test_a_dump_is_the_file_and_is_read_without_a_daemon(daemon, tmp_path):
    trace_id = record(daemon, "dumped", "echo", "hello")
    expected = archived(daemon, trace_id)
    daemon.ctl("dump", trace_id, "--file", str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == (daemon.state_dir / f"{trace_id}.trace").read_bytes()
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600
    elsewhere = ("--address", "unix:/nonexistent", "--file", str(tmp_path / "f"))
    for form in ("short", "strace", "jsonl"):
        shown = daemon.ctl("show", trace_id, "-o", form).stdout
        assert daemon.ctl("show", "-o", form, *elsewhere).stdout == shown
    info = dict(line.split(": ", 1) for line in daemon.ctl("info", *elsewhere).stdout.splitlines())
    assert {key: info[key] for key in ("id", "state", "events", "started", "ended", "cgroup")} == {
        key: str(expected[key]) for key in ("id", "state", "events", "started", "ended", "cgroup")
    }
    assert (info["kernel"], info["arch"]) == (os.uname().release, os.uname().machine)
    assert info["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_live_trace_is_dumped_as_it_is_now(daemon, tmp_path):
    with Cgroup() as cgroup, cgroup.start("sh", "-c", "read x; echo first; read x; echo second") as process:
        trace_id = daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "live").stdout.strip()
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"first\n"
        with (tmp_path / "piped").open("wb") as out:
            command = [BIN / "traceloopctl", "--address", daemon.address, "dump", trace_id, "--file", "-"]
            subprocess.run(command, stdout=out, check=True, timeout=60)
        assert listed(daemon)[trace_id]["state"] == "recording"
        process.stdin.close()
        process.wait(30)
    archived(daemon, trace_id)
    piped = (tmp_path / "piped").read_bytes()
    assert piped[12:16] == b"zlib"
    command = [BIN / "traceloopctl", "show", "--file", "-"]
    shown = subprocess.run(command, input=piped, capture_output=True, check=True, timeout=60).stdout
    assert b'"first\\n"' in shown
    assert b"second" not in shown
    info = daemon.ctl("info", "--file", str(tmp_path / "piped")).stdout
    assert f"id: {trace_id}\n" in info
    assert "ended: -\n" in info


# --- files changed by others ----------------------------------------------------------------------------------------


def cut(path):
    os.truncate(path, path.stat().st_size - 100)


def flip(path):
    file = bytearray(path.read_bytes())
    file[-100] ^= 1
    path.write_bytes(file)


@pytest.mark.parametrize(
    ("harm", "state_at_once", "state", "reason"),
    [
        (cut, "truncated", "truncated", "truncated archive: "),
        (flip, "archived", "error", "damaged archive: "),
        (Path.unlink, "missing", "missing", "is gone"),
    ],
)
def test_list_and_show_say_what_is_wrong_with_a_file(daemon, harm, state_at_once, state, reason):
    trace_id = record(daemon, f"harmed-{state}", "true")
    archived(daemon, trace_id)
    path = daemon.state_dir / f"{trace_id}.trace"
    harm(path)
    assert listed(daemon)[trace_id]["state"] == state_at_once
    said = fails(daemon, "show", trace_id)
    assert trace_id in said
    assert str(path) in said
    assert reason in said
    assert listed(daemon)[trace_id]["state"] == state
    assert f"state: {state}\n" in daemon.ctl("info", trace_id).stdout
    assert reason in fails(daemon, "dump", trace_id, "--file", "/nonexistent/directory/file")
    assert daemon.ctl("close", trace_id).stdout == "closed\n"
    assert trace_id not in listed(daemon)
    assert not path.exists()


# --- a disk that is full --------------------------------------------------------------------------------------------


@contextmanager
def on_small_disk(state_dir):
    """Runs a daemon whose state directory is a file system of 2 MiB that only it sees; yields it, and that path."""
    state_dir.mkdir()
    script = 'mount -t tmpfs -o size=2m,mode=750 none "$0" && exec "$@"'
    wrapper = ("unshare", "-m", "--propagation", "private", "sh", "-c", script, str(state_dir))
    with Daemon(config=CONFIG, state_dir=state_dir, wrapper=wrapper) as daemon:
        yield daemon, Path(f"/proc/{daemon.process.pid}/root{state_dir}")


def fill(path):
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


def test_a_full_disk_loses_nothing(state_dir):
    with on_small_disk(state_dir) as (daemon, seen):
        before = record(daemon, "before", "echo", "before")
        archived(daemon, before)
        fill(seen / "filler")
        ids = [record(daemon, f"t{number}", "echo", f"text {number}") for number in range(3)]
        daemon.wait_for_log(lambda line: "No space left on device: traces stay in memory" in line)
        assert [trace["state"] for trace in listed(daemon).values()] == ["archived", *["frozen"] * 3]
        assert [f'"text {n}\\n"' in daemon.ctl("show", one).stdout for n, one in enumerate(ids)] == [True] * 3
        assert daemon.ctl("close", ids[1]).stdout == "closed\n"
        assert not list(seen.glob(".new-*"))
        (seen / "filler").unlink()
        last = record(daemon, "last", "true")
        daemon.wait_for_log(lambda line: f"writing to {state_dir} again: " in line)
        assert {trace["state"] for trace in listed(daemon).values()} == {"archived"}
        kept = {before, ids[0], ids[2], last}
        assert set(listed(daemon)) == kept
        assert {file.name for file in seen.glob("*.trace")} == {f"{one}.trace" for one in kept}
        assert [line for line in daemon.log.splitlines() if "No space" in line or "again" in line][2:] == []


def test_what_waits_is_written_without_another_container(state_dir):
    with on_small_disk(state_dir) as (daemon, _):
        remount = ("nsenter", "-t", str(daemon.process.pid), "-m", "mount", "-o")
        subprocess.run([*remount, "remount,ro", state_dir], check=True)
        trace_id = record(daemon, "waits", "true")
        daemon.wait_for_log(lambda line: "Read-only file system: traces stay in memory" in line)
        subprocess.run([*remount, "remount,rw", state_dir], check=True)
        daemon.wait_for_log(lambda line: f"writing to {state_dir} again: up to 1 traces" in line)
        assert archived(daemon, trace_id)["state"] == "archived"


def test_on_a_read_only_disk_what_is_in_memory_is_closed_and_what_is_in_a_file_is_not(state_dir):
    with on_small_disk(state_dir) as (daemon, seen):
        remount = ("nsenter", "-t", str(daemon.process.pid), "-m", "mount", "-o")
        kept = record(daemon, "kept", "true")
        archived(daemon, kept)
        subprocess.run([*remount, "remount,ro", state_dir], check=True)
        waits = record(daemon, "waits", "true")
        daemon.wait_for_log(lambda line: "Read-only file system: traces stay in memory" in line)
        with Cgroup() as cgroup:
            live = daemon.ctl("add", "--cgroup", str(cgroup.path), "--name", "live").stdout.strip()
            assert daemon.ctl("close", live).stdout == "closed\n"
        assert daemon.ctl("close", waits).stdout == "closed\n"
        said = fails(daemon, "close", kept)
        assert f"trace {kept} is not closed: its file cannot be removed: Read-only file system: {state_dir}/" in said
        assert [trace["state"] for trace in listed(daemon).values()] == ["archived"]
        assert not list(daemon.runtime_dir.glob("waiting/*"))
        subprocess.run([*remount, "remount,rw", state_dir], check=True)
        assert daemon.ctl("close", kept).stdout == "closed\n"
        assert not listed(daemon)
        assert not list(seen.glob("*.trace"))


def test_a_state_directory_that_cannot_be_had_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    command = [BIN / "traceloopd", "--runtime-dir", tmp_path / "run", "--state-dir", tmp_path / "file" / "x"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "Not a directory; give --state-dir" in ended.stderr
