# SPDX-License-Identifier: Apache-2.0
"""A runtime's start, compared with what strace sees of the same start: call by call, from the cgroup on."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import pytest
from lab import Daemon, make_bundle, make_root, pod_annotations
from recorded_cgroups import TIMEOUT_S, cgroup2_mount

from traceloop_decode.areas import RUNTIME

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

PURE_V2 = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup"
"""Makes cgroup2 be where crun looks for it."""
LINE = re.compile(r"(\d+) +(\d+\.\d+) (?:<\.\.\. )?(\w+)(\(| resumed>)(.*)")
MOVE = re.compile(r'\d+<([^>]*)/cgroup\.procs>, "(\d+)"')
PROGRAM = "/bin/cat"
CGROUP2 = cgroup2_mount() or Path("/sys/fs/cgroup")


class Seen(NamedTuple):
    """A call that strace saw: the number of its line, its name, and the beginning of its arguments."""

    line: int
    name: str
    words: str


class Strace:
    """The output of strace.

    returned: the calls that returned, by thread. moved: process -> lines at which the write that moved it began and
    returned.
    """

    def __init__(self, file: Path) -> None:
        self.returned: dict[int, list[Seen]] = {}
        self.moved: dict[int, tuple[int, int]] = {}
        begun: dict[int, Seen] = {}
        for number, line in enumerate(file.read_text(errors="replace").splitlines()):
            found = LINE.match(line)
            if found is None:  # a signal, or an end
                continue
            tid, words = int(found[1]), found[5]
            call = begun.pop(tid) if found[4] != "(" else Seen(number, found[3], words)
            if words.endswith("<unfinished ...>") or words.rstrip().endswith("= ?"):
                begun[tid] = call
            else:
                self.returned.setdefault(tid, []).append(call)
            move = MOVE.match(call.words) if call.name == "write" else None
            if move is not None and Path(move[1]).is_relative_to(CGROUP2):  # runc writes to others, too
                self.moved[int(move[2])] = call.line, number

    def of_runtime(self, tid: int) -> list[Seen]:
        """Returns a thread's calls up to the execve of the program."""
        calls = self.returned[tid]
        return list(takewhile(lambda call: (call.name, call.words[1 : len(PROGRAM) + 1]) != ("execve", PROGRAM), calls))


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(births=True, config='node = "n"\n') as daemon:
        yield daemon


def recorded(daemon: Daemon, trace: str) -> dict[int, list[str]]:
    """The runtime's calls, by thread, but for the return of the clone that made it, which strace does not show there."""
    found: dict[int, list[str]] = {}
    for event in map(json.loads, daemon.ctl("show", trace, "-o", "jsonl", "--runtime").stdout.splitlines()):
        if event.get("source") == RUNTIME and event["syscall"]:
            of_thread = found.setdefault(event["tid"], [])
            if of_thread or not (event["syscall"].startswith("clone") and event["ret"] == 0):
                of_thread.append(event["syscall"])
    return found


@pytest.mark.parametrize("runtime", ["runc", pytest.param("crun", marks=pytest.mark.engine("crun"))])
def test_the_start(daemon: Daemon, tmp_path: Path, runtime: str) -> None:
    """Every call that a thread of the runtime begins in the cgroup is there, in its order, until the program begins."""
    name, root = f"seen{runtime}", make_root(tmp_path / "root")
    bundle = make_bundle(tmp_path / name, root, [PROGRAM, "/no/such"], annotations=pod_annotations(name))
    file = tmp_path / "strace"
    strace = ["strace", "-f", "-y", "-ttt", "-s", "64", "-o", file]
    run = shlex.join(map(str, [*strace, runtime, "--root", tmp_path / "state", "run", "--bundle", bundle, name]))
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f"{PURE_V2}; exec {run}"]
    command = alone if runtime == "crun" else ["sh", "-c", f"exec {run}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, b"/no/such" in done.stderr) == (1, True), done.stderr
    daemon.wait_for_log(lambda line: f"frozen n_default_{name} " in line)
    there, seen = recorded(daemon, f"n_default_{name}"), Strace(file)
    assert sum(map(len, there.values())) > (800 if runtime == "runc" else 200)
    assert (there.keys() & seen.moved.keys() != set()) is (runtime == "runc")  # crun clones into the cgroup
    for tid, names in there.items():
        calls = seen.of_runtime(tid)
        returned = [call.name for call in calls]
        # By its own exit or another's execve a thread ends in a call: one of both may tell of a return.
        ended = len(calls) == len(seen.returned[tid])
        if tid in seen.moved:
            least, most = (sum(call.line > line for call in calls) for line in reversed(seen.moved[tid]))
            # The move may have met a call at its beginning, or in it.
            begins = range(max(len(calls) - most - 1, 0), len(calls) - least + 2)
        else:
            begins = range(1)
        assert any(is_same(names, returned[begin:], ended=ended) for begin in begins), (tid, names, returned)


def is_same(names: list[str], returned: list[str], *, ended: bool) -> bool:
    """Returns whether both have the same calls, but for a last one of either where the thread ended in it."""
    both = min(len(names), len(returned))
    return names[:both] == returned[:both] and max(len(names), len(returned)) - both <= ended
