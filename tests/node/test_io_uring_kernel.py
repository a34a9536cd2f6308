# SPDX-License-Identifier: Apache-2.0
"""A container that uses io_uring is told by its ring: what goes through io_uring is in no record."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from recorder import TIMEOUT_S, Container, Workloads

from traceloop_decode.ring import unrecorded

pytestmark = pytest.mark.kernel

NO_IO_URING = 77


def test_its_instances_are_counted(container: Container, workload: Workloads, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert unrecorded(container.snapshot()).io_urings == 0
    with container.start(workload("io_uring"), "3", str(file)) as process:
        process.communicate()
    if process.returncode == NO_IO_URING:
        pytest.skip("this kernel has no io_uring, or not for this process")
    assert process.returncode == 0
    assert not file.exists()
    assert unrecorded(container.snapshot()).io_urings == 3
    assert not container.calls("unlink", "unlinkat")


USES_ANOTHERS = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
instance = libc.syscall(425, 1, ctypes.create_string_buffer(120))
if instance < 0:
    sys.exit(77)
with open(sys.argv[1], "w") as procs:
    procs.write(str(os.getpid()))
assert [libc.syscall(426, instance, 0, 0, 0, 0, 0) for _ in range(3)] == [0, 0, 0]
"""


def test_one_that_came_from_elsewhere_counts_as_one(container: Container) -> None:
    """Set up before its process came into the container, as one that is inherited, or received as a descriptor."""
    words = "/usr/bin/python3", "-c", USES_ANOTHERS, str(container.path / "cgroup.procs")
    status = subprocess.run(words, check=False, timeout=TIMEOUT_S).returncode
    if status == NO_IO_URING:
        pytest.skip("this kernel has no io_uring, or not for this process")
    assert status == 0
    container.wait_empty()
    assert unrecorded(container.snapshot()).io_urings == 1


def test_a_failed_setup_is_none(container: Container) -> None:
    container.run("/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL(None).syscall(425, 0, None)")
    assert unrecorded(container.snapshot()).io_urings == 0
