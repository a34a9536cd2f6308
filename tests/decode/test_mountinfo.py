# SPDX-License-Identifier: Apache-2.0
"""Lines of mountinfo, as the kernel writes them."""

import os
from pathlib import Path

import pytest

from traceloop_decode.mountinfo import Mount, mounts

CGROUP = r"30 25 0:26 /sub /mnt/a\040b\134040 rw,nosuid shared:4 master:1 - cgroup2 c\040d rw,nsdelegate,memory_recursiveprot"


def test_a_line_is_split_and_its_paths_are_as_they_were() -> None:
    assert list(mounts(f"{CGROUP}\n")) == [
        Mount("/sub", "/mnt/a b\\040", "cgroup2", ("rw", "nsdelegate", "memory_recursiveprot"))
    ]


def test_a_name_may_be_any_bytes() -> None:
    name = b"/\xff\xc3\xbc\x0b\xe2\x80\xa8"
    text = os.fsdecode(b"1 0 0:1 / " + name + b" rw - tmpfs tmpfs rw\n")
    assert [os.fsencode(mount.point) for mount in mounts(text * 2)] == [name] * 2


def test_the_kernels_own_list_is_read() -> None:
    text = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())
    found = list(mounts(text))
    assert len(found) == text.count("\n")
    assert any(mount.point == "/proc" and mount.kind == "proc" for mount in found)


@pytest.mark.parametrize("line", ["x", "30 25 0:26 / /mnt rw", "30 25 0:26 / /mnt rw - cgroup2"])
def test_what_the_kernel_never_writes_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(mounts(line))
