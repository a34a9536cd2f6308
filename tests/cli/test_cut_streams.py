# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""A way that is cut in the middle of a trace: the trace is asked for once more, by a way of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from archives import INFO
from fake_daemon import BIN, daemon, path, written_ring

from traceloop_decode.archive_file import pack

pytestmark = pytest.mark.installed

TIMEOUT_S = 60
CUT_AT = 30_000
"""Bytes that pass before a way is cut: more than the answer to Get."""
FAR_END = """#!{python} -ISB
import os, shlex, socket, sys, threading
with open({ways!r}, "a+b") as ways:
    ways.write(b"+")
    ways.seek(0)
    left = int(os.environ["CUT_AT"]) if len(ways.read()) <= int(os.environ["CUTS"]) else 1 << 40
there = socket.socket(socket.AF_UNIX)
if there.connect_ex(shlex.split(sys.argv[-1])[2].removeprefix("unix:")):
    os.write(2, b"traceloopctl: no daemon\\n")
    os._exit(3)
def ask():
    while piece := os.read(0, 1 << 16):
        there.sendall(piece)
    there.shutdown(socket.SHUT_WR)
threading.Thread(target=ask, daemon=True).start()
os.write(1, b"traceloop bridge 1\\n")
while left and (piece := there.recv(min(left, 1 << 12))):
    os.write(1, piece)
    left -= len(piece)
os._exit(0)  # as kubectl exec can do
"""


class Way:
    """Runs traceloopctl by a program in the place of ssh, of which the first `cuts` connections are cut."""

    def __init__(self, here: Path, path: Path) -> None:
        self._here, self._path = here, path
        (here / "ssh").write_text(FAR_END.format(python=sys.executable, ways=str(here / "ways")))
        (here / "ssh").chmod(0o755)

    def run(self, cuts, *words, hosts="ssh:alpha{path}", cut_at=CUT_AT):
        (self._here / "ways").write_text("")
        address = hosts.format(path=self._path)
        env = {"TRACELOOP_SSH": str(self._here / "ssh"), "TRACELOOP_ADDRESS": address}
        env |= {"CUTS": str(cuts), "CUT_AT": str(cut_at)}
        return subprocess.run(
            [BIN, *words], env={**os.environ, **env}, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )

    @property
    def made(self) -> int:
        """The number of connections."""
        return len((self._here / "ways").read_text())


@pytest.fixture
def way(tmp_path, path, daemon):
    daemon.snapshot = written_ring(3000)
    assert len(daemon.snapshot) > 4 * CUT_AT
    return Way(tmp_path, path)


def test_one_host(way, daemon):
    whole = way.run(0, "show", "mypod")
    assert (whole.returncode, way.made) == (0, 1)
    cut = way.run(1, "show", "mypod")
    assert (cut.returncode, cut.stdout, cut.stderr, way.made) == (0, whole.stdout, "", 2)


def test_a_file(way, daemon, tmp_path):
    daemon.file = pack(INFO, daemon.snapshot)
    ended = way.run(1, "dump", "mypod", "--file", str(tmp_path / "f"), cut_at=len(daemon.file) // 2)
    assert (ended.returncode, ended.stderr, way.made) == (0, "", 2)
    assert (tmp_path / "f").read_bytes() == daemon.file


def test_one_of_several_hosts(way):
    hosts = "ssh:alpha{path},ssh:beta/nonexistent/socket"
    whole = way.run(0, "show", "mypod", hosts=hosts)
    assert (whole.returncode, way.made) == (0, 3)
    cut = way.run(3, "show", "mypod", hosts=hosts)
    assert (cut.returncode, cut.stdout, way.made) == (0, whole.stdout, 4)


def test_one_that_is_cut_twice_is_an_error(way):
    ended = way.run(9, "show", "mypod")
    assert (ended.returncode, ended.stdout, way.made) == (3, "", 2)
    assert ended.stderr.startswith("traceloopctl: the daemon at ")
    assert " on alpha closed the connection: " in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_another_error_is_none_of_the_way(way):
    assert way.run(0, "show", "nosuch").returncode == 1
    assert way.made == 1


def test_closing_is_not_tried_again(way):
    assert way.run(1, "close", "mypod", cut_at=100).returncode == 3
    assert way.made == 1
