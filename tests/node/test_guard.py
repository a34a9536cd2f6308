# SPDX-License-Identifier: Apache-2.0
"""A recorder that someone breaks in the kernel is noticed, reported and replaced, with real containers."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import closing
from pathlib import Path

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root
from recorded_cgroups import Container, text
from test_add import descriptor_of
from test_daemon import listed, wait_state
from test_stats import stats

from traceloop_bpf import bpfcalls
from traceloop_bpf.tracer import Tracer

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

BPF, MAP_FREEZE, LINK_DETACH = 321, 22, 34  # linux/bpf.h


def bpf(command: int, fd: int) -> int:
    """Makes the bpf(2) call as root; returns 0 or an errno."""
    attr = struct.pack("<I124x", fd)
    libc = ctypes.CDLL(None, use_errno=True)
    return 0 if libc.syscall(BPF, command, ctypes.c_char_p(attr), len(attr)) == 0 else ctypes.get_errno()


def fds_of(pid: int, target: str) -> list[int]:
    return [int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir() if os.readlink(fd) == target]  # noqa: PTH115


def freeze_all(daemon: Daemon) -> list[int]:
    """Freezes each of the daemon's maps that can be frozen, which mapped ones cannot."""
    answers = []
    for number in fds_of(daemon.process.pid, "anon_inode:bpf-map"):
        with descriptor_of(daemon.process.pid, number) as fd:
            if bpfcalls.map_info(fd).shape[0] == 1:  # BPF_MAP_TYPE_HASH
                answers.append(bpf(MAP_FREEZE, fd))
    return answers


def test_frozen_maps(tmp_path: Path) -> None:
    with Daemon(config='node = "node1"\n') as daemon, Runc(tmp_path / "runc") as runc:
        root = make_root(tmp_path / "root")
        words = "sh", "-c", "echo 1; read x; cat /no/after"
        bundle = make_bundle(tmp_path / "one", root, words, hooks=hooks(daemon.hook_socket))
        with runc.start(bundle, "one") as process:
            assert process.stdout.readline() == "1\n"
            assert freeze_all(daemon) == [0, 0, 0]  # cgroups, below, runtimes
            line = daemon.wait_for_log(lambda line: "recorder is broken" in line)
            assert "was frozen" in line
            daemon.wait_for_log(lambda line: "replaced the recorder" in line)
            assert {trace["id"] for trace in listed(daemon)} == {"node1_one", "node1_one_2"}
            process.communicate("go\n", timeout=60)
        wait_state(daemon, "node1_one", "frozen")
        wait_state(daemon, "node1_one_2", "frozen")
        assert "[cat] open" in daemon.ctl("show", "node1_one_2").stdout
        assert "[cat]" not in daemon.ctl("show", "node1_one").stdout
        assert "execve" in daemon.ctl("show", "node1_one").stdout
        other = make_bundle(tmp_path / "other", root, ("cat", "/no/other"), hooks=hooks(daemon.hook_socket))
        runc.run(other, "other")
        wait_state(daemon, "node1_other", "frozen")
        assert "/no/other" in daemon.ctl("show", "node1_other").stdout
        assert stats(daemon)["recorders_replaced"] == 1
        doctor = daemon.ctl("doctor", "--no-self-test", check=False).stdout
        assert "1 recorders were damaged from outside" in doctor


def test_the_kernel_detaches_no_program_for_anybody(tracer: Tracer) -> None:
    """Links of raw tracepoints cannot be detached: an attacker has to take the descriptors away."""
    for name, fd in tracer._programs._fds.items():
        if name.startswith("link."):
            assert bpf(LINK_DETACH, fd) == errno.EOPNOTSUPP
    assert tracer.trouble() == ""


def test_descriptors_that_are_taken_away(tmp_path: Path) -> None:
    """The recorder's earlier records can still be read once nothing of it is in the kernel."""
    with closing(Tracer.load()) as tracer, Container(tracer) as container:
        container.run("cat", "/no/before", status=1)
        link = tracer._programs._fds["link.on_sys_enter"]
        with (tmp_path / "other").open("w") as other:
            os.dup2(other.fileno(), link, inheritable=False)
        assert tracer.trouble() == "on_sys_enter was detached from the tracepoint sys_enter"
        tracer.abandon()
        count = container.recording.ring.count()
        container.run("cat", "/no/after", status=1)
        assert container.recording.ring.count() == count
        opened = [text(call, 1) for call in container.calls("openat")]
        assert b"/no/before" in opened
