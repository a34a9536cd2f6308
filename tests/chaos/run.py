# SPDX-License-Identifier: Apache-2.0
"""Chaos: rounds of a random fault under load, each followed by a check of every promise.

    CHAOS_ROUNDS=50 CHAOS_SEED=… CHAOS_FROM=birth PYTHONPATH=tests:tests/support .venv/bin/python tests/chaos/run.py

Exits with 1 at the first broken promise, and prints the end of the journal. README.md lists the promises.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Container
from dataclasses import dataclass, field
from random import Random
from typing import Any

from faults import FAULTS, Fault
from lab.systemd import Systemd
from node import PATIENCE_S, BrokenPromise, Held, Node

BUSY_ROUNDS = 5
"""The life of a busy container, in rounds; each round has one fault."""
HOOK_LATE_S = 3.0
"""The time that a hook may take beyond its deadline on a busy machine."""
OTHER_EVENTS = {"hook": 2, "birth": 9}
"""Events of each container beyond its calls and sleeps: exit_group, and the exit; from its birth on, also dup2, close and
execve of the shell that enters the cgroup, and the program's open, mmap, write and read.
"""


@dataclass
class Figures:
    """The totals of all rounds."""

    ran: int = 0
    exact: int = 0
    born: int = 0
    late: int = 0
    gave_up: int = 0
    missed: int = 0
    events: int = 0
    lost: int = 0
    busy_rate: list[float] = field(default_factory=list)
    started_rate: list[float] = field(default_factory=list)
    hook_s: list[float] = field(default_factory=list)


class Chaos:
    """The rounds on one node."""

    def __init__(self, node: Node, chance: Random, begins: str) -> None:
        self._node, self._chance, self.figures, self._others = node, chance, Figures(), OTHER_EVENTS[begins]
        self._listed: set[str] = set()  # containers that must be in the list from now on
        self._faults: list[Fault] = []
        self._sockets_removed = False

    def begin(self) -> Held:
        """Starts the busy container; returns the resources that must be held again after each round."""
        self._node.wait_until_it_serves()
        self._begin_busy()
        self._node.load.run()  # a first load, so that all threads and channels exist
        time.sleep(1)
        self._judge(self._node.load.pause(), FAULTS[0])
        end = time.monotonic() + 30
        held = self._node.look()
        while time.monotonic() < end:
            time.sleep(1)
            before, held = held, self._node.look()
            if held == before:
                break
        return held

    def round(self, number: int, held: Held) -> str:
        """Inflicts a fault and returns the verdict; raises BrokenPromise."""
        node, fault = self._node, self._next_fault()
        began, calls = time.monotonic(), node.load.busy_calls()
        node.load.run()
        time.sleep(self._chance.uniform(0.2, 1.5))
        try:
            fault.inflict(node, self._chance)
            node.wait_until_it_serves()
            after = node.load.busy_calls()
            took_s = time.monotonic() - began
            ended = node.load.pause()
            self.figures.busy_rate.append((after[0] - calls[0]) / (after[1] - calls[1]))
            self.figures.started_rate.append(len(ended) / took_s)
            verdict = self._judge(ended, fault)
            if number % BUSY_ROUNDS == 0:
                verdict += "; busy: " + self._judge([node.load.end_busy()], fault)
                self._begin_busy()
            self._sockets_removed |= fault.may_miss
            node.wait_until_held(held, mended=self._sockets_removed)
        except (AssertionError, BrokenPromise) as error:
            raise BrokenPromise(f"{fault.name}: {error}") from error
        rates = f"{self.figures.busy_rate[-1] / 1000:.0f},000 calls/s, {self.figures.started_rate[-1]:.1f} starts/s"
        return f"{fault.name}: {verdict}; {rates}"

    def end(self) -> str:
        """Ends all containers, and shows all traces once more."""
        node = self._node
        verdict = self._judge([node.load.end_busy()], FAULTS[0])
        found = node.check(sorted(self._listed))
        for container, shown in found["shown"].items():
            for one in shown:
                if one["status"]:
                    raise BrokenPromise(f"{container} cannot be shown at the end: {one}")
        node.stop()
        return f"busy: {verdict}; {len(found['shown'])} containers shown again, nothing left in the kernel"

    def _next_fault(self) -> Fault:
        # Uses each fault once in random order, then starts over.
        if not self._faults:
            self._faults = self._chance.sample(FAULTS, len(FAULTS))
        return self._faults.pop()

    def _begin_busy(self) -> None:
        said = self._node.load.begin_busy()
        if said["hook"] or said["hook_status"]:
            raise BrokenPromise(f"the busy container was not registered: {said}")

    def _judge(self, ended: list[dict[str, Any]], fault: Fault) -> str:
        for container in ended:
            self._judge_start(container, fault)
        registered = {one["id"]: one for one in ended if not one["hook"] and not one["born"]}
        born = {one["id"]: one for one in ended if one["born"]}
        late = self._wait_until_told(born)
        registered |= {container_id: one for container_id, one in born.items() if container_id not in late}
        self._listed |= registered.keys() | {container_id for container_id in born if late.get(container_id)}
        found = self._node.wait_until_kept([one["id"] for one in ended])
        listed = {trace["container_id"] for trace in found["list"]}
        if missing := sorted(self._listed - listed):
            raise BrokenPromise(f"not in the list: {missing}")
        found = self._node.check([one["id"] for one in ended])
        for trace in found["list"]:
            if trace["container_id"] in self._listed and trace["state"] not in ("archived", "recording"):
                raise BrokenPromise(f"not in the archive: {trace}")
        counts = {trace["container_id"]: trace for trace in found["list"]}
        for container_id, shown in found["shown"].items():
            for one in shown:
                if one["status"]:
                    raise BrokenPromise(f"{container_id} cannot be shown: {one}")
            if container_id in registered:
                self._judge_trace(registered[container_id], counts[container_id], shown)
        gave_up, others = sum(bool(one["hook"]) for one in ended), len(born.keys() & late.keys())
        self.figures.ran += len(ended)
        self.figures.born += len(born)
        self.figures.late += others
        return f"{len(ended)} ran, {len(born)} of them born; {len(registered)} exact" + (
            f", {gave_up} whose hook gave up" * bool(gave_up) + f", {others} without a ring in stock" * bool(others)
        )

    def _wait_until_told(self, born: Container[str]) -> dict[str, bool]:
        # Each birth is in the list, or the journal says that it found no ring. Returns Node.late().
        end = time.monotonic() + PATIENCE_S
        while True:
            listed = {trace["container_id"] for trace in self._node.check(None)["list"]}
            late = self._node.late()
            untold = [one for one in born if one not in listed and late.get(one, True)]
            if not untold:
                return late
            if time.monotonic() > end:
                raise BrokenPromise(f"born, and neither listed nor said to be lost: {untold}")

    def _judge_start(self, container: dict[str, Any], fault: Fault) -> None:
        if "fault" in container:
            raise BrokenPromise(f"a container failed to start: {container}")
        if container["status"] != 0 or container["hook_status"]:
            raise BrokenPromise(f"a container failed: {container}")
        if container["hook_s"] > container["deadline_s"] + HOOK_LATE_S:
            raise BrokenPromise(f"a hook held its container up: {container}")
        self.figures.hook_s.append(container["hook_s"])
        said = container["hook"]
        if not said:
            return
        if said.startswith("traceloop-hook: gave up after 2") and container["deadline_s"] < 10:
            self.figures.gave_up += 1
        elif fault.may_miss and "cannot connect" in said:
            self.figures.missed += 1
        else:
            raise BrokenPromise(f"a hook was not served: {container}")

    def _judge_trace(self, container: dict[str, Any], listed: dict[str, Any], shown: list[dict[str, Any]]) -> None:
        known = container["calls"] + container["sleeps"] + self._others
        if len(shown) != 1:
            raise BrokenPromise(f"{container['id']} has {len(shown)} traces")
        (one,) = shown
        _, most, _, once = one["calls"]
        if (
            listed["events"] != known
            or one["events"] != known - one["lost"]
            or one["lost"] != listed["lost"]
            or not once
            or most != container["calls"] - 1
        ):
            raise BrokenPromise(f"not {known} events: {container}, listed as {listed}, shown as {one}")
        self.figures.exact += 1
        self.figures.events += known
        self.figures.lost += one["lost"]


def main() -> int:
    """Runs the command; returns its exit status."""
    rounds, begins = int(os.environ.get("CHAOS_ROUNDS") or 50), os.environ.get("CHAOS_FROM") or "birth"
    seed = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 1_000_000)
    print(f"CHAOS_SEED={seed}, CHAOS_FROM={begins}, {rounds} rounds", flush=True)
    with Systemd() as lab:
        node = Node(lab, lab.shared, begins=begins)
        chaos = Chaos(node, Random(seed), begins)
        number = 0
        try:
            held = chaos.begin()
            print(f"at the start: {held}", flush=True)
            for number in range(1, rounds + 1):
                began = time.monotonic()
                verdict = chaos.round(number, held)
                print(f"round {number}: {verdict}; {time.monotonic() - began:.0f} s", flush=True)
            print(f"at the end: {chaos.end()}", flush=True)
        except (BrokenPromise, AssertionError) as broken:
            print(f"{lab.log()}\nround {number}: BROKEN: {broken}\nCHAOS_SEED={seed}", flush=True)
            return 1
        finally:
            node.load.close()
    _report(chaos.figures)
    return 0


def _report(figures: Figures) -> None:
    hooks_s = sorted(figures.hook_s)
    print(
        f"{figures.ran} containers ran; {figures.exact} traces exact: {figures.events} events, {figures.lost} of them "
        f"counted as lost; {figures.born} were born, {figures.late} of them without a ring in stock; "
        f"{figures.gave_up} hooks gave up after 2 s, {figures.missed} found no socket\n"
        f"hooks: median {hooks_s[len(hooks_s) // 2]:.2f} s, most {hooks_s[-1]:.2f} s; the busy container: "
        f"{min(figures.busy_rate):.0f} to {max(figures.busy_rate):.0f} calls/s; "
        f"{min(figures.started_rate):.1f} to {max(figures.started_rate):.1f} starts/s"
    )


if __name__ == "__main__":
    sys.exit(main())
