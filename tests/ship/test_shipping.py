# SPDX-License-Identifier: Apache-2.0
"""A run of traceloop-ship, with a function in place of rclone."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from archives import encoded_snapshot, info

from traceloop_decode.archive_file import pack
from traceloop_decode.file_names import file_name
from traceloop_ship.errors import ShipError
from traceloop_ship.ledger import Ledger
from traceloop_ship.report import report
from traceloop_ship.settings import Settings
from traceloop_ship.shipping import Outcome, ship


class Node:
    """An archive, what was sent of it, and the names of the files that the store refuses."""

    def __init__(self, directory: Path, names: str) -> None:
        self.archive, self.state = directory / "archive", directory / "state"
        self.archive.mkdir()
        for number, name in enumerate(names):
            path = self.archive / file_name(name)
            path.write_bytes(pack(info(name), encoded_snapshot(20)))
            os.utime(path, ns=(1, number))
        self.tried, self.refused = "", ""

    def upload(self, source: Path, _target: str, _bandwidth: str) -> None:
        self.tried += source.stem
        if source.stem in self.refused:
            raise ShipError("refused")

    def ship(self) -> Outcome:
        self.tried = ""
        with Ledger(self.state) as ledger:
            return ship(Settings(to="x:y", archive=str(self.archive)), ledger, self.upload)


def test_what_the_store_always_refuses_keeps_no_other_back(tmp_path) -> None:
    node = Node(tmp_path, "abcdefghi")
    node.refused = "abcd"
    outcome = node.ship()
    assert (outcome.shipped, outcome.waiting, outcome.error) == (5, 4, "d.trace: refused")
    assert (node.ship().waiting, node.tried) == (4, "abd")


def test_a_store_that_refuses_all_is_tried_three_times(tmp_path) -> None:
    node = Node(tmp_path, "abcdef")
    node.refused = "abcdef"
    assert (node.ship().waiting, node.tried) == (6, "abf")


def test_a_trace_that_is_removed_meanwhile_is_no_failure(tmp_path) -> None:
    node = Node(tmp_path, "abcd")

    def upload(source: Path, *_: str) -> None:
        source.unlink()
        raise ShipError("no such file")

    with Ledger(node.state) as ledger:
        outcome = ship(Settings(to="x:y", archive=str(node.archive)), ledger, upload)
    assert outcome == Outcome(0, 0, 0, 0, "")


@pytest.mark.parametrize("torn", ["b.trace\t1", "b.trace"])
def test_a_line_that_a_full_disk_or_a_crash_cut_spoils_no_other(tmp_path, torn) -> None:
    node = Node(tmp_path, "a")
    node.state.mkdir()
    (node.state / "shipped").write_text(torn)
    node.ship()
    node.ship()
    assert node.tried == ""


def test_a_full_disk_of_the_ledger_is_one_line(tmp_path, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    node = Node(tmp_path, "a")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ShipError, match=r"cannot write .*/state/shipped: No space left on device; "):
        node.ship()


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"runs": "x", "traces": [], "last_success_s": null}'])
def test_a_damaged_state_counts_from_zero(tmp_path, text) -> None:
    (tmp_path / "state.json").write_text(text)
    report(tmp_path, "", Outcome(2, 10, 0, 0, ""), 5.0)
    state = json.loads((tmp_path / "state.json").read_text())
    assert (state["runs"], state["traces"], state["bytes"], state["last_success_s"]) == (1, 2, 10, 5.0)
