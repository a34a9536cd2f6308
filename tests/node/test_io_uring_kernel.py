# SPDX-License-Identifier: Apache-2.0
"""Requests of io_uring are recorded with their results; where the kernel does not tell of them, their rings are counted."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from recorded_cgroups import TIMEOUT_S, Container, Workloads, entered

from traceloop_bpf import io_uring
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_decode import layout
from traceloop_decode.descriptors.follow import known
from traceloop_decode.events import events
from traceloop_decode.model import Call, Request
from traceloop_decode.ring_headers import unrecorded
from traceloop_decode.text import strace

pytestmark = [pytest.mark.kernel, pytest.mark.vm]

NO_IO_URING = 77
ECANCELED, ENOENT = 125, 2
SEEN = "/etc/passwd"


def run(container: Container, *argv: str) -> list[str]:
    """Runs a workload to its end; the lines that it wrote."""
    with container.start(*argv) as process:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    if process.returncode == NO_IO_URING:
        pytest.skip("this kernel has no io_uring, or not for this process")
    assert process.returncode == 0
    return output.decode().splitlines()


def requests(container: Container) -> list[Call]:
    return [call for call in container.calls() if call.request is not None]


def request_of(call: Call) -> Request:
    assert call.request is not None
    return call.request


def path_of(call: Call) -> bytes:
    return call.items[1][0].data if call.items.get(1) else b""


def text(container: Container, *, names: bool = False) -> list[str]:
    """Each request that completed, as strace's lines have it. names: what descriptors stand for (-y)."""
    snapshot = container.snapshot()
    found = events(snapshot)
    lines = strace.lines(known(found, requests=True) if names else found, snapshot)
    return [line.partition("--- io_uring ")[2] for line in lines if "--- io_uring " in line and ") = " in line]


@pytest.mark.parametrize("polled", [(), ("sqpoll",)], ids=["submitted", "polled"])
def test_each_kind_is_recorded(
    container: Container, workload: Workloads, tmp_path: Path, polled: tuple[str, ...]
) -> None:
    told = [
        line.split("\t") for line in run(container, workload("uring_requests", "-Wno-psabi"), str(tmp_path), *polled)
    ]
    shown, found = text(container), requests(container)
    assert len(told) > 30
    assert [(call.name, str(call.result)) for call in found] == [(name, result) for name, result, _ in told]
    assert [(what, line) for (_, _, what), line in zip(told, shown, strict=True) if what not in line] == []
    assert not any(call.entry_lost for call in found)
    assert {call.pid for call in found} == {container.calls("io_uring_setup")[0].pid}
    submitter = "iou-sqp" if polled else "uring_requests"
    assert {call.comm[: len(submitter)] for call in found} == {submitter[:15]}
    assert all(call.end_ns is not None and call.end_ns >= call.ts_ns for call in found)
    assert unrecorded(container.snapshot()).io_urings == 0


def test_descriptors_have_names(container: Container, workload: Workloads, tmp_path: Path) -> None:
    run(container, workload("uring_requests", "-Wno-psabi"), str(tmp_path))
    shown = text(container, names=True)
    opened = next(line for line in shown if line.startswith("openat(") and "O_CREAT" in line)
    name = opened.rpartition("<")[2].rpartition(">")[0]
    assert name.endswith("/directory/file")
    assert any(line.startswith("write(") and f"<{name}>, " in line for line in shown)


def test_a_link_that_fails_cancels_what_follows(container: Container, workload: Workloads, tmp_path: Path) -> None:
    told = run(container, workload("uring_special", "-Wno-psabi"), "linked", str(tmp_path))
    found = requests(container)
    assert sorted(f"{request_of(call).user_data} {call.result}" for call in found) == sorted(told)
    assert {call.result for call in found} == {0, -ENOENT, -ECANCELED}
    assert [call.name for call in found if call.result == -ECANCELED] == ["openat"]


def test_a_request_in_flight_when_the_container_ends(container: Container, workload: Workloads, tmp_path: Path) -> None:
    with container.start(workload("uring_special", "-Wno-psabi"), "pending", str(tmp_path)) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"pending\n":
            assert process.wait(TIMEOUT_S) == NO_IO_URING
            pytest.skip("this kernel has no io_uring, or not for this process")
        (begun,) = (call for call in entered(container.events()) if call.request is not None)
        assert (begun.name, begun.result, begun.registers[2]) == ("recvfrom", None, 16)
        assert requests(container) == []
        (container.path / "cgroup.kill").write_text("1")
        process.communicate(timeout=TIMEOUT_S)
    container.wait_empty()
    assert [call.result for call in requests(container)] in ([], [-ECANCELED])


def test_each_completion_of_a_request_that_goes_on(container: Container, workload: Workloads, tmp_path: Path) -> None:
    told = run(container, workload("uring_special", "-Wno-psabi"), "multishot", str(tmp_path))
    found = [call for call in requests(container) if call.name == "poll_add"]
    assert [f"{call.result} {int(request_of(call).goes_on)}" for call in found[:2]] == told
    assert [call.result for call in found[2:]] == [-ECANCELED]


def test_direct_descriptors(container: Container, workload: Workloads, tmp_path: Path) -> None:
    assert run(container, workload("uring_special", "-Wno-psabi"), "direct", str(tmp_path)) == ["0", "4", "0"]
    opened, read, closed = text(container)
    assert opened.startswith(f'openat(AT_FDCWD, "{SEEN}", O_RDONLY) = 0 (direct 2)')
    assert read.startswith('read(direct 2, "root", 4, 0, 0) = 4')
    assert closed.startswith("close(direct 2) = 0")


