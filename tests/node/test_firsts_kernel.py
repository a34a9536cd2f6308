# SPDX-License-Identifier: Apache-2.0
"""A program's first calls are still told after 100,000 others, in a ring that holds a few thousand."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from recorded_cgroups import Container, Workloads

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode.areas import FIRSTS
from traceloop_decode.events import RING, events
from traceloop_decode.forgotten import CALLS
from traceloop_decode.model import Call, Entered, Event, Lost, Returned, TaskExit
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import jsonl, short
from traceloop_decode.totals import Total

pytestmark = pytest.mark.kernel

ROUNDS = 40_009  # a prime; a write, a getppid and an lseek each
PAYLOAD = b"x" * 13
PROGRAM = f"""
import os, socket, sys
conf, missing = sys.argv[1:3]
open(conf).read()
try:
    open(missing)
except FileNotFoundError:
    pass
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
refused = socket.socket()
refused.bind(("127.0.0.1", 0))
port = refused.getsockname()[1]
try:
    socket.socket().connect(("127.0.0.1", port))
except ConnectionRefusedError:
    pass
null = os.open("/dev/null", os.O_WRONLY)
for _ in range({ROUNDS}):
    os.write(null, {PAYLOAD!r})
    os.getppid()
    os.lseek(null, 0, 0)
print(listening.getsockname()[1], port)
sys.exit(3)
"""


@dataclass(frozen=True)
class Run:
    """A container that has ended: its snapshot, the files and ports that the program used."""

    snapshot: Snapshot
    program: str
    conf: str
    missing: str
    listened: int
    refused: int

    @property
    def found(self) -> list[Event]:
        return list(events(self.snapshot))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    directory = tmp_path_factory.mktemp("firsts")
    conf, missing, program = (directory / name for name in ("app.conf", "none.conf", "app.py"))
    conf.write_text("port = 1\n")
    program.write_text(PROGRAM)
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    with closing(Tracer.load(Plan(ring_size=128 << 10, pool_size=2))) as tracer, Container(tracer) as container:
        (line,) = container.run(python, "-I", "-S", str(program), str(conf), str(missing), status=3)
        listened, refused = map(int, line.split())
        yield Run(container.snapshot(), python, str(conf), str(missing), listened, refused)


def lines(run: Run) -> list[str]:
    return list(short.lines(run.found, run.snapshot))


def only(found: list[str], *words: str) -> str:
    (line,) = (line for line in found if all(word in line for word in words))
    return line


def test_how_it_began_and_what_failed_is_told(run: Run) -> None:
    found = lines(run)
    assert len(found) < ROUNDS / 4
    started = only(found, "execve(", "app.py", ") = 0")
    assert f'filename="{run.program}"' in started
    assert f'"{run.conf}", "{run.missing}"]' in started
    assert only(found, "openat(", run.conf).endswith(" = 3")
    assert only(found, "openat(", run.missing).endswith("= -1 ENOENT (No such file or directory)")
    assert "127.0.0.1" in only(found, " bind(", "sin_port=htons(0)")
    assert only(found, " listen(").endswith(" = 0")
    refused = only(found, "connect(", f"htons({run.refused})")
    assert refused.endswith("= -1 ECONNREFUSED (Connection refused)")
    assert found[-1].endswith("+++ exited with 3 +++")


def test_each_is_told_once_and_in_the_order_of_time(run: Run) -> None:
    times = [line[:15] for line in lines(run)]
    assert times == sorted(times)
    begun = [event for event in run.found if isinstance(event, Call | Entered)]
    calls = [event if isinstance(event, Call) else event.call for event in begun]
    assert len({(call.ts_ns, call.tid, call.name) for call in calls}) == len(calls)
    assert len([event for event in run.found if isinstance(event, TaskExit)]) == 1


def test_the_gap_accounts_for_every_call(run: Run) -> None:
    totals = run.snapshot.totals
    assert totals is not None
    assert totals.native[110] == Total(ROUNDS, 0)
    assert (totals.native[42], totals.native[1].calls) == (Total(1, 1), ROUNDS + 2)  # its message, and how it entered
    assert totals.written_bytes >= ROUNDS * len(PAYLOAD)
    (gap,) = (event for event in run.found if isinstance(event, Lost) and event.reason == CALLS)
    shown = {"getppid": 0, "lseek": 0, "write": 0}
    for event in run.found:
        call = event if isinstance(event, Call) else event.call if isinstance(event, Entered | Returned) else None
        if call is not None and call.name in shown and (not isinstance(event, Returned) or call.entry_lost):
            shown[call.name] += 1
    gone = dict(gap.calls)
    numbers = {"getppid": 110, "lseek": 8, "write": 1}
    assert {name: gone[name] + count for name, count in shown.items()} == {
        name: totals.native[number].calls for name, number in numbers.items()
    }
    assert {name for name, _ in gap.calls[:3]} == {"getppid", "lseek", "write"}


def test_json_says_where_each_call_comes_from(run: Run) -> None:
    objects = [json.loads(line) for line in jsonl.lines(run.found, run.snapshot)]
    firsts = [one for one in objects if one.get("source") == "firsts"]
    (opened,) = (one for one in firsts if one["syscall"] == "openat" and one["args"][1].get("data") == run.conf)
    assert opened["duration_ns"] > 0
    (gap,) = (n for n, one in enumerate(objects) if one.get("reason") == "overwritten_calls")
    assert all(one.get("source") == "firsts" for one in objects[:gap] if one["event"] == "syscall")
    assert "source" not in objects[-1]


def test_an_encoded_snapshot_tells_the_same(run: Run) -> None:
    assert list(events(Snapshot.decode(run.snapshot.encode()))) == run.found


def test_calls_that_name_nothing_are_each_kept_once(tracer: Tracer, workload: Workloads) -> None:
    """However many of them a program makes in turn: they must not drive each other out, or be taken for each other."""
    with Container(tracer) as container:
        container.run(workload("nameless_calls", "-static"), "200")
        snapshot = container.snapshot()
    kept = Counter((call.name, min(call.result or 0, 0)) for call in calls_of(snapshot, FIRSTS))
    made = {(call.name, min(call.result or 0, 0)) for call in calls_of(snapshot, RING)[-200:]}
    assert len(made) > 60
    assert made <= kept.keys()
    assert max(kept[one] for one in made) == 1


def calls_of(snapshot: Snapshot, source: str) -> list[Call]:
    return [event for event in events(snapshot, [source]) if isinstance(event, Call)]
