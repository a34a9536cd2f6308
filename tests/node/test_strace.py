# SPDX-License-Identifier: Apache-2.0
"""The text of `-o strace` is strace's own: programs run under both, compared line by line (see `strace.compare`)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache

import pytest
from strace.compare import RING_SIZE, Comparison, compare, run
from strace.normal import workloads
from strace.programs import WORKLOADS

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        shutil.which("strace") is None and os.environ.get("TRACELOOP_REQUIRE_KERNEL") != "1", reason="needs strace"
    ),
]

# Workload -> equal lines, lines that differ. The first may only rise, the second only fall.
FLOORS = {
    "compat_files": (96, 0),
    "compat_multiplexed": (66, 2),
    "compat_process": (103, 0),
    "files_blocked": (76, 0),
    "files_descriptors": (115, 0),
    "files_fcntl": (111, 0),
    "files_io": (172, 0),
    "files_mount": (129, 0),
    "files_names": (136, 2),
    "files_open": (128, 0),
    "files_stat": (131, 0),
    "files_watch": (68, 0),
    "files_xattr": (78, 1),
    "network_ioctl": (149, 0),
    "network_messages": (119, 0),
    "network_netlink": (63, 0),
    "network_options": (221, 0),
    "network_route": (163, 0),
    "network_sockets": (149, 0),
    "network_waiting": (54, 0),
    "process_children": (173, 0),
    "process_futex": (63, 0),
    "process_ids": (90, 0),
    "process_ipc": (96, 1),
    "process_keys": (59, 2),
    "process_limits": (71, 0),
    "process_memory": (111, 1),
    "process_namespaces": (60, 0),
    "process_pointers": (84, 0),
    "process_prctl": (115, 0),
    "process_rings": (76, 1),
    "process_sched": (75, 0),
    "process_system": (64, 0),
    "signals_children": (72, 1),
    "signals_delivery": (148, 0),
    "signals_fatal": (111, 0),
    "signals_sets": (126, 0),
    "signals_siginfo": (776, 0),
    "signals_threads": (122, 0),
    "signals_time": (155, 0),
    "signals_wait": (112, 0),
    "smoke": (70, 1),
}
# The same with strace's options
FLOORS_OF_OPTIONS = {
    ("files_stat", "-v"): (130, 1),
    ("files_open", "-xx"): (128, 0),
    ("files_open", "-X", "raw"): (128, 0),
    ("files_open", "-X", "verbose"): (128, 0),
    ("files_io", "-s", "3", "-x"): (172, 0),
    ("process_pointers", "-v"): (83, 1),
    ("compat_process", "-X", "verbose"): (103, 0),
    ("compat_process", "-X", "raw"): (103, 0),
    ("network_sockets", "-v", "-s", "1000"): (145, 4),
    ("signals_sets", "-X", "raw"): (126, 0),
    ("signals_delivery", "-X", "raw"): (145, 2),
    ("signals_delivery", "-X", "verbose"): (145, 2),
    ("signals_siginfo", "-X", "raw"): (776, 0),
}
DISTINCT_CALLS = 370


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Comparison]]:
    """A function that compares a workload, with options for strace: each once, and again if it misses its floor.

    Chance decides for a few lines whether a call blocks and is split or restarted; a real difference stays.
    """
    with closing(Tracer.load(Plan(ring_size=RING_SIZE, pool_size=1))) as tracer:

        def attempt(name: str, *flags: str) -> Comparison:
            equal, unequal = FLOORS_OF_OPTIONS[name, *flags] if flags else FLOORS[name]
            for _ in range(3):
                found = run(name, tracer, tmp_path_factory.mktemp("strace"), flags)
                if found.equal >= equal and found.compared - found.equal <= unequal:
                    break
            return found

        yield cache(attempt)


def shown(found: Comparison) -> str:
    return "\n".join(
        f"{sign} {line}" for pair in found.unequal for sign, lines in zip("-+", pair, strict=True) for line in lines
    )


def assert_not_worse(found: Comparison, equal: int, unequal: int, what: str) -> None:
    print(f"{what}: {found.equal} of {found.compared} lines equal")  # shown by pytest -rP
    assert found.equal >= equal, shown(found)
    assert found.compared - found.equal <= unequal, shown(found)


@pytest.mark.parametrize("name", workloads(WORKLOADS))
def test_workload(name: str, compared: Callable[..., Comparison]) -> None:
    assert_not_worse(compared(name), *FLOORS[name], name)


@pytest.mark.parametrize("case", FLOORS_OF_OPTIONS, ids=" ".join)
def test_options(case: tuple[str, ...], compared: Callable[..., Comparison]) -> None:
    assert_not_worse(compared(*case), *FLOORS_OF_OPTIONS[case], " ".join(case))


def test_the_sum(compared: Callable[..., Comparison], capsys: pytest.CaptureFixture[str]) -> None:
    found = [compared(name) for name in workloads(WORKLOADS)]
    calls = set().union(*(one.calls for one in found))
    equal, lines = sum(one.equal for one in found), sum(one.compared for one in found)
    with capsys.disabled():
        print(f"\nas strace has them: {equal} of {lines} lines, {len(calls)} distinct calls")
    assert len(calls) >= DISTINCT_CALLS


def test_the_comparison_sees_what_differs() -> None:
    theirs = [
        *("710 read(3,  <unfinished ...>", "711 getppid() = 710", '710 <... read resumed>"x", 1) = 1'),
        "710 getpid() = 710",
    ]
    ours = ['507 read(3, "x", 1)               = 1', "508 getppid()       = 507", "507 getpid() = 508"]
    found = compare(theirs, ours)
    assert (found.equal, found.compared, found.calls) == (2, 3, {"read", "getppid"})
    assert found.unequal == [(["getpid() = P1"], ["getpid() = P2"])]
