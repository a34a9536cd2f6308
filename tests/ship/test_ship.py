# SPDX-License-Identifier: Apache-2.0
"""traceloop-ship with a directory as its store: rclone's local backend."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from archives import INFO, encoded_snapshot, info

from traceloop_decode.archive_file import pack
from traceloop_decode.file_names import file_name
from traceloop_ship.ledger import Ledger
from traceloop_ship.settings import read
from traceloop_ship.shipping import ship

pytestmark = [pytest.mark.installed, pytest.mark.engine("rclone")]
BIN = Path(sys.executable).parent
TIMEOUT_S = 120
PLACE = f"prod/2023-11-14/node1/{INFO.boot_id}"


class Node:
    """The directories of one node, and the store."""

    def __init__(self, directory):
        self.archive, self.state = directory / "archive", directory / "state"
        self.store, self.config = directory / "store", directory / "ship.toml"
        self.archive.mkdir()
        self.store.mkdir()
        self.configure()

    def configure(self, **values):
        values = {"to": f":local:{self.store}", "cluster": "prod", "archive": str(self.archive)} | values
        self.config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))

    def keep(self, trace_id, calls=20, **facts):
        file = self.archive / file_name(trace_id)
        file.write_bytes(pack(info(trace_id, **facts), encoded_snapshot(calls)))
        return file

    def ship(self, status=0, **settings):
        ended = subprocess.run(
            [BIN / "traceloop-ship", "--config", self.config, "--state-dir", self.state],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **settings,
        )  # fmt: skip
        assert ended.returncode == status, ended
        return ended.stderr

    def shipped(self):
        return sorted(str(path.relative_to(self.store)) for path in self.store.rglob("*") if path.is_file())

    def report(self):
        return json.loads((self.state / "state.json").read_text())


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_a_trace_is_shipped_under_its_key_and_unchanged(node):
    file = node.keep("node1_default_mypod")
    assert re.fullmatch(r"traceloop-ship: shipped 1 traces, \d+ bytes; 0 wait\n", node.ship())
    assert node.shipped() == [f"{PLACE}/node1_default_mypod.trace"]
    assert (node.store / PLACE / file.name).read_bytes() == file.read_bytes()


def test_no_trace_is_shipped_twice(node):
    node.keep("a")
    node.ship()
    (node.store / PLACE / "a.trace").unlink()
    node.keep("b")
    node.ship()
    assert node.shipped() == [f"{PLACE}/b.trace"]
    assert node.ship() == ""
    assert node.report()["traces"] == 2


def test_a_trace_that_the_daemon_replaced_is_shipped_again(node):
    node.keep("a")
    node.ship()
    longer = node.keep("a", calls=40)
    node.ship()
    assert (node.store / PLACE / "a.trace").read_bytes() == longer.read_bytes()


def test_one_whose_time_is_absurd_keeps_no_other_back(node):
    node.keep("a", ended_ns=1 << 70)
    node.keep("b")
    assert "a.trace is not shipped: " in node.ship()
    assert node.shipped() == [f"{PLACE}/b.trace"]
    assert node.report()["unreadable"] == 1


def test_what_fails_waits_for_the_next_run(node):
    for name in "abcde":
        node.keep(name)
    node.store.rmdir()
    node.store.write_text("not a directory")
    said = node.ship(status=1)
    assert len(re.findall(r"cannot ship \w\.trace: rclone: .*not a directory", said)) == 3  # then it gives up
    state = node.report()
    assert (state["waiting"], state["failed_runs"], state["last_success_s"]) == (5, 1, 0)
    node.store.unlink()
    node.store.mkdir()
    node.ship()
    assert len(node.shipped()) == 5
    assert (node.report()["waiting"], node.report()["failed_runs"]) == (0, 1)
    assert node.report()["last_success_s"] > 0


def test_the_oldest_goes_first(node):
    for number, name in enumerate("ba"):
        os.utime(node.keep(name), ns=(1, number))
    node.ship()
    lines = (node.state / "shipped").read_text().splitlines()
    assert [line.partition("\t")[0] for line in lines] == ["b.trace", "a.trace"]


def test_the_ledger_is_as_bounded_as_the_archive(node):
    for name in "abcdefgh":
        node.keep(name)
    node.ship()
    for name in "abcdefg":
        (node.archive / f"{name}.trace").unlink()
    node.ship()
    assert len((node.state / "shipped").read_text().splitlines()) == 1
    assert node.ship() == ""  # h is still known


def test_files_that_are_no_archives_stay(node):
    (node.archive / "x.trace").write_bytes(b"TLTRACE\nnonsense")
    (node.archive / "closed-ids").write_text("")
    node.keep("a")
    assert "x.trace is not shipped: " in node.ship()
    assert node.shipped() == [f"{PLACE}/a.trace"]
    assert (node.report()["unreadable"], node.report()["waiting"]) == (1, 0)


def test_metrics(node, tmp_path):
    node.configure(textfile=str(tmp_path / "ship.prom"))
    file = node.keep("a")
    node.ship()
    text = (tmp_path / "ship.prom").read_text()
    assert "traceloop_ship_traces_total 1\n" in text
    assert f"traceloop_ship_bytes_total {file.stat().st_size}\n" in text
    assert re.search(r"^traceloop_ship_last_success_timestamp_seconds \d{10}(\.\d+)?$", text, re.MULTILINE)
    assert (tmp_path / "ship.prom").stat().st_mode & 0o777 == 0o644


def test_two_runs_at_once_ship_a_trace_once(node):
    for name in "abcd":
        node.keep(name)
    words = [BIN / "traceloop-ship", "--config", node.config, "--state-dir", node.state]
    runs = [subprocess.Popen(words, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert [run.wait(TIMEOUT_S) for run in runs] == [0, 0, 0]
    assert node.report()["traces"] == 4


def test_wrong_settings_are_one_line(node):
    for text, line in (
        ("to = 1", "to must be a string"),
        ("", 'to must be an rclone remote and a prefix, such as to = "store:traces"'),
        ('to = "-x:y"', 'to must be an rclone remote and a prefix, such as to = "store:traces"'),
        ('to = "a:b"\nbandwith = "1M"', "unknown key bandwith; there are archive, bandwidth, cluster, textfile, to"),
        ('to = "a:b"\nbandwidth = "fast"', 'bandwidth must be bytes a second, such as "512K" or "4M", or "off"'),
    ):
        node.config.write_text(text)
        assert node.ship(status=1) == f"traceloop-ship: {node.config}: {line}\n"
    node.config.unlink()
    assert "No such file or directory; traceloop-ship(8) describes it" in node.ship(status=1)


def test_a_missing_rclone_is_one_line(node):
    node.keep("a")
    assert "cannot run rclone: No such file or directory; install it" in node.ship(
        status=1, env={"PATH": "/nonexistent"}
    )


def test_what_is_archived_meanwhile_is_shipped_in_the_same_run(node):
    node.keep("a")
    node.keep("b")
    done = []

    def upload(source, target, _bandwidth):
        if not done:
            node.keep("c")
            node.keep("b", calls=40)  # the daemon replaces it
        done.append(source.name)

    with Ledger(node.state) as ledger:
        outcome = ship(read(node.config), ledger, upload)
    assert sorted(done) == ["a.trace", "b.trace", "c.trace"]
    assert (outcome.shipped, outcome.waiting) == (3, 0)
