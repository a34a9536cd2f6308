# SPDX-License-Identifier: Apache-2.0
"""Births that no daemon was told of: each is told to the journal once, by whichever daemon comes first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.registering.untold import Untold


@dataclass
class Recorder:
    number: int
    births_untold: int


class Daemon:
    """A daemon's counter. path: of the file that daemons share."""

    def __init__(self, path: Path) -> None:
        self.tally = Tally()
        self.untold = Untold(path, self.tally)

    def looked(self, recorder: Recorder) -> int:
        """Returns how many births the daemon has counted, once it has looked."""
        self.untold.look(recorder)
        return self.tally.read()[0][Counted.BIRTHS_UNTOLD]


def test_each_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(3, 0)
    first = Daemon(tmp_path / "untold")
    assert first.looked(recorder) == 0
    assert list(tmp_path.iterdir()) == []
    recorder.births_untold = 5
    assert [first.looked(recorder) for _ in range(2)] == [5, 5]
    recorder.births_untold = 7  # while no daemon runs
    assert [Daemon(tmp_path / "untold").looked(recorder) for _ in range(2)] == [2, 0]
    assert [record.getMessage().split()[0] for record in caplog.records] == ["5", "2"]


def test_another_recorder_counts_from_zero(tmp_path: Path) -> None:
    assert Daemon(tmp_path / "untold").looked(Recorder(3, 5)) == 5
    assert Daemon(tmp_path / "untold").looked(Recorder(4, 2)) == 2


@pytest.mark.parametrize("content", [b"", b"3", b"three 5", b"\xff"])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    (tmp_path / "untold").write_bytes(content)
    assert Daemon(tmp_path / "untold").looked(Recorder(3, 5)) == 5
    assert "cannot be read, so what it counts is told again" in caplog.text
    assert Daemon(tmp_path / "untold").looked(Recorder(3, 5)) == 0


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    daemon = Daemon(tmp_path / "no" / "untold")
    assert [daemon.looked(Recorder(3, 5)) for _ in range(2)] == [5, 5]
    assert "the next daemon tells this again" in caplog.text
