# SPDX-License-Identifier: Apache-2.0
"""Soak: hours of steady load on a daemon under the real units, and a check whether anything in it grows.

    SOAK_HOURS=4 PYTHONPATH=tests:tests/support:tests/chaos .venv/bin/python -m soak.run

Exits with 1 when a number grows beyond its limit in limits.py, or a container was not served. An interrupt ends it
early with the report so far. README.md describes the load and the checks.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from typing import Any

import grpc
from lab.service import SERVICE
from lab.systemd import PROJECT, Systemd
from node import STATE_DIR, BrokenPromise, Node
from soak import report, sample
from soak.limits import REFERENCE, RULES, rule_of
from soak.questions import Questions
from soak.runc_load import RuncLoad
from soak.slopes import BINS, Point, binned, p99, scaled

from traceloop_cli.errors import CliError
from traceloop_daemon.recording.journal import HOOK_REFUSED
from traceloop_proto import traceloop_pb2 as pb

BUILD = PROJECT / "build/soak"
PERIOD_S = 10.0
RATE = 3.0
RUNTIME_DIR = "/run/traceloop"
# The archive is full soon and rotates from then on, as does the list of ids that are not given again.
SETTINGS = '[archive]\nmax_use = "12M"\nkeep_free = "100%"\nmax_traces = 400\n'
CLOSED_IDS, CLOSED_IDS_MAX = f"{STATE_DIR}/closed-ids", 10_000
JOURNAL_FIELDS = "MESSAGE,MESSAGE_ID,PRIORITY,CONTAINER_ID,_PID"
JOURNAL = "[Journal]\nRuntimeMaxUse=32M\n"
# The first daemon lives for most of the time, which shows what a process leaks; then it is restarted RESTARTS times.
LIFE, RESTARTS = 0.6, 8
WARM_LEAST_S, WARM_SHARE, WARM_MOST_S = 150.0, 0.15, 900.0
BINS_OF_P99 = BINS // 4  # each bin needs enough samples
OTHER_EVENTS = 9  # of the busy container, which is recorded from its birth: see chaos/run.py
NEVER = ("dropped", "traces_lost")
MISSED = ("is gone: it ended before it was registered", "stopped, but its start was never registered")
RESTART_S = 30.0  # from the daemon's end until the next one has read what waited
REFERENCES = 5
FAULTS_TOLD = 20


class Soak:
    """The load, the requests and the samples of one node."""

    def __init__(self, node: Node, seconds: float) -> None:
        self._node, self._seconds = node, seconds
        self._questions = Questions(node, f"unix:{node.lab.path(f'{RUNTIME_DIR}/traceloop.sock')}")
        self._points: dict[str, list[Point]] = defaultdict(list)
        self._file = (BUILD / "samples.jsonl").open("w")
        self._before: dict[str, tuple[float, float]] = {}
        self._counts: Counter[str] = Counter()
        self._facts: dict[str, object] = {}
        self._restarts = [seconds * (LIFE + (1 - LIFE) * n / RESTARTS) for n in range(RESTARTS)]
        self._life_end_s, self._took_s = self._restarts[0], seconds
        self._restarted_s: list[float] = []
        self.faults: list[str] = []
        self._prepare()
        self._pid = node.service.pid()
        said = node.load.begin_busy()
        if said["hook"] or said["hook_status"]:
            raise BrokenPromise(f"the busy container was not registered: {said}")
        self._busy = said["id"]
        node.load.run(RATE)
        self._runc = RuncLoad(node.lab, f"{RUNTIME_DIR}/hook.sock")
        self._began_s = time.monotonic()

    def run(self) -> bool:
        """Runs until the time is over; returns False if it was interrupted."""
        due_s = self._began_s
        while (now_s := self._now_s()) < self._seconds:
            if self._restarts and now_s >= self._restarts[0]:
                self._restarts.pop(0)
                self._restart()
            try:
                self._round()
            except (CliError, grpc.RpcError, OSError, AssertionError, BrokenPromise) as error:
                self.faults.append(f"after {now_s:.0f} s: {error!r}")
            due_s = max(due_s + PERIOD_S, time.monotonic())
            if signal.sigtimedwait({signal.SIGINT, signal.SIGTERM}, max(0.0, due_s - time.monotonic())):
                self._took_s = self._now_s()
                self._life_end_s = min(self._life_end_s, self._took_s)
                return False
        return True

    def end(self) -> None:
        """Ends all load, and makes the checks that are possible only then."""
        self._take(self._runc.end())
        self._hooks(self._node.load.pause())
        busy = self._node.load.end_busy()
        self._node.wait_until_kept([busy["id"]])
        (trace,) = [trace for trace in self._questions.list().traces if trace.container_id == busy["id"]]
        known = busy["calls"] + busy["sleeps"] + OTHER_EVENTS
        self._facts["the busy container"] = f"{known:,} calls made, {trace.events:,} counted"
        if trace.events != known:
            self.faults.append(f"of the busy container {trace.events} of {known} events were counted")
        self._questions.close()
        self._node.stop()
        self._journal.kill()
        self._journal.communicate()
        refused, missed = _refusals((BUILD / "journal.jsonl").read_text("utf-8"), self._restarted_s)
        self.faults += refused
        self._counts["hooks refused after a restart that took too long for them"] = missed

    def report(self, *, whole: bool) -> tuple[str, bool]:
        """Returns the report, and whether all is well."""
        warm_s = min(max(WARM_LEAST_S, self._took_s * WARM_SHARE), WARM_MOST_S)
        names = [name for name in sorted(self._points, key=_place) if rule_of(name)]
        lines = [self._line(name, warm_s) for name in names]
        heading = f"soak of {self._took_s / 3600:.2f} h{'' if whole else ', interrupted'}; warm-up {warm_s:.0f} s"
        facts = {name: f"{count:,}" for name, count in sorted((self._counts + self._questions.counts).items())}
        if hooks_ms := sorted(value for _, value in self._points["hook p99"]):
            middle, most = hooks_ms[len(hooks_ms) // 2], hooks_ms[-1]
            facts["hooks, also while daemons were restarted"] = (
                f"median {middle:.1f} ms, p99 {p99(hooks_ms):.1f}, most {most:.1f}"
            )
        bad = bool(self.faults) or any(line.exceeds for line in lines)
        return report.text(heading, lines, facts | self._facts, self.faults[:FAULTS_TOLD]), not bad

    def _line(self, name: str, warm_s: float) -> report.Line:
        points, rule = self._points[name], rule_of(name)
        if rule.scaled and self._points[REFERENCE]:
            points = scaled(points, self._points[REFERENCE])
        # A process's leaks end with it; leaks from one daemon to the next show only in the daemons that follow.
        ends_s = (self._life_end_s,) if rule.one_life else (self._life_end_s, self._took_s)
        parts = [[one for one in points if warm_s <= one[0] <= end_s] for end_s in ends_s]
        of, bins = (p99, BINS_OF_P99) if name.endswith("p99") else (statistics.median, BINS)
        return report.Line(name, rule, binned(points, of, bins), [binned(part, of, bins) for part in parts])

    def _prepare(self) -> None:
        lab = self._node.lab
        lab.write("/etc/systemd/journald.conf.d/soak.conf", JOURNAL)
        lab.run("systemctl", "restart", "systemd-journald")
        lab.run("systemctl", "stop", SERVICE)
        words = ["--follow", "--lines=0", "--output=json", f"--output-fields={JOURNAL_FIELDS}", f"--unit={SERVICE}"]
        with (BUILD / "journal.jsonl").open("w") as journal:  # the lab's own journal rotates, and goes with the lab
            self._journal = lab.start("journalctl", *words, stdout=journal)
        ids = "".join(f"before-{number}\n" for number in range(CLOSED_IDS_MAX))
        lab.run("install", "-m", "640", "-o", "traceloop", "-g", "traceloop", "/dev/stdin", CLOSED_IDS, stdin=ids)
        lab.run("systemctl", "start", SERVICE)
        self._node.wait_until_it_serves()

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s

    def _restart(self) -> None:
        words = ["restart"] if len(self._restarts) % 2 else ["kill", "--kill-whom=main", "--signal=KILL"]
        self._restarted_s.append(time.time())
        self._node.lab.run("systemctl", *words, SERVICE)
        self._node.wait_until_it_serves()
        self._pid = self._node.service.pid()
        self._before.clear()
        self._counts[f"daemons ended by {words[0]}"] += 1

    def _round(self) -> None:
        self._add(REFERENCE, statistics.median(_start_of_another() for _ in range(REFERENCES)))
        began_s = time.monotonic()
        traces = self._questions.list().traces
        self._add("list", (time.monotonic() - began_s) * 1000)
        (busy,) = [trace for trace in traces if trace.container_id == self._busy]
        self._rate("busy events", busy.events)
        calls, at_s = self._node.load.busy_calls()
        self._rate("busy calls", calls, at_s)
        kept = [trace.id for trace in traces if trace.state == pb.STATE_ARCHIVED]
        for command, took_ms in self._questions.ask(busy.id, *kept[-1:]):  # the newest trace is not removed meanwhile
            self._add(f"traceloopctl {command}", took_ms)
        values = self._sample()
        for name, value in values.items():
            self._add(name, value)
        self._file.write(json.dumps({"s": round(self._now_s(), 1), **values}) + "\n")
        self._file.flush()
        self._hooks(self._node.load.take_ended())
        self._take(self._runc.take())

    def _sample(self) -> dict[str, float]:
        lab = self._node.lab
        values = sample.of_stats(self._questions.stats())
        self.faults += [f"{name} {values[f'stats {name}']:.0f}" for name in NEVER if values[f"stats {name}"]]
        values |= sample.of_process(self._pid) | sample.of_tables(self._pid)
        values |= {f"files {path}": sample.files_below(lab.path(path)) for path in (STATE_DIR, RUNTIME_DIR)}
        values["cgroups"] = sample.directories_below(lab.path("/sys/fs/cgroup"))
        values["stored"] = float(self._node.service.property("NFileDescriptorStore"))
        self._rate("cpu share", values["cpu"] * 100)
        return values

    def _add(self, name: str, value: float) -> None:
        self._points[name].append((self._now_s(), value))

    def _rate(self, name: str, value: float, at_s: float | None = None) -> None:
        at_s = time.monotonic() if at_s is None else at_s
        before = self._before.get(name)
        self._before[name] = (value, at_s)
        if before:
            self._add(name, (value - before[0]) / (at_s - before[1]))

    def _hooks(self, ended: list[dict[str, Any]]) -> None:
        for one in ended:
            if "fault" in one or one["status"] or one["hook_status"]:
                self.faults.append(f"a container failed: {one}")
            elif not one["deadline_s"]:
                continue
            elif not one["hook"]:
                for name in ("hook median", "hook p99"):
                    self._add(name, one["hook_s"] * 1000)
            elif "gave up after" in one["hook"]:
                self._counts["hooks that gave up after 2 s"] += 1
            else:
                self.faults.append(f"a hook was not served: {one}")
        self._counts["containers"] += len(ended)

    def _take(self, said: list[dict[str, Any]]) -> None:
        for one in said:
            if "fault" in one:
                self.faults.append(one["fault"])
                continue
            self._counts[f"runc: {one['kind']}"] += 1
            if one["kind"] == "short":
                self._add("runc run", one["took_s"] * 1000)


def _refusals(journal: str, restarts_s: list[float]) -> tuple[list[str], int]:
    # The refusals that no restart explains, and the number of the others. A hook gives up 2 s after a daemon ended, as none
    # serves it. The next daemon then finds its message in the socket: the container has ended by now, or its stop comes.
    unexplained, explained = list[str](), 0
    for line in journal.splitlines():
        entry = json.loads(line)
        if entry.get("MESSAGE_ID") != HOOK_REFUSED:
            continue
        at_s, said = int(entry["__REALTIME_TIMESTAMP"]) / 1e6, str(entry["MESSAGE"])
        if said.endswith(MISSED) and any(0 <= at_s - restart_s < RESTART_S for restart_s in restarts_s):
            explained += 1
        else:
            unexplained.append(f"at {at_s:.3f} refused: {said}")
    return unexplained, explained


def _start_of_another() -> float:
    # The milliseconds for starting another program, as long as a hook takes, but independent of the daemon
    began_s = time.monotonic()
    subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", "pass"], check=True)
    return (time.monotonic() - began_s) * 1000


def _place(name: str) -> tuple[int, str]:
    places = list(RULES)
    return next((places.index(key) for key in (name, name.split(maxsplit=1)[0]) if key in RULES), len(places)), name


def main() -> int:
    """Runs the command; returns its exit status."""
    seconds = float(os.environ.get("SOAK_HOURS") or 4) * 3600
    BUILD.mkdir(parents=True, exist_ok=True)
    with Systemd() as lab:
        # Processes started from here on inherit this: an interrupt from the terminal reaches only this process.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        node = Node(lab, lab.shared, SETTINGS)
        try:
            soak = Soak(node, seconds)
            print(f"{seconds / 3600:g} h; samples: {BUILD / 'samples.jsonl'}; ^C ends it early", flush=True)
            whole = soak.run()
            try:
                soak.end()
            except (AssertionError, BrokenPromise, CliError) as error:
                soak.faults.append(f"at the end: {error}")
            if soak.faults:
                print(lab.log(), flush=True)
        finally:
            node.load.close()
    said, well = soak.report(whole=whole)
    (BUILD / "report.txt").write_text(said, "utf-8")
    print(said, end="", flush=True)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
