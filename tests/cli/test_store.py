# SPDX-License-Identifier: Apache-2.0
"""traceloopctl --archive: what was shipped, in a directory (rclone's local backend), and in a real S3 server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from archives import INFO, encoded_snapshot, info
from lab import s3

from traceloop_decode.archive_file import pack
from traceloop_decode.file_names import file_name

pytestmark = [pytest.mark.installed, pytest.mark.engine("rclone")]
BIN = Path(sys.executable).parent
TIMEOUT_S = 120


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def ctl(store):
    def run(*words, place=f":local:{store}", status=0, env=None):
        command = [BIN / "traceloopctl", "--archive", place, *words]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=env or os.environ
        )
        assert ended.returncode == status, ended
        return ended.stderr if status else ended.stdout

    return run


def put(store, about=INFO, *, cluster="prod", contents=None):
    path = store / cluster / "2023-11-14" / about.node / about.boot_id / file_name(about.trace_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(about, encoded_snapshot()) if contents is None else contents)
    return path


def test_a_shipped_trace_is_listed_and_read_as_a_file_is(store, ctl):
    path = put(store)
    (row,) = ctl("list", "--no-legend").splitlines()
    assert row.split()[:4] == ["node1", "node1_default_mypod", "archived", "42"]
    (listed,) = json.loads(ctl("list", "-o", "json"))
    assert (listed["namespace"], listed["events"], listed["labels"]["note"]) == ("default", 1234, "\N{SNOWMAN}")
    file = subprocess.run([BIN / "traceloopctl", "show", "--file", path], capture_output=True, text=True, check=True)
    assert '"42\\n"' in file.stdout
    for word in ("node1_default_mypod", "node1_def", "0123456789", str(path.relative_to(store))):
        assert ctl("show", word) == file.stdout
    assert "id: node1_default_mypod" in ctl("info", "node1_def").splitlines()


def test_dump_gives_the_objects_bytes(store, ctl, tmp_path):
    path = put(store)
    ctl("dump", "node1_default_mypod", "--file", str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == path.read_bytes()


def test_many_traces_of_many_nodes(store, ctl):
    for number in range(40):
        about = replace(info(f"n{number}_a"), node=f"n{number % 7}", started_ns=number + 1, boot_id=f"b{number % 3}")
        long = {"note": "x" * 60 * number}  # so that some heads exceed what is read at first, and others do not
        put(store, replace(about, labels=long if number % 5 == 0 else long | {"more": "y" * 4000}))
    listed = json.loads(ctl("list", "-o", "json"))
    assert [one["id"] for one in listed] == [f"n{number}_a" for number in range(40)]
    assert {one["state"] for one in listed} == {"archived"}


def test_damaged_objects_harm_no_other(store, ctl):
    put(store, info("a"))
    put(store, info("b"), contents=b"TLTRACE\nnonsense")
    put(store, info("c"), contents=pack(info("c"), encoded_snapshot())[:-50])
    put(store, info("d"), contents=b"")
    put(store, info("e"))
    listed = {one["id"]: one["state"] for one in json.loads(ctl("list", "-o", "json"))}
    assert listed == {"a": "archived", "b": "error", "c": "truncated", "d": "error", "e": "archived"}
    assert "c.trace: truncated archive: " in ctl("show", "c", status=1)


def test_names_that_others_gave_to_objects_harm_no_other(store, ctl):
    put(store, info("a"))
    for name in ("x\N{LINE SEPARATOR}y", "x\x85y", "x\ny", "x\33[2Jy", "x\udcffy", "-x", "9\t9"):
        path = put(store, info("b"))
        path.rename(path.with_name(f"{name}.trace"))
    listed = [(one["id"], one["state"]) for one in json.loads(ctl("list", "-o", "json"))]
    assert sorted(listed) == [("a", "archived"), *[("b", "archived")] * 7]
    assert ctl("list").isascii()
    assert '"42\\n"' in ctl("show", "a")


def test_ids_that_fit_several_or_none(store, ctl):
    put(store, info("web_1"))
    put(store, info("web_2"))
    assert "web fits 2 traces; give more of the id: web_1, web_2" in ctl("show", "web", status=1)
    put(store, replace(info("web_1"), boot_id="later"))
    said = ctl("show", "web_1", status=1)
    assert re.search(
        r"give more of the id: prod/2023-11-14/node1/\S+/web_1\.trace, prod/\S+/later/web_1\.trace\n", said
    )
    assert '"42\\n"' in ctl("show", "prod/2023-11-14/node1/later/web_1.trace")
    assert "no trace nosuch in :local:" in ctl("show", "nosuch", status=1)


def test_an_archive_is_only_read(store, ctl):
    put(store)
    for words in (("close", "node1_default_mypod"), ("stats",), ("list", "--follow")):
        assert "is an archive, which list, show, info and dump can read; ask a node for the rest" in ctl(
            *words, status=1
        )
    assert "doctor concerns the machine" in ctl("doctor", status=2)
    assert "cannot be combined" in ctl("-H", "x", "list", status=2)


def test_stores_that_cannot_be_read(store, ctl):
    assert ctl("list", "--no-legend").strip() == f":local:{store}"  # nothing was shipped yet
    assert "rclone: " in ctl("list", place="nosuch:traces", status=1)
    assert "'nowhere' is not of the form REMOTE:PREFIX" in ctl("list", place="nowhere", status=2)
    said = ctl("list", status=1, env={"PATH": "/nonexistent"})
    assert said == "traceloopctl: cannot run rclone: No such file or directory; install it, or see its place in PATH\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not s3.PROGRAM.exists():
        pytest.skip(f"needs {s3.PROGRAM}: `make test-engines` fetches it")
    with s3.S3(tmp_path_factory.mktemp("s3")) as server:
        yield server


def test_from_a_node_that_may_only_write_to_a_reader_that_may_only_read(server, ctl, tmp_path):
    (tmp_path / "archive").mkdir()
    for trace_id in ("node1_default_mypod", "node1_default_other"):
        (tmp_path / "archive" / file_name(trace_id)).write_bytes(pack(info(trace_id), encoded_snapshot()))

    def ship(remote):
        settings = f'to = "{remote}:{s3.BUCKET}/fleet"\ncluster = "prod"\narchive = "{tmp_path}/archive"\n'
        (tmp_path / "ship.toml").write_text(settings)
        words = [BIN / "traceloop-ship", "--config", tmp_path / "ship.toml", "--state-dir", tmp_path / "state"]
        return subprocess.run(words, env=server.env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    refused = ship("read")
    assert refused.returncode == 1
    assert "AccessDenied" in refused.stderr
    assert ship("ship").returncode == 0
    place = f"read:{s3.BUCKET}/fleet"
    rows = ctl("list", "--no-legend", place=place, env=server.env).splitlines()
    assert [row.split()[1] for row in rows] == ["node1_default_mypod", "node1_default_other"]
    assert '"42\\n"' in ctl("show", "node1_default_mypod", place=place, env=server.env)
    assert "AccessDenied" in ctl("list", place=f"ship:{s3.BUCKET}/fleet", env=server.env, status=1)
