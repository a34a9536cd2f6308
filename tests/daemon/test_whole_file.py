# SPDX-License-Identifier: Apache-2.0
"""A file is replaced whole, with its mode, or stays as it was."""

import os
import stat

import pytest

from traceloop_daemon.system.whole_file import write_whole


def names(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("is_synced", [False, True])
def test_a_file_is_replaced_with_its_mode_whatever_the_umask(tmp_path, is_synced):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    before = os.umask(0o077)
    try:
        write_whole(path, b"new" * 100_000, 0o644, tmp_path / "t", is_synced=is_synced)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new" * 100_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("left", ["file", "link"])
def test_what_stands_at_the_other_name_is_replaced_and_not_followed(tmp_path, left):
    other, temporary = tmp_path / "other", tmp_path / "t"
    other.write_bytes(b"theirs")
    temporary.symlink_to(other) if left == "link" else temporary.write_bytes(b"half" * 100)
    write_whole(tmp_path / "f", b"new", 0o600, temporary)
    assert (tmp_path / "f").read_bytes() == b"new"
    assert not (tmp_path / "f").is_symlink()
    assert other.read_bytes() == b"theirs"
    assert names(tmp_path) == ["f", "other"]


def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "f", b"new", 0o600, tmp_path / "t")
    assert names(tmp_path) == ["f"]
