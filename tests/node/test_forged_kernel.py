# SPDX-License-Identifier: Apache-2.0
"""Calls that pretend to be others, through every entry into the kernel and by everything that can change registers.

Each program of tests/workloads/forged.c removes a file, and the recording must show that.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from recorded_cgroups import Container, Workloads, entered, text

from traceloop_decode.model import Call

pytestmark = pytest.mark.kernel

SOCKET_OF_NO_TYPE = 1, 0
X32_UNLINK = 0x40000000 + 87


def unlinked(container: Container, path: Path) -> Call:
    """Returns the only call that removed the file."""
    found = [call for call in container.calls("unlink") if call.result == 0 and text(call, 0) == bytes(path)]
    (call,) = found
    assert not call.entry_lost
    assert not path.exists()
    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def test_an_int_80_with_the_registers_of_a_syscall(container: Container, workload: Workloads, file: Path) -> None:
    """An int 0x80 is read by the 32-bit table: by the 64-bit one, its unlink is mprotect, its socket nothing."""
    container.run(workload("forged"), "int80", str(file))
    assert unlinked(container, file).compat
    (socket,) = container.calls("socket")
    assert (socket.compat, socket.args[0].raw, socket.result) == (True, 1, -errno.EINVAL)


def test_a_syscall_with_the_registers_of_an_int_80(container: Container, workload: Workloads, file: Path) -> None:
    container.run(workload("forged"), "syscall", str(file))
    assert not unlinked(container, file).compat


def test_a_32_bit_program_by_its_vdso(container: Container, workload: Workloads, file: Path) -> None:
    container.run(
        workload("vdso32", "-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-pie", "-no-pie"), str(file)
    )
    assert unlinked(container, file).compat
    assert {call.compat for call in entered(container.events()) if call.name == "exit"} == {True}


def test_the_bit_of_x32(container: Container, workload: Workloads, file: Path) -> None:
    """The recording has the number with x32's bit: kernels without x32 answer ENOSYS, those with it remove the file."""
    container.run(workload("forged"), "x32", str(file))
    (call,) = [call for call in container.calls() if call.number == X32_UNLINK]
    assert call.result == (-errno.ENOSYS if file.exists() else 0)
    assert not call.compat


def test_a_vsyscall_hides_nothing(container: Container, workload: Workloads, file: Path) -> None:
    container.run(workload("forged"), "vsyscall", str(file))
    assert not unlinked(container, file).compat


@pytest.mark.parametrize("way", ["tracer", "seccomp"])
def test_a_number_that_a_tracer_changes_before_the_call(
    container: Container, workload: Workloads, file: Path, way: str
) -> None:
    """A getppid that is turned into unlink is recorded as unlink, which is what the kernel executes."""
    container.run(workload("forged"), way, str(file))
    unlinked(container, file)
    assert not container.calls("getppid")


def test_a_number_that_a_tracer_changes_in_mid_call(container: Container, workload: Workloads, file: Path) -> None:
    """A fork that returns under getuid's number is recorded as the return of fork."""
    container.run(workload("forged"), "mid-call", str(file))
    removed = unlinked(container, file)
    (fork,) = [call for call in container.calls("fork") if call.tid == removed.tid]
    assert fork.result is not None
    assert fork.result > 0
    assert not [call for call in container.calls("getuid") if call.tid == removed.tid and call.result == fork.result]


def test_registers_that_a_signals_return_sets(container: Container, workload: Workloads, file: Path) -> None:
    container.run(workload("forged"), "sigreturn", str(file))
    assert unlinked(container, file).compat
    (again,) = [call for call in container.calls("unlink") if call.result == -errno.ENOENT]
    assert (again.compat, text(again, 0)) == (False, bytes(file))
