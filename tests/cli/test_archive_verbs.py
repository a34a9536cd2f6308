# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl with archive files: dump writes them, show and info read them without a daemon."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from archives import INFO
from fake_daemon import FILE, NO_DAEMON, TIMEOUT_S, ctl, daemon, path, started

from traceloop_decode.archive_file import NONE, pack

pytestmark = pytest.mark.installed


def test_dump_writes_the_file_and_never_over_another(daemon, ctl, tmp_path):
    path = tmp_path / "f"
    assert ctl("dump", "node1_default_mypod", "--file", str(path)) == ""
    assert path.read_bytes() == daemon.file
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("mine, and longer" * 10_000)
    refused = f"{path} already exists: give --force to overwrite it"
    assert ctl("dump", "node1_default_mypod", "--file", str(path), status=1) == refused
    assert ctl("dump", "node1_default_mypod", "--file", str(path), status=1, env={"TRACELOOP_ADDRESS": "unix:/x"})
    assert path.read_text().startswith("mine")
    ctl("dump", "node1_default_mypod", "--file", str(path), "--force")
    assert path.read_bytes() == daemon.file
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    assert "already exists" in ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "dangling"), status=1)


def test_dump_to_stdout(daemon, ctl, path):
    with started(path, "dump", "node1_default_mypod", "--file", "-", stdout=subprocess.PIPE) as process:
        assert process.stdout.read() == daemon.file
        assert process.wait(TIMEOUT_S) == 0
    ours, terminal = os.openpty()
    with started(path, "dump", "node1_default_mypod", "--file", "-", stdout=terminal, text=True) as process:
        assert process.stderr.read().startswith("traceloopctl: An archive file is binary and not for a terminal: ")
        assert process.wait(TIMEOUT_S) == 2
    os.close(terminal)
    os.close(ours)


def test_what_the_daemon_did_not_pack_is_packed(daemon, ctl, tmp_path):
    daemon.file = pack(INFO, daemon.snapshot, NONE)
    ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == pack(INFO, daemon.snapshot)


def test_a_damaged_trace_is_not_dumped(daemon, ctl, tmp_path):
    daemon.file = daemon.file[:-1]
    message = ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "f"), status=1)
    assert message.startswith("trace node1_default_mypod: truncated archive: ")
    assert not (tmp_path / "f").exists()


def test_half_a_dump_does_not_stay(daemon, ctl, tmp_path):
    full = Path("/dev/full")
    message = ctl("dump", "node1_default_mypod", "--file", str(full), "--force", status=1)
    assert message == "cannot write /dev/full: No space left on device; name another place"
    assert full.is_char_device()
    limited = ("prlimit", "--fsize=100")
    message = ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "f"), status=1, prefix=limited)
    assert message == f"cannot write {tmp_path}/f: File too large; name another place"
    assert not (tmp_path / "f").exists()
    message = ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "x" / "f"), status=1)
    assert message == f"cannot write {tmp_path}/x/f: No such file or directory; create its directory first"


def test_an_overwritten_file_is_its_owners_alone_and_stays_if_the_new_one_cannot_be_written(daemon, ctl, tmp_path):
    old, link = tmp_path / "f", tmp_path / "link"
    old.write_text("mine")
    old.chmod(0o644)
    link.symlink_to("f")
    words = ("dump", "node1_default_mypod", "--force", "--file")
    message = ctl(*words, str(link), status=1, prefix=("prlimit", "--fsize=100"))
    assert message == f"cannot write {link}: File too large; name another place"
    assert old.read_text() == "mine"
    ctl(*words, str(link))
    assert old.read_bytes() == daemon.file
    assert old.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()
    assert {one.name for one in tmp_path.iterdir()} == {"f", "link"}


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_a_directory_is_no_place_for_a_dump(daemon, ctl, tmp_path, words):
    message = ctl("dump", "node1_default_mypod", "--file", str(tmp_path), *words, status=1)
    assert message == f"cannot write {tmp_path}: Is a directory; name a file in it"


def test_a_file_is_shown_without_a_daemon(daemon, ctl, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(daemon.file)
    for form in ("short", "strace", "classic", "json", "jsonl"):
        shown = ctl("show", "node1_default_mypod", "-o", form)
        assert ctl("show", "--file", str(path), "-o", form, *NO_DAEMON) == shown
    with path.open() as stdin:
        assert ctl("show", "--file", "-", *NO_DAEMON, stdin=stdin) == ctl("show", "node1_default_mypod")
    values = dict(line.split(": ", 1) for line in ctl("info", "--file", str(path), *NO_DAEMON).splitlines())
    assert values["id"] == "node1_default_mypod"
    assert (values["state"], values["exit_code"], values["signal"]) == ("archived", "42", "-")
    assert (values["events"], values["lost"], values["size_bytes"]) == ("1234", "34", str(len(daemon.file)))
    assert values["ended"] == "2023-11-14T22:13:21.000000000Z"
    assert (values["capture"], values["ring_size_bytes"]) == ("no-payload", "32768")
    assert (values["arch"], values["kernel"], values["version"]) == ("x86_64", "6.1.0-18-amd64", "0.1.0")


@pytest.mark.parametrize(
    ("content", "reason", "state"),
    [
        (FILE[:-1], "truncated archive: ", "truncated"),
        (FILE[:50], "truncated archive: ", None),
        (FILE + b"x", "damaged archive: ", "error"),
        (FILE[:-1] + b"x", "damaged archive: its checksum is wrong", "error"),
        (b"", "truncated archive: cut off within its head, after 0 bytes", None),
        (b"x" * 100, "not a traceloop archive: it does not begin with TLTRACE", None),
        (FILE[:8] + b"\3" + FILE[9:], "archive version 3 is not known here, only 1: use the", None),
        (pack(INFO, b"no snapshot"), "not a traceloop snapshot", "archived"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(ctl, tmp_path, content, reason, state):
    path = tmp_path / "f"
    path.write_bytes(content)
    assert ctl("show", "--file", str(path), *NO_DAEMON, status=1).startswith(f"{path}: {reason}")
    if state is None:
        assert ctl("info", "--file", str(path), *NO_DAEMON, status=1).startswith(f"{path}: {reason}")
    else:
        assert f"state: {state}\n" in ctl("info", "--file", str(path), *NO_DAEMON)


@pytest.mark.parametrize("verb", ["show", "info"])
def test_a_file_that_cannot_be_read(ctl, tmp_path, verb):
    hint = "`traceloopctl dump` writes such files"
    message = ctl(verb, "--file", "/nonexistent/f", status=1)
    assert message == f"cannot read /nonexistent/f: No such file or directory; {hint}"
    assert ctl(verb, "--file", str(tmp_path), status=1) == f"cannot read {tmp_path}: Is a directory; name a file in it"
    assert "ID and --file are mutually exclusive." in ctl(verb, "x", "--file", "f", status=2)
