# SPDX-License-Identifier: Apache-2.0
"""Measures a full node under the real units: 110 containers at once, restarts meanwhile, and 1,000 in sequence; the
same number again by their births.
"""

from __future__ import annotations

import json
import statistics
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon_memory import figures
from lab.installed import install
from lab.service import SERVICE, SOCKET, Service
from lab.systemd import Systemd
from report import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE: Final = Path(__file__).parent
_AT_ONCE: Final = 110
_IN_SEQUENCE: Final = 1000
_GAPS: Final = 5
_ASKED: Final = 7
_LISTED_S: Final = 30.0
_HOOK_DEADLINE_S: Final = 2.0
_HOOKS: Final = "/run/traceloop/hook.sock"
_STATE_DIR: Final = "/var/lib/traceloop"


def measure() -> Iterator[Figure | str]:
    """Yields wall-clock times in seconds, unless a figure has another unit."""
    with Systemd() as lab:
        install(lab)
        # Bind-mounts the machine's disk, because the lab's own file systems are in memory.
        (lab.shared / "state").mkdir()
        lab.run("mkdir", "-p", _STATE_DIR)
        lab.run("mount", "--bind", lab.shared / "state", _STATE_DIR)
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        service = Service(lab)
        with _containers(lab) as tell:
            yield from _at_once(service, tell)
            yield from _in_sequence(service, tell)
            yield from _born(service, tell)


def _at_once(service: Service, tell: Any) -> Iterator[Figure]:
    yield from _gaps("no container: ", tell)
    waited_s = tell(f"all {_AT_ONCE}")["waited_s"]
    detail = f"longest {max(waited_s) * 1000:.0f}"
    yield Figure(f"{_AT_ONCE} at once: a registration", statistics.median(waited_s) * 1000, "ms", detail=detail)
    yield from figures(f"{_AT_ONCE} at once, their rings full", service.pid())
    yield from _questions(service)
    yield from _gaps(f"{_AT_ONCE} at once: ", tell)
    yield from figures("the same after restarts", service.pid())
    began_s = time.perf_counter()
    service.lab.run("systemctl", "stop", SOCKET, SERVICE)
    kept = len(list((service.lab.shared / "state").glob("*.trace")))
    yield Figure("stop: all are archived", time.perf_counter() - began_s, "s", detail=f"{kept} files")
    tell("end")
    service.lab.run("systemctl", "start", SOCKET, SERVICE)


def _in_sequence(service: Service, tell: Any) -> Iterator[Figure]:
    took_s = tell(f"sequence {_IN_SEQUENCE}")["took_s"]
    yield Figure(f"{_IN_SEQUENCE} one after the other: each", took_s / _IN_SEQUENCE * 1000, "ms")
    while any(trace["state"] == "frozen" for trace in service.traces()):
        pass
    yield from figures(f"after {_IN_SEQUENCE}", service.pid())
    yield from _questions(service)
    yield from _gaps(f"after {_IN_SEQUENCE}: ", tell)


def _born(service: Service, tell: Any) -> Iterator[Figure]:
    def late() -> int:
        return int(json.loads(service.ctl("stats", "-o", "json").stdout)["births_late"])

    for count, times in ((_AT_ONCE, 1), (1, _IN_SEQUENCE)):
        late_before, took_s, ids = late(), 0.0, set[str]()
        for _ in range(times):
            answer = tell(f"born {count}")
            took_s += answer["took_s"]
            ids |= set(answer["ids"])
        began_s = time.perf_counter()
        while missing := ids - {trace["container_id"] for trace in service.traces()}:
            if time.perf_counter() - began_s > _LISTED_S:
                break
        name = f"{count} born at once" if times == 1 else f"{times} born one after the other"
        waited = f"all listed {time.perf_counter() - began_s:.1f} s later"
        yield Figure(f"{name}: each", took_s / len(ids) * 1000, "ms", detail="" if missing else waited)
        detail = f"{late() - late_before} found no ring in stock"
        yield Figure("  not listed", len(missing), "", 0, detail=detail)


def _questions(service: Service) -> Iterator[Figure]:
    trace = service.traces()[-1]["id"]
    for words in (["list"], ["show", trace]):
        took_s = []
        for _ in range(_ASKED):
            began_s = time.perf_counter()
            service.ctl(*words)
            took_s.append(time.perf_counter() - began_s)
        yield Figure(f"  traceloopctl {words[0]}", statistics.median(took_s), "s", detail=f"most {max(took_s):.2f}")


def _gaps(name: str, tell: Any) -> Iterator[Figure]:
    for how in ("restart", "kill"):
        found = [tell(how) for _ in range(_GAPS)]
        waited_s = [one["waited_s"] for one in found]
        took_s = statistics.median(one["took_s"] for one in found)
        detail = f"{min(waited_s):.2f} to {max(waited_s):.2f}; until served again {took_s:.2f}"
        longest_s = statistics.median(waited_s)
        yield Figure(f"{name}{how}: a hook's longest wait", longest_s, "s", _HOOK_DEADLINE_S, detail=detail)


@contextmanager
def _containers(lab: Systemd) -> Iterator[Any]:
    process = lab.start("python3", _HERE / "crowd_containers.py", _HOOKS, SERVICE)
    assert process.stdin is not None
    assert process.stdout is not None

    def tell(command: str) -> Any:
        print(command, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise SystemExit(f"{command}: {process.communicate()[1]}")
        return json.loads(answer)

    try:
        yield tell
    finally:
        process.kill()
        process.communicate()
