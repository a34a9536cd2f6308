# SPDX-License-Identifier: Apache-2.0
"""A real container as the views and filters show it: its program, files, processes, output and waits."""

from __future__ import annotations

import json
import re

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

SCRIPT = """\
echo out; echo err >&2; echo hidden >/tmp/made; cat /etc/none; rm /tmp/made
sleep 0.3 & wait
sh -c 'exit 7'
exit 3
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Runs a container, and returns what runs traceloopctl with its trace's id after the verb."""
    directory = tmp_path_factory.mktemp("views")
    with Daemon(config='node = "n"\n') as daemon, Runc(directory / "runc") as runc:
        root = make_root(directory / "root")
        bundle = make_bundle(directory / "c", root, ("sh", "-c", SCRIPT), hooks=hooks(daemon.hook_socket))
        assert runc.run(bundle, "seen").returncode == 3
        daemon.wait_for_log(lambda line: "frozen n_seen " in line)

        def run(verb, *words):
            return daemon.ctl(verb, "n_seen", *words).stdout

        yield run


def objects(text):
    (made,) = json.loads(text)
    assert made["lost"] == []
    return made["rows"]


def test_text_begins_at_the_program(shown):
    note, first, *rest = shown("show").splitlines()
    assert re.fullmatch(
        r"--- [\d,]+ events of the container runtime, \d\.\d{3} s before the program, are not shown: see --runtime ---",
        note,
    )
    assert re.search(r'\] execve\(filename="\S*sh", argv=\["sh", "-c", ', first)
    assert "runc:[" not in "".join(rest)
    runtime = [line for line in shown("show", "--runtime").splitlines() if " --- calls of the runtime" not in line]
    assert runtime[-len(rest) :] == rest
    assert len(runtime) - len(rest) - 1 == int(note.split()[1].replace(",", ""))
    assert "runc:[2:INIT]" in runtime[0]


def test_what_it_printed(shown):
    rows = objects(shown("stdio", "-o", "json"))
    assert [(row["stream"], row["text"]) for row in rows] == [
        ("out", "out"),
        ("err", "err"),
        ("err", "cat: can't open '/etc/none': No such file or directory"),
    ]


def test_its_files(shown):
    rows = {row["path"]: row for row in objects(shown("files", "-o", "json"))}
    made, none = rows["/tmp/made"], rows["/etc/none"]
    assert (made["created"], made["removed"], made["written_bytes"]) == (1, 1, len("hidden\n"))
    assert (none["opened"], none["missing"]) == (0, 1)


def test_its_processes(shown):
    rows = objects(shown("processes", "-o", "json"))
    first, *children = rows
    assert (first["end"], first["depth"], first["parent"]) == ("exit 3", 0, None)
    assert first["command"].startswith("sh -c ")
    assert {row["parent"] for row in children} == {first["pid"]}
    ends = {row["command"]: row["end"] for row in children}
    assert ends["cat /etc/none"] == "exit 1"
    assert ends["sh -c 'exit 7'"] == "exit 7"
    (sleep,) = [row for row in children if row["command"] == "sleep 0.3"]
    assert 300_000_000 <= sleep["lasted_ns"] < 3_000_000_000


def test_its_longest_waits(shown):
    rows = objects(shown("slow", "-n", "2", "-o", "json"))
    assert {row["call"].partition("(")[0] for row in rows} <= {"nanosleep", "clock_nanosleep", "wait4", "rt_sigsuspend"}
    assert all(300_000_000 <= row["duration_ns"] < 3_000_000_000 for row in rows)


def test_filters(shown):
    (missing,) = [line for line in shown("show", "--errno", "ENOENT").splitlines() if "/etc/none" in line]
    pid = re.search(r" pid (\d+) ", missing)[1]
    own = shown("show", "-p", pid).splitlines()[1:]
    assert {re.search(r" pid (\d+) ", line)[1] for line in own} == {pid}
    assert own[-1].endswith("+++ exited with 1 +++")
    slept = shown("show", "--where", "duration >= 300ms && syscall =~ 'nanosleep'", "-T").splitlines()[1:]
    assert len(slept) == 1
    assert re.search(r" = 0 <0\.3\d+>$", slept[0])
    assert shown("show", "--around", missing.split()[0], "-n", "1").splitlines() == [missing]
    (written,) = shown("show", "-e", "write", "--fd-path", "/tmp/made").splitlines()[1:]
    assert 'buf="hidden\\n"' in written
