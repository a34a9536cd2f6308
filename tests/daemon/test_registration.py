# SPDX-License-Identifier: Apache-2.0
"""The daemon's handling of a hook's message: parsing, cgroups, settings. Needs no kernel."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from itertools import count
from types import SimpleNamespace

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st

from traceloop_daemon.errors import ConfigError, RegistrationError
from traceloop_daemon.registering.oci import MESSAGE_MAX_BYTES, Stage, parse
from traceloop_daemon.system import cgroupfs, procfs


def listed(monkeypatch, end, entries):
    """Lets directories whose path has this end list `entries`, and returns these."""
    scandir = os.scandir
    monkeypatch.setattr(
        procfs.os, "scandir", lambda path: nullcontext(entries) if str(path).endswith(end) else scandir(path)
    )
    return entries


def message(stage="start", **state):
    return stage.encode() + b"\n" + json.dumps({"id": "c1", "pid": 7, **state}).encode()


def test_a_message_is_parsed():
    hook = parse(b'start\n{\n "id": "c1",\n "pid": 7,\n "bundle": "/b", "annotations": {"a": "b"}}\n')
    assert (hook.stage, hook.container_id, hook.pid, hook.bundle) == (Stage.START, "c1", 7, "/b")
    assert hook.annotations == {"a": "b"}


def test_at_stop_there_is_no_pid_with_runc_and_zero_with_crun():
    assert parse(b'stop\n{"id": "c1"}').pid == 0
    assert parse(message("stop", pid=0, annotations=None)).annotations == {}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "stage ''"),
        (b"start\n", "no OCI state"),
        (b"start\n \n", "no OCI state"),
        (b'start\n{"id": "c1", "pi', "not JSON"),
        (b"start\n" + b"[" * 100_000, "not JSON"),
        (b"start\n\xff\xfe\x00", "not JSON"),
        (b"start\n[]", "not a JSON object"),
        (b'start\n{"pid": 7}', "without an id"),
        (b'start\n{"id": "a\\nb", "pid": 7}', "without an id"),
        (b'start\n{"id": "c1"}', "pid None"),
        (b'start\n{"id": "c1", "pid": "7"}', "pid '7'"),
        (b'start\n{"id": "c1", "pid": true}', "pid True"),
        (b'start\n{"id": "c1", "pid": -1}', "pid -1"),
        (b'start\n{"id": "c1", "pid": 7, "annotations": []}', None),
        (b'start\n{"id": "c1", "pid": 7, "annotations": "x"}', "annotations"),
        (b'start\n{"id": "c1", "pid": 7, "bundle": "/overlay-containers\\u0000/c1/userdata"}', "not a path"),
        (b'pause\n{"id": "c1"}', "stage 'pause'"),
        (b"x" * (MESSAGE_MAX_BYTES + 1), "more than"),
    ],
)
def test_bad_messages_get_one_line_with_the_reason(data, reason):
    if reason is None:
        assert parse(data).annotations == {}
        return
    with pytest.raises(RegistrationError, match=reason) as error:
        parse(data)
    assert "\n" not in str(error.value)


def test_half_a_surrogate_pair_is_spelled_out():
    hook = parse(b'start\n{"id": "c1", "pid": 7, "bundle": "\\ud800", "annotations": {"a\\udfff": "b\\ud800"}}')
    assert (hook.bundle, hook.annotations) == ("\\ud800", {"a\\udfff": "b\\ud800"})
    assert parse(message(annotations={"a": "\U0001f600"})).annotations == {"a": "\U0001f600"}


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data):
    try:
        parse(b"start\n" + data)
    except RegistrationError as error:
        assert str(error).isprintable()


PROC = {
    7: "12:cpu:/x\n0::/kubepods/pod1/c1\n",
    8: "0::/\n",
    9: "1:name=systemd:/x\n",
    10: "0::/../../elsewhere\n",
    11: "0::/gone (deleted)\n",
}


@pytest.fixture
def proc(tmp_path):
    for pid, text in PROC.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(text)
    return tmp_path


def test_the_cgroup_is_the_line_of_version_2(proc):
    assert cgroupfs.cgroup_of(7, proc) == "/kubepods/pod1/c1"
    assert cgroupfs.cgroup_of(11, proc) == "/gone"


@pytest.mark.parametrize(
    ("pid", "reason"), [(8, "root cgroup"), (9, "no line 0::"), (10, "namespace"), (99, "is gone")]
)
def test_a_process_without_a_cgroup_of_its_own_is_refused(proc, pid, reason):
    with pytest.raises(RegistrationError, match=reason):
        cgroupfs.cgroup_of(pid, proc)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup"),
        (
            "30 1 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n31 30 0:26 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 c rw\n",
            "/sys/fs/cgroup/unified",
        ),
        ("31 30 0:26 /sub /mnt rw - cgroup2 c rw\n31 30 0:26 / /a\\040b rw - cgroup2 c rw\n", "/a b"),
        ("31 30 0:26 / /own rw - cgroup2 c rw\n31 30 0:26 /../.. /all rw - cgroup2 c rw\n", "/all"),
        ("31 30 0:26 /.. /above rw - cgroup2 c rw\n31 30 0:26 /../.. /all rw - cgroup2 c rw\n", "/all"),
        ("31 30 0:26 / /own rw - cgroup2 c rw\n31 30 0:26 /../sub /all rw - cgroup2 c rw\n", "/own"),
        ("31 30 0:26 / /\u00fc\\134040 rw - cgroup2 c rw\n", "/\u00fc\\040"),
    ],
)
def test_the_mount_of_cgroup2_is_found(tmp_path, mounts, expected):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(mounts)
    assert str(cgroupfs.find_mount(tmp_path)) == expected


def test_without_cgroup2_the_remedy_is_named(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text("30 1 0:25 / /sys/fs/cgroup ro - cgroup cpu ro\n")
    with pytest.raises(ConfigError, match="mount -t cgroup2"):
        cgroupfs.find_mount(tmp_path)


def test_descendants_are_all_directories_below(tmp_path):
    for name in ("a", "a/b", "a/b/c", "d"):
        (tmp_path / name).mkdir()
    (tmp_path / "cgroup.procs").touch()
    ids = {(tmp_path / name).stat().st_ino for name in ("a", "a/b", "a/b/c", "d")}
    assert set(cgroupfs.descendants(tmp_path)) == ids


def test_what_vanishes_while_it_is_looked_at_is_left_out(tmp_path):
    """A cgroup that vanishes is left out: a daemon that takes over meets containers that are just ending."""
    for name in ("a", "b"):
        (tmp_path / name / "below").mkdir(parents=True)
    ids = cgroupfs.descendants(tmp_path)
    seen = {next(ids)}
    shutil.rmtree(tmp_path)
    assert list(ids) == []
    assert len(seen) == 1
    assert list(cgroupfs.descendants(tmp_path)) == []


def test_no_depth_is_too_deep(tmp_path):
    """A container that may make cgroups can nest them arbitrarily deep."""
    fds = [os.open(tmp_path, os.O_RDONLY)]
    try:
        for _ in range(sys.getrecursionlimit() + 100):
            os.mkdir("a", dir_fd=fds[-1])
            fd = os.open("a", os.O_RDONLY, dir_fd=fds[-1])
            os.close(fds.pop())
            fds.append(fd)
        found = list(cgroupfs.descendants(tmp_path))
        assert len(found) == len(set(found)) > sys.getrecursionlimit()
        assert procfs.read_open_files(tmp_path).processes == {}
    finally:
        os.close(fds.pop())
        subprocess.run(["rm", "-r", tmp_path / "a"], check=True)  # pytest's own removal recurses


def test_a_process_with_very_many_descriptors_takes_no_longer(tmp_path, monkeypatch):
    """A container may have a million of them, in many processes."""
    entries = listed(monkeypatch, "/fd", (SimpleNamespace(name=str(fd)) for fd in count()))
    assert procfs.read_process(os.getpid()).processes[os.getpid()].fds.keys() <= set(range(procfs.FDS_MAX))
    assert next(entries).name == str(procfs.FDS_MAX)


def test_very_many_cgroups_below_a_container_take_no_longer(tmp_path, monkeypatch):
    """A container that may make cgroups can make them without end, and none of them has a process."""
    looked_at = []

    def below(_path):
        for number in count():
            looked_at.append(number)
            yield str(tmp_path / str(number))

    monkeypatch.setattr(procfs, "below", below)
    assert procfs.read_open_files(tmp_path).processes == {}
    assert len(looked_at) < procfs.CGROUPS_MAX
