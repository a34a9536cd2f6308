# SPDX-License-Identifier: Apache-2.0
"""A runtime's start, compared with what strace sees of the same start: call by call, from the cgroup on."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from lab import Daemon, make_bundle, make_root, pod_annotations
from recorded_cgroups import TIMEOUT_S

from traceloop_decode.areas import RUNTIME

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

PURE_V2 = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup"
"""Makes cgroup2 be where crun looks for it."""
LINE = re.compile(r"(\d+) +(\d+\.\d+) (?:(<\.\.\. )?(\w+)(?:\(| resumed))")
MOVE = re.compile(r'\d+ +(\d+\.\d+) (?:write|openat2?)\(.*/cgroup\.procs>?, "(\d+)')


class Seen(NamedTuple):
    """A call that strace saw: when it began and returned (s), and its name."""

    began_s: float
    returned_s: float
    name: str


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(births=True, config='node = "n"\n') as daemon:
        yield daemon


def seen_by_strace(file: Path) -> tuple[dict[int, list[Seen]], dict[int, float]]:
    """The calls that returned, by thread, and when each process was put into a cgroup (s)."""
    seen: dict[int, list[Seen]] = {}
    begun: dict[int, tuple[float, str]] = {}
    moved: dict[int, float] = {}
    for line in file.read_text(errors="replace").splitlines():
        found = LINE.match(line)
        if found is None:  # a signal, or an end
            continue
        tid, at_s, resumed, name = int(found[1]), float(found[2]), found[3], found[4]
        if resumed:
            began_s, name = begun.pop(tid)
            seen.setdefault(tid, []).append(Seen(began_s, at_s, name))
        elif line.endswith("<unfinished ...>"):
            begun[tid] = at_s, name
        elif not line.endswith("= ?"):
            seen.setdefault(tid, []).append(Seen(at_s, at_s, name))
        if move := MOVE.match(line):
            moved[int(move[2])] = float(move[1])
    return seen, moved


@pytest.mark.parametrize("runtime", ["runc", pytest.param("crun", marks=pytest.mark.engine("crun"))])
def test_the_start(daemon: Daemon, tmp_path: Path, runtime: str) -> None:
    """Every call that a thread of the runtime begins in the cgroup is there, in its order, until the program begins."""
    name = f"seen{runtime}"
    words = ["/bin/cat", "/no/such"]
    bundle = make_bundle(tmp_path / name, make_root(tmp_path / "root"), words, annotations=pod_annotations(name))
    file = tmp_path / "strace"
    strace = ["strace", "-f", "-y", "-ttt", "-s", "16", "-o", file]
    run = shlex.join(map(str, [*strace, runtime, "--root", tmp_path / "state", "run", "--bundle", bundle, name]))
    alone = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f"{PURE_V2}; exec {run}"]
    command = alone if runtime == "crun" else ["sh", "-c", f"exec {run}"]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False).returncode == 1
    trace = f"n_default_{name}"
    daemon.wait_for_log(lambda line: f"frozen {trace} " in line)
    lines = daemon.ctl("show", trace, "-o", "jsonl", "--all").stdout.splitlines()
    recorded: dict[int, list[str]] = {}
    for event in map(json.loads, lines):
        if event.get("source") == RUNTIME and event["syscall"]:
            recorded.setdefault(event["tid"], []).append(event["syscall"])
    seen, moved = seen_by_strace(file)
    entered = [tid for tid in recorded if tid in moved]
    assert entered, (sorted(recorded), moved)
    assert sum(map(len, recorded.values())) > 100
    for tid, names in recorded.items():
        theirs = seen[tid]
        ends = next((n for n, call in enumerate(theirs) if call.name == "execve" and tid in entered and n), None)
        print(runtime, tid, len(names), len(theirs), ends, moved.get(tid))
    raise AssertionError
