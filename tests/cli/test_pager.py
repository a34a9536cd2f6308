# SPDX-License-Identifier: Apache-2.0
"""The pager: used only on a terminal, as requested, fed as a stream, and left at any time without a message."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time

import pytest
from fake_daemon import BIN, CALL, TIMEOUT_S, ctl, daemon, path, written_ring  # noqa: F401 - fixtures

pytestmark = pytest.mark.installed

SHOW = ("show", "node1_default_mypod")
LEFT = ("SYSTEMD_PAGER", "PAGER", "SYSTEMD_LESS", "LESS", "SYSTEMD_PAGERSECURE", "SUDO_UID", "PKEXEC_UID", "NO_COLOR")


class Terminal:
    """traceloopctl as run from a shell, on a terminal of 24 lines of 80 columns."""

    def __init__(self, path, *words, **env):  # noqa: F811
        self._file, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in LEFT}
        self.process = subprocess.Popen(
            ["env", "--default-signal", "setsid", "--ctty", "--wait", BIN, *words],  # otherwise ^C reaches no process
            stdin=theirs, stdout=theirs, stderr=theirs,
            env=kept | {"TRACELOOP_ADDRESS": f"unix:{path}", "TERM": "xterm", "NO_COLOR": "1"} | env,
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self._file)

    def settings(self):
        """Returns how the terminal treats input."""
        return termios.tcgetattr(self._file)

    def type(self, text):
        os.write(self._file, text.encode())

    def wait_for(self, text):
        end = time.monotonic() + TIMEOUT_S
        while text not in self.shown:
            self._await(end - time.monotonic(), repr(text))
            assert self._read(), f"it ended without {text!r}: {self.shown!r}"

    def type_until(self, text, done):
        """Types the text until `done`: less misses a ^C just before it waits for keys, and keys after such a ^C."""
        end = time.monotonic() + TIMEOUT_S
        while not done():
            assert time.monotonic() < end, repr(self.shown)
            self.type(text)
            while not done() and select.select([self._file], [], [], 1)[0] and self._read():
                pass

    def has_ended(self):
        return self.process.poll() is not None

    def end(self, status=0):
        """Returns all output until the program ended, without cursor movements."""
        while self._read():
            self._await(TIMEOUT_S, "its end")
        assert self.process.wait(TIMEOUT_S) == status, self.shown
        return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])", "", self.shown).replace("\r", "")

    def _await(self, for_s, what):
        assert select.select([self._file], [], [], max(0, for_s))[0], f"{what}: {self.shown!r}"

    def _read(self):
        try:
            part = os.read(self._file, 1 << 16)
        except OSError:  # EIO: no process has the terminal open any more
            return False
        self.shown += part.decode()
        return bool(part)


@pytest.fixture
def script(tmp_path):
    """A function that writes a shell script of the given name and text, and returns its path."""

    def write(name, text):
        file = tmp_path / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return file

    return write


def test_it_gets_the_first_line_at_once_and_no_more_than_it_reads(daemon, path, script):  # noqa: F811
    daemon.snapshot = written_ring(5000)  # far more than a pipe holds
    pager = script("pager", "IFS= read -r line; printf 'first: %s' \"$line\"; read -r go </dev/tty")
    with Terminal(path, *SHOW, PAGER=str(pager)) as terminal:
        terminal.wait_for(f"first: {CALL}")
        assert terminal.process.poll() is None
        terminal.type("\n")
        shown = terminal.end()
    assert len(shown.splitlines()) == 1  # no message about a broken pipe


@pytest.mark.parametrize("words", [("list", "--no-trunc"), SHOW, (*SHOW, "-r"), ("--no-trunc", "-n", "1")])
def test_it_shows_what_a_pipe_gets(daemon, path, ctl, script, words):  # noqa: F811
    marked = script("pager", "sed 's/^/| /'")
    expected = ctl(*words, env={"PAGER": str(marked), "SYSTEMD_PAGER": str(marked)})
    assert "| " not in expected
    with Terminal(path, *words, PAGER=str(marked)) as terminal:
        assert [line.removeprefix("| ") for line in terminal.end().splitlines()] == expected.splitlines()
        assert terminal.shown.startswith("| ")
    with Terminal(path, *words, "--no-pager", PAGER=str(marked)) as terminal:
        assert terminal.end() == expected


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({}, "less FRXMK "),
        ({"LESS": "R"}, "less R "),
        ({"LESS": "R", "SYSTEMD_LESS": "F"}, "less F -R "),
        ({"PAGER": "mine -x 'a b'"}, "mine -x a b"),
        ({"PAGER": "mine", "SYSTEMD_PAGER": "less"}, "less FRXMK "),
        ({"PAGER": "nosuch"}, "less FRXMK "),
        ({"PAGER": "mine 'open"}, "less FRXMK "),
        ({"PAGER": ""}, None),
        ({"PAGER": "mine", "SYSTEMD_PAGER": ""}, None),
        ({"PAGER": " cat "}, None),
        ({"TERM": "dumb"}, None),
        ({"PAGER": "mine", "SUDO_UID": "1000"}, "less FRXMK 1"),
        ({"SYSTEMD_PAGERSECURE": "1"}, "less FRXMK 1"),
        ({"PAGER": "mine", "SUDO_UID": "1000", "SYSTEMD_PAGERSECURE": "0"}, "mine "),
    ],
)
def test_which_one_it_is(daemon, path, script, env, shown):  # noqa: F811
    script("less", 'echo "less $LESS $LESSSECURE"')
    mine = script("mine", 'echo "mine $*"')
    with Terminal(path, "list", **{"PATH": f"{mine.parent}:{os.environ['PATH']}"} | env) as terminal:
        said = terminal.end()
    assert said.startswith("NODE ") if shown is None else said.splitlines() == [shown]


def test_none_of_them_is_no_error(daemon, path, tmp_path):  # noqa: F811
    for program in ("env", "setsid"):
        (tmp_path / program).symlink_to(shutil.which(program))
    with Terminal(path, "list", PATH=str(tmp_path)) as terminal:
        assert terminal.end().startswith("NODE ")


def test_what_is_wrong_is_said_without_it(daemon, path, script):  # noqa: F811
    pager = str(script("pager", "echo pager; cat"))
    daemon.snapshot = b"not a snapshot" * 100
    with Terminal(path, *SHOW, PAGER=pager) as terminal:
        assert terminal.end(status=1).startswith("traceloopctl: trace node1_default_mypod: not a traceloop snapshot")
    with Terminal(path, "show", "x", PAGER=pager) as terminal:
        assert terminal.end(status=1).startswith("traceloopctl: no trace x")


def test_nothing_to_show_needs_none(daemon, path, script):  # noqa: F811
    with Terminal(path, *SHOW, "-n", "0", PAGER=str(script("pager", "echo pager; cat"))) as terminal:
        assert terminal.end() == ""


@pytest.mark.skipif(not shutil.which("less"), reason="needs less")
@pytest.mark.parametrize("typed", ["q", "\x03"])
@pytest.mark.parametrize("how", [(), ("-r",)])
def test_less_is_left_in_the_middle_and_the_terminal_is_as_before(daemon, path, typed, how):  # noqa: F811
    daemon.snapshot = written_ring(5000)
    with Terminal(path, *SHOW, *how) as terminal:
        before = terminal.settings()
        terminal.wait_for("lines 1-")
        terminal.type(" ")
        terminal.wait_for("lines 24-")
        assert terminal.settings() != before  # less reads single keys
        terminal.type_until(typed, terminal.has_ended)
        shown = terminal.end()
        assert "Traceback" not in shown
        assert "traceloopctl: " not in shown
        assert terminal.settings() == before


@pytest.mark.skipif(not shutil.which("less"), reason="needs less")
def test_less_goes_on_after_an_interrupt_if_it_is_to(daemon, path):  # noqa: F811
    daemon.snapshot = written_ring(5000)
    with Terminal(path, *SHOW, LESS="RM") as terminal:
        terminal.wait_for("lines 1-")
        terminal.type("\x03")
        terminal.type_until(" ", lambda: "lines 24-" in terminal.shown)
        terminal.type_until("q", terminal.has_ended)
        assert "Traceback" not in terminal.end()


def test_an_interrupt_without_a_pager_is_one_line(daemon, path):  # noqa: F811
    daemon.snapshot = written_ring(5000)  # more than a terminal buffers if nobody reads it
    with Terminal(path, *SHOW, "--no-pager") as terminal:
        terminal.wait_for(CALL)
        terminal.type("\x03")
        assert terminal.end(status=130).splitlines()[-1].endswith("traceloopctl: interrupted")


@pytest.mark.skipif(not shutil.which("less"), reason="needs less")
def test_long_lines_are_folded_not_cut(daemon, path):  # noqa: F811
    daemon.snapshot = written_ring(text=b"0123456789" * 20)
    with Terminal(path, *SHOW) as terminal:
        shown = terminal.end().replace(" \b", "")
    assert f'write(fd=1, buf="{"0123456789" * 20}", count=200) = 200' in shown


@pytest.mark.skipif(not shutil.which("less"), reason="needs less")
def test_less_ends_by_itself_where_all_fits_the_screen(daemon, path, ctl):  # noqa: F811
    with Terminal(path, *SHOW, "-n", "2") as terminal:
        assert terminal.end().splitlines() == ctl(*SHOW, "-n", "2").splitlines()
