# SPDX-License-Identifier: Apache-2.0
"""podman's database, SQLite and bbolt: one container is found in a few pages, without writes and without waiting."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from bolt_writer import PAGE
from hypothesis import given
from hypothesis import strategies as st
from podman_files import CONFIG, ID, POD, TABLES, in_bolt, in_sqlite

from traceloop_daemon.errors import EngineBusy
from traceloop_daemon.naming import bolt, podman_db

_WRITE = """
import sqlite3, sys
try:
    with sqlite3.connect(sys.argv[1], timeout=0.1) as data_base:
        data_base.execute("UPDATE ContainerConfig SET JSON = ''")
except sqlite3.OperationalError as error:
    print(error)
"""


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_container_and_its_pod_are_found_while_podman_has_the_file_open(tmp_path, mode):
    with closing(in_sqlite(tmp_path, mode=mode)):
        assert podman_db.find(tmp_path, ID) == podman_db.Found(CONFIG, POD)
        assert podman_db.find(tmp_path, "1" * 64) is None
        other = podman_db.find(tmp_path, f"{7:064x}")
    assert (other.config["name"], other.pod) == ("other-7", {})


def test_a_directory_may_have_a_name_of_any_bytes(tmp_path):
    directory = tmp_path / os.fsdecode(b"caf\xe9 %41?")
    directory.mkdir()
    in_sqlite(directory).close()
    assert podman_db.find(directory, ID) == podman_db.Found(CONFIG, POD)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_nothing_is_written_where_no_one_has_it_open(tmp_path, mode):
    in_sqlite(tmp_path, mode=mode).close()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert podman_db.find(tmp_path, ID) == podman_db.Found(CONFIG, POD)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_what_is_in_the_log_alone_is_found_without_leave_to_write(tmp_path):
    if os.geteuid():
        pytest.skip("needs root, to become another")
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o005 != 0o005:
            parent.chmod(0o755)
    with closing(in_sqlite(tmp_path, mode="WAL")):
        assert (tmp_path / "db.sql-wal").stat().st_size > 0
        child = os.fork()
        if not child:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os._exit(podman_db.find(tmp_path, ID) != podman_db.Found(CONFIG, POD))
        assert os.waitpid(child, 0)[1] == 0


def test_a_writer_is_not_waited_for(tmp_path):
    with closing(in_sqlite(tmp_path)) as data_base:
        data_base.execute("BEGIN EXCLUSIVE")
        began_s = time.monotonic()
        with pytest.raises(EngineBusy, match="is locked"):
            podman_db.find(tmp_path, ID)
        assert time.monotonic() - began_s < 10  # podman itself waits for 100 s
        data_base.execute("ROLLBACK")
        assert podman_db.find(tmp_path, ID) == podman_db.Found(CONFIG, POD)


def test_a_thread_that_looks_a_container_up_leaves_another_its_lock(tmp_path, monkeypatch):
    """Closing a file ends all of the process's locks on it: podman would write what another thread reads."""
    in_sqlite(tmp_path).close()
    is_reading, is_over = threading.Event(), threading.Event()

    def slow(value: object) -> bytes:
        is_reading.set()
        is_over.wait(5)
        return str(value).encode()

    query = podman_db._QUERY.replace("SELECT c.JSON,", "SELECT slow(c.JSON),")
    connect = sqlite3.connect

    def connected(*how, **more):
        data_base = connect(*how, **more)
        data_base.create_function("slow", 1, slow)
        return data_base

    monkeypatch.setattr(podman_db, "_QUERY", query)
    monkeypatch.setattr(podman_db.sqlite3, "connect", connected)
    thread = threading.Thread(target=podman_db.find, args=(tmp_path, ID))
    thread.start()
    assert is_reading.wait(5)
    with suppress(EngineBusy):
        podman_db.find(tmp_path, "1" * 64)
    write = [sys.executable, "-c", _WRITE, tmp_path / "db.sql"]
    child = subprocess.run(write, check=False, capture_output=True, text=True)
    is_over.set()
    thread.join()
    assert child.stdout == "database is locked\n"


def test_a_table_that_would_have_to_be_searched_is_not(tmp_path):
    with closing(sqlite3.connect(tmp_path / "db.sql")) as data_base:
        data_base.executescript(TABLES.replace("PRIMARY KEY", "").replace("UNIQUE", ""))
        rows = [(f"{number:064x}", f"c{number}", None, "{}") for number in range(20_000)]
        data_base.executemany("INSERT INTO ContainerConfig VALUES (?, ?, ?, ?)", [*rows, (ID, "c", None, "{}")])
        data_base.commit()
    assert podman_db.find(tmp_path, ID) is None


@pytest.mark.parametrize("transaction", [7, 8])
@pytest.mark.parametrize("count", [0, 1, 50, 400])
def test_bbolt(tmp_path, count, transaction):
    in_bolt(tmp_path, count=count, transaction=transaction)
    assert podman_db.find(tmp_path, ID) == podman_db.Found(CONFIG, POD)
    assert podman_db.find(tmp_path, "1" * 64) is None
    for number in range(0, count, 7):
        assert podman_db.find(tmp_path, f"{number:064x}").config["name"] == f"other-{number}"


def test_a_few_pages_are_read_of_a_data_base_of_many(tmp_path, monkeypatch):
    path = in_bolt(tmp_path, count=2000, fan_out=40)
    read = []
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: read.append(size) or real(fd, size, at))
    assert podman_db.find(tmp_path, ID) == podman_db.Found(CONFIG, POD)
    assert path.stat().st_size > 8 << 20
    assert sum(read) < 1 << 20


def test_bbolt_while_a_writer_goes_on(tmp_path, monkeypatch):
    """Pages that a concurrent transaction may have overwritten are read again."""
    path = in_bolt(tmp_path, count=5)
    later = in_bolt(tmp_path / "later", count=0, transaction=8).read_bytes()
    real, calls = os.pread, []

    def pread(fd: int, size: int, at: int) -> bytes:
        calls.append(at)
        if len(calls) == 6:  # after the meta pages were read
            path.write_bytes(later)
        return real(fd, size, at)

    monkeypatch.setattr(os, "pread", pread)
    assert podman_db.find(tmp_path, ID) == podman_db.Found(CONFIG, POD)
    assert podman_db.find(tmp_path, f"{0:064x}") is None


@pytest.mark.parametrize("name", ["db.sql", "libpod/bolt_state.db"])
@pytest.mark.parametrize("data", [b"", b"no data base", b"\0" * 3 * PAGE])
def test_what_is_no_data_base_tells_nothing(tmp_path, name, data):
    (tmp_path / "libpod").mkdir()
    (tmp_path / name).write_bytes(data)
    assert podman_db.find(tmp_path, ID) is None


@given(noise=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=16)), min_size=1, max_size=8))
def test_a_damaged_bbolt_file_gives_a_value_or_one_error(tmp_path_factory, noise):
    path = in_bolt(tmp_path_factory.mktemp("bolt"), count=9)
    data = bytearray(path.read_bytes())
    for at, value in noise:
        at %= len(data)  # noqa: PLW2901
        data[at : at + len(value)] = value
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        bolt.get(fd, (b"ctr", ID.encode(), b"config"))
    except bolt.BoltError as error:
        assert "\n" not in str(error)
    finally:
        os.close(fd)
