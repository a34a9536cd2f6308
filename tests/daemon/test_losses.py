# SPDX-License-Identifier: Apache-2.0
"""Losses of the programs in the kernel: each is counted and told to the journal once, by whichever daemon comes first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from traceloop_bpf.losses import Losses as Counts
from traceloop_daemon.recording.losses import Losses
from traceloop_daemon.recording.tally import Counted, Tally

KINDS = (Counted.BIRTHS_UNTOLD, Counted.IN_CALL_FORGOTTEN, Counted.RUNTIMES_FORGOTTEN, Counted.ENTRIES_UNTOLD)


@dataclass
class Recorder:
    number: int
    births_untold: int = 0
    counts: Counts = field(default_factory=Counts)

    def losses(self) -> Counts:
        return self.counts


class Daemon:
    """A daemon's counter. path: of the file that daemons share."""

    def __init__(self, path: Path) -> None:
        self.tally, self.now_s = Tally(), 1000.0
        self.losses = Losses(path, self.tally, lambda: self.now_s)

    def looked(self, recorder: Recorder) -> int:
        """Returns how many births the daemon has counted, once it has looked."""
        self.losses.look(recorder)
        return self.tally.read()[0][Counted.BIRTHS_UNTOLD]


def first_words(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().split()[0] for record in caplog.records]


def test_each_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(3)
    first = Daemon(tmp_path / "losses")
    assert first.looked(recorder) == 0
    assert list(tmp_path.iterdir()) == []
    recorder.births_untold = 5
    assert [first.looked(recorder) for _ in range(2)] == [5, 5]
    recorder.births_untold = 7  # while no daemon runs
    assert [Daemon(tmp_path / "losses").looked(recorder) for _ in range(2)] == [2, 0]
    assert first_words(caplog) == ["5", "2"]


def test_every_kind_has_its_own_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(3, 2, Counts(in_call=3, runtime=5, entry=7))
    daemon = Daemon(tmp_path / "losses")
    daemon.looked(recorder)
    counted = daemon.tally.read()[0]
    assert [counted[kind] for kind in KINDS] == [2, 3, 5, 7]
    assert first_words(caplog) == ["2", "3", "5", "7"]
    recorder.counts = Counts(in_call=3, runtime=6, entry=7)
    later = Daemon(tmp_path / "losses")
    later.looked(recorder)
    counted = later.tally.read()[0]
    assert [counted[kind] for kind in KINDS] == [0, 0, 1, 0]


def test_a_loss_that_goes_on_is_told_once_a_minute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder, daemon = Recorder(3), Daemon(tmp_path / "losses")
    for _ in range(100):
        recorder.counts = Counts(in_call=recorder.counts.in_call + 1)
        daemon.looked(recorder)
        daemon.now_s += 2
    assert first_words(caplog) == ["1", "30", "30", "30"]


def test_another_recorder_counts_from_zero(tmp_path: Path) -> None:
    assert Daemon(tmp_path / "losses").looked(Recorder(3, 5)) == 5
    assert Daemon(tmp_path / "losses").looked(Recorder(4, 2)) == 2


@pytest.mark.parametrize("content", [b"", b"3", b"3 1 2", b"three 5", b"\xff"])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    (tmp_path / "losses").write_bytes(content)
    assert Daemon(tmp_path / "losses").looked(Recorder(3, 5)) == 5
    assert "so what it counts is told again" in caplog.text
    assert Daemon(tmp_path / "losses").looked(Recorder(3, 5)) == 0


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    daemon = Daemon(tmp_path / "no" / "losses")
    assert [daemon.looked(Recorder(3, 5)) for _ in range(2)] == [5, 5]
    assert "the next daemon tells this again" in caplog.text
