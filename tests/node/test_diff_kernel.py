# SPDX-License-Identifier: Apache-2.0
"""Runs of one program that the real recorder recorded, compared: two good ones, and a good one with each kind of failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from recorded_cgroups import Container

from traceloop_bpf.tracer import Tracer
from traceloop_cli.exports.events import program
from traceloop_decode.comparing.compare import Difference, compare
from traceloop_decode.comparing.profile import Profile, profile
from traceloop_decode.comparing.report import fields, lines

pytestmark = pytest.mark.kernel

# A program with threads, children, temporary files, a server, and numbers that differ from run to run.
PROGRAM = """
import os, socket, subprocess, sys, tempfile, threading, time
directory, port = sys.argv[1], int(sys.argv[2])
print(f"{time.time()} started as {os.getpid()}", flush=True)
def work(number):
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        file.write(os.urandom(64))
    with open(f"{directory}/part{number}") as file:
        file.read()
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with open(f"{directory}/out-{os.getpid()}", "w") as file:
    file.write("x")
settings = open(f"{directory}/settings").read()
with socket.create_connection(("127.0.0.1", port)) as connection:
    connection.sendall(b"hello")
if subprocess.run(["cat", f"{directory}/data"], stdout=subprocess.DEVNULL).returncode:
    sys.exit(3)
if "slow" in settings: time.sleep(0.5)
print("done", flush=True)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name in ("settings", "data", *(f"part{number}" for number in range(4))):
        (tmp_path / name).write_text("quick")
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


Run = Callable[..., Profile]


@pytest.fixture
def run(tracer: Tracer, directory: Path, port: int) -> Run:
    def run_program(status: int = 0, to: int | None = None, code: str = PROGRAM, **environment: str) -> Profile:
        with Container(tracer, ring_size=8 << 20) as container:
            words = ("/usr/bin/python3", "-ISc", code, str(directory), str(port if to is None else to))
            with container.start(*words, stderr=-3, env={"PATH": os.defpath} | environment) as process:
                process.communicate(timeout=60)
            assert process.returncode == status
            return profile(program(container.snapshot()))

    return run_program


def text(found: Difference, a: Profile, b: Profile) -> str:
    shown = list(lines(found, a, b))
    assert len(shown) <= 24, "more than one screen"
    assert all(line.isprintable() and line.isascii() for line in shown)
    print("\n".join(shown), file=sys.stderr)
    return "\n".join(shown)


def test_two_good_runs_do_the_same(run: Run) -> None:
    a, b = run(), run()
    found = compare(a, b)
    assert found.same, text(found, a, b)
    assert fields(found, a, b)["divergence"] is None
    assert a.lost == b.lost == 0
    assert len(a.processes) == len(b.processes) > 1


def test_a_file_that_is_missing(run: Run, directory: Path) -> None:
    a = run()
    (directory / "settings").unlink()
    b = run(status=1)
    found = compare(a, b)
    shown = text(found, a, b)
    assert found.divergence is not None
    assert found.divergence.a is not None
    assert found.divergence.b is not None
    assert (found.divergence.a.call.name, found.divergence.b.call.result) == ("openat", -2)
    changed = {change.what.rsplit("/", 1)[1]: (change.a, change.b) for change in found.files if change.a and change.b}
    assert changed == {"settings": ("ok", "ENOENT")}
    (end,) = found.ends
    assert (end.a, end.b) == ("exited with 0", "exited with 1")
    assert any("FileNotFoundError" in line for line in found.output)
    assert "First difference" in shown
    assert "settings: ok -> ENOENT" in shown
    assert found.only_a[0].startswith("cat ")


def test_a_peer_that_refuses(run: Run) -> None:
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        a, b = run(), run(status=1, to=unused.getsockname()[1])
    found = compare(a, b)
    assert "ECONNREFUSED" in text(found, a, b)
    failed = found.failure or found.divergence
    assert failed is not None
    assert failed.b is not None
    assert (failed.b.call.name, failed.b.call.result) == ("connect", -111)


def test_a_child_that_fails(run: Run, directory: Path) -> None:
    a = run()
    (directory / "data").unlink()
    b = run(status=3)
    found = compare(a, b)
    shown = text(found, a, b)
    assert found.divergence is not None
    assert found.divergence.b is not None
    assert found.divergence.b.process.startswith("cat ")
    assert {(change.a, change.b) for change in found.ends} == {
        ("exited with 0", "exited with 1"),
        ("exited with 0", "exited with 3"),
    }
    assert "data: ok -> ENOENT" in shown


def test_a_run_that_takes_longer_and_has_another_environment(run: Run, directory: Path) -> None:
    a = run()
    (directory / "settings").write_text("slow")
    b = run(ONE_MORE="1")
    found = compare(a, b)
    shown = text(found, a, b)
    assert found.divergence is None
    assert [(one.name, one.a_ns) for one in found.slower][:1] == [("clock_nanosleep", 0)]
    assert found.slower[0].b_ns >= 500_000_000
    (change, *_) = found.variables
    assert int(change.b) == int(change.a) + 1
    assert f"{change.a} -> {change.b} variables" in shown


def test_a_run_that_stops_earlier_without_any_error(run: Run) -> None:
    a, b = run(), run(code=PROGRAM.replace("settings =", "os._exit(0); settings ="))
    found = compare(a, b)
    assert "left out" in text(found, a, b)
    assert found.divergence is None
    assert found.left_out is not None
    assert found.left_out.a is not None
    assert b"settings" in found.left_out.a.call.items[1][0].data
