# SPDX-License-Identifier: Apache-2.0
"""Calls of the running kernel get their right numbers, although none of them is executed."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_cgroups import TIMEOUT_S, Container, Workloads

from traceloop_bpf.later_calls import NotNamed, find
from traceloop_decode import later_calls
from traceloop_decode.events import events
from traceloop_decode.syscalls import Later, abis
from traceloop_decode.text import strace

pytestmark = pytest.mark.kernel

LAST = 450  # of a table of Linux 6.4: cachestat(2) is 451
TABLE = abis(platform.machine())[0].table()
# Runs with a tracefs of its own, whether or not the machine has one mounted.
NAMESPACE = ("unshare", "--mount", "--propagation", "private", "sh", "-c")
MOUNT = '[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing && exec "$0" "$@"'
SCRIPT = """
import json, platform, sys
from dataclasses import replace
from traceloop_bpf.later_calls import find
from traceloop_decode.later_calls import fields
from traceloop_decode.syscalls import abis
last = int(sys.argv[1])
older = tuple(
    replace(abi, prototypes={n: text for n, text in abi.prototypes.items() if n <= last})
    for abi in abis(platform.machine())
)
print(json.dumps(fields(find(known=older))))
"""


def found(last: int) -> Later:
    """Finds the calls for tables that end with this number."""
    command = [*NAMESPACE, MOUNT, sys.executable, "-c", SCRIPT, str(last)]
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    run = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=TIMEOUT_S)
    assert run.returncode == 0, run.stderr.decode()
    return later_calls.of_fields(json.loads(run.stdout))


def test_a_table_that_ends_early_gets_the_calls_behind_it() -> None:
    later = found(LAST)
    assert later[451].name == "cachestat"
    assert later == {number: TABLE[number] for number in later}
    assert found(max(later) - 1) == {max(later): TABLE[max(later)]}


def test_a_recorded_call_is_printed_by_what_was_found(container: Container, workload: Workloads) -> None:
    (pid,) = map(int, container.run(workload("later_calls")))
    taken = container.recording.ring.snapshot(container.recording.started_ns)
    # Removes the table, so that only the names found above are used.
    taken = replace(taken, arch="unknown", syscalls=found(LAST))
    lines = [" ".join(line.split()) for line in strace.lines(events(taken), taken)]
    assert f"{pid} cachestat(-1, 0x1000, 0x2000, 0x7) = -1 EBADF (Bad file descriptor)" in lines
    assert f"{pid} syscall_0x1ff(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)" in lines


def test_without_tracefs_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotNamed, match=r"^calls that are newer .*No such file.*: mount tracefs at [^\n]*$"):
        find(tracefs=tmp_path)


def test_where_it_may_not_count_it_says_what_to_do(tmp_path: Path) -> None:
    for what, text in (("sys_enter_brand_new/format", ""), ("sys_exit_brand_new/id", "99999999\n")):
        path = tmp_path / "events/syscalls" / what
        path.parent.mkdir(parents=True)
        path.write_text(text)
    with pytest.raises(NotNamed, match=r"^calls that are newer .*\(perf_event_open\): let the daemon use [^\n]*$"):
        find(tracefs=tmp_path)
