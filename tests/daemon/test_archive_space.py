# SPDX-License-Identifier: Apache-2.0
"""The archive's space: limits that are enforced at each write and at start, and disks that cannot be written."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from archives import INFO, encoded_snapshot, info

from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.retention import Limits
from traceloop_daemon.recording.journal import CANNOT_KEEP

NS = 10**9
ROOT = Path(__file__).parents[2]


# --- limits ---------------------------------------------------------------------------------------------------------


def test_limits_hold_at_each_write_and_at_start(tmp_path):
    now_s = 1_700_000_000
    with closing(FileArchive(tmp_path, Limits(max_traces=3), now_ns=lambda: now_s * NS)) as archive:
        for number in range(5):
            changes = archive.put(info(f"t{number}", (now_s + number) * NS), encoded_snapshot())
            assert changes.gone == (((f"t{number - 3}", "max_traces, 3"),) if number >= 3 else ())
        assert sorted(file.name for file in tmp_path.glob("*.trace")) == ["t2.trace", "t3.trace", "t4.trace"]
        assert archive.closed_ids() == ("t0", "t1")
    with closing(FileArchive(tmp_path, Limits(max_traces=2), now_ns=lambda: now_s * NS)) as archive:
        archive.scan()
        assert archive.tend().gone == (("t2", "max_traces, 2"),)
        now_s += 14 * 86400 + 4
        assert archive.tend(live={"t4"}).gone == (("t3", "max_age, 1209600 s"),)
        assert [kept.trace_id for kept in archive.scan()] == ["t4"]


def test_what_ended_before_the_clock_was_set_is_as_old_as_the_set_clock(tmp_path):
    """A machine without a battery starts in 1970, and gets the time from the network in a moment."""
    now_s, day_s = 40, 86400
    with closing(FileArchive(tmp_path, now_ns=lambda: now_s * NS)) as archive:
        archive.put(info("boot", 30 * NS), encoded_snapshot())
        now_s = 1_700_000_000
        assert archive.put(info("later", now_s * NS), encoded_snapshot()).gone == ()
        now_s += 14 * day_s
        assert archive.tend().gone == ()
        now_s += 1
        assert archive.tend().gone == (("boot", "max_age, 1209600 s"), ("later", "max_age, 1209600 s"))


def test_what_was_shipped_goes_first(tmp_path):
    ledger = tmp_path / "shipped"
    archive_dir = tmp_path / "archive"
    with closing(
        FileArchive(archive_dir, Limits(max_traces=3), now_ns=lambda: INFO.ended_ns, ledger=ledger)
    ) as archive:
        for number in range(3):
            archive.put(info(f"t{number}"), encoded_snapshot())
        ledger.write_text("t1.trace\t1\t2\nt2.trace\t1\t2\n\xff")
        assert [gone for gone, _ in archive.put(info("t3"), encoded_snapshot()).gone] == ["t1"]
        assert [gone for gone, _ in archive.put(info("t4"), encoded_snapshot()).gone] == ["t2"]
        assert [gone for gone, _ in archive.put(info("t5"), encoded_snapshot()).gone] == ["t0"]
        ledger.write_text("t5.trace\t1\t2\n")  # the newest: users will ask for it first
        archive.tend()
        ledger.unlink()
        assert [gone for gone, _ in archive.put(info("t6"), encoded_snapshot()).gone] == ["t3"]


def test_one_that_cannot_be_removed_does_not_save_the_others(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with closing(FileArchive(tmp_path, Limits(max_traces=1), now_ns=lambda: INFO.ended_ns)) as archive:
        archive.put(info("t0"), encoded_snapshot())
        (tmp_path / "t0.trace").unlink()
        (tmp_path / "t0.trace").mkdir()  # unlink(2) fails on a directory, even for root
        assert archive.put(info("t1"), encoded_snapshot()).written == ("t1",)
        assert [gone for gone, _ in archive.put(info("t2"), encoded_snapshot()).gone] == ["t1"]
        (tmp_path / "t0.trace").rmdir()
        assert [gone for gone, _ in archive.put(info("t3"), encoded_snapshot()).gone] == ["t0", "t2"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.INFO]
    assert caplog.records[0].MESSAGE_ID == CANNOT_KEEP


def test_hundreds_of_traces_stay_within_their_bounds(tmp_path):
    with closing(FileArchive(tmp_path, Limits(max_traces=50), now_ns=lambda: INFO.ended_ns)) as archive:
        for number in range(500):
            archive.put(info(f"t{number}"), b"x")
        assert len(list(tmp_path.glob("*.trace"))) == archive.usage().traces == 50
        assert archive.usage().waiting == archive.usage().dropped == 0
        assert len(archive.closed_ids()) == 450
    assert (tmp_path / "closed-ids").stat().st_size < 100_000


# --- a full disk ----------------------------------------------------------------------------------------------------


@pytest.mark.kernel
@pytest.mark.parametrize(
    "case",
    [
        *("full", "read_only", "too_large", "removed", "bounded", "never_again"),
        *("survives", "bounded_there_too", "interfered", "nowhere_to_wait"),
    ],
)
def test_traces_wait_in_memory_until_they_can_be_written(tmp_path, case):
    path = os.pathsep.join(map(str, (ROOT / "tests/support", ROOT / "daemon", ROOT / "decode", ROOT / "bpf")))
    command = [
        "unshare",
        "-m",
        "--propagation",
        "private",
        sys.executable,
        ROOT / "tests/support/full_disk.py",
        case,
        tmp_path,
    ]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert (ended.returncode, ended.stderr) == (0, "")