def test_a_request_that_asks_for_no_completion(container: Container, workload: Workloads, tmp_path: Path) -> None:
    run(container, workload("uring_special", "-Wno-psabi"), "silent", str(tmp_path))
    begun = [call for call in entered(container.events()) if call.request is not None]
    assert [(path_of(call), request_of(call).silent) for call in begun] == [(SEEN.encode(), True), (b"missing", True)]
    assert [(path_of(call), call.result) for call in requests(container)] == [(b"missing", -ENOENT)]


def test_a_path_that_another_thread_changes_is_the_one_that_was_opened(
    containers: Callable[..., Container], workload: Workloads, tmp_path: Path
) -> None:
    seen: set[tuple[bytes, bool]] = set()
    for _ in range(10):  # where no processor is free, the other thread does not get to change anything
        container = containers(ring_size=8 << 20)
        run(container, workload("uring_special", "-Wno-psabi"), "forged", str(tmp_path))
        outcomes = Counter((path_of(call), (call.result or 0) >= 0) for call in requests(container))
        assert outcomes.keys() <= {(SEEN.encode(), True), (b"missing", False)}, outcomes
        seen |= outcomes.keys()
        container.give_back()
        if len(seen) == 2:
            break
    assert len(seen) == 2


def test_a_request_of_a_child_by_its_parents_ring(container: Container, workload: Workloads, tmp_path: Path) -> None:
    run(container, workload("uring_special", "-Wno-psabi"), "shared", str(tmp_path))
    (call,) = requests(container)
    assert (call.name, call.result, request_of(call).user_data) == ("nop", 0, 5)
    assert call.pid != container.calls("io_uring_setup")[0].pid


def test_completions_for_which_the_queue_has_no_room(container: Container, workload: Workloads, tmp_path: Path) -> None:
    told = run(container, workload("uring_special", "-Wno-psabi"), "overflow", str(tmp_path))
    found = requests(container)
    assert len(told) == 32
    assert sorted(str(request_of(call).user_data) for call in found) == sorted(told)
    assert {(call.name, call.result, call.entry_lost) for call in found} == {("nop", 0, False)}


@pytest.mark.parametrize(
    ("withheld", "kept"),
    [
        (0, {b"password=hunter2", b"token: tr0ub4dor"}),
        (layout.CLASS_PAYLOAD, {b"password=hunter2"}),
        (layout.CLASS_ANY & ~layout.CLASS_PATH, {b"password=hunter2"}),
        (layout.CLASS_ANY, set()),
    ],
    ids=["all", "no-payload", "paths", "nothing"],
)
def test_capture_policies_hold(
    containers: Callable[..., Container], workload: Workloads, tmp_path: Path, withheld: int, kept: set[bytes]
) -> None:
    container = containers(withheld=withheld)
    run(container, workload("uring_special", "-Wno-psabi"), "secrets", str(tmp_path))
    found = requests(container)
    assert [call.name for call in found] == ["openat", "write"]
    assert {item.data for call in found for items in call.items.values() for item in items} == kept
    data = container.snapshot().data
    assert {secret for secret in (b"password=hunter2", b"token: tr0ub4dor") if secret in data} >= kept
    assert (b"token: tr0ub4dor" in data) == (b"token: tr0ub4dor" in kept)


def test_redaction_holds(container: Container, workload: Workloads, tmp_path: Path) -> None:
    run(container, workload("uring_special", "-Wno-psabi"), "secrets", str(tmp_path))
    redacted = Redactor().redacted(container.snapshot(), "t")
    assert b"hunter2" in container.snapshot().data
    assert b"hunter2" not in redacted.data
    assert b"tr0ub4dor" not in redacted.data
    assert [call for call in events(redacted) if isinstance(call, Call) and call.request is not None]


@pytest.fixture(scope="module")
def tracer_without() -> Iterator[Tracer]:
    """A recorder as on a kernel that does not tell of requests."""
    with closing(Tracer.load(Plan(pool_size=1, defines={io_uring.WITHOUT: 1}))) as tracer:
        yield tracer


@pytest.fixture
def untold(tracer_without: Tracer) -> Iterator[Container]:
    with Container(tracer_without) as container:
        yield container


def test_rings_are_counted_where_the_kernel_does_not_tell_of_requests(
    untold: Container, workload: Workloads, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert unrecorded(untold.snapshot()).io_urings == 0
    run(untold, workload("io_uring"), "3", str(file))
    assert not file.exists()
    assert unrecorded(untold.snapshot()).io_urings == 3
    assert not untold.calls("unlink", "unlinkat")


USES_ANOTHERS = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
instance = libc.syscall(425, 1, ctypes.create_string_buffer(120))
if instance < 0:
    sys.exit(77)
with open(sys.argv[1], "w") as procs:
    procs.write(str(os.getpid()))
assert [libc.syscall(426, instance, 0, 0, 0, 0, 0) for _ in range(3)] == [0, 0, 0]
"""


def test_one_that_came_from_elsewhere_counts_as_one(untold: Container) -> None:
    """Set up before its process came into the container, as one that is inherited, or received as a descriptor."""
    words = "/usr/bin/python3", "-c", USES_ANOTHERS, str(untold.path / "cgroup.procs")
    status = subprocess.run(words, check=False, timeout=TIMEOUT_S).returncode
    if status == NO_IO_URING:
        pytest.skip("this kernel has no io_uring, or not for this process")
    assert status == 0
    untold.wait_empty()
    assert unrecorded(untold.snapshot()).io_urings == 1


def test_a_failed_setup_is_none(untold: Container) -> None:
    untold.run("/usr/bin/python3", "-c", "import ctypes; ctypes.CDLL(None).syscall(425, 0, None)")
    assert unrecorded(untold.snapshot()).io_urings == 0
