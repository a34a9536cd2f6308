# SPDX-License-Identifier: Apache-2.0
"""The part of a trace that the container runtime made, which `show` leaves out of text and summaries."""

from __future__ import annotations

import json

import pytest
from ringwriter import RingWriter, item
from test_show_options import AT_FDCWD, CLOSE, ENOENT, NUMBERS, OPENAT, rendering

from traceloop_decode import layout
from traceloop_decode.snapshot import Snapshot

EXECVE = NUMBERS["execve"]
INIT = "runc:[2:INIT]"
NOTE = "--- 4 events of the container runtime, 0.000 s before the program, are not shown: see --runtime ---"


def container(result: int = 0, *, interrupted: bool = False) -> Snapshot:
    """Process 7 is runc's, opens a file, then executes the program, which closes it; 8 is runc's too and goes on."""
    ring = RingWriter(1 << 20, 1 << 14)
    for tid in (7, 8):
        ring.name(tid, tid, INIT)
    for error in (3, -ENOENT):
        ring.enter(0, 7, OPENAT, AT_FDCWD, 16, 0, 0, items=item(1, layout.KIND_STRING, b"/etc/passwd"))
        ring.exit(0, 7, OPENAT, error)
    ring.enter(1, 8, CLOSE, 9)
    ring.enter(0, 7, EXECVE, 16, 0, 0, items=item(0, layout.KIND_STRING, b"/bin/sh"))
    if interrupted:
        ring.enter(1, 8, NUMBERS["getppid"])
    ring.name(7, 7, "sh" if not result else INIT)
    ring.exit(0, 7, EXECVE, result)
    ring.exit(1, 8, CLOSE, 0)
    ring.enter(0, 7, CLOSE, 3)
    ring.exit(0, 7, CLOSE, 0)
    return ring.snapshot()


def texts(*argv: str, snapshot: Snapshot | None = None) -> list[str]:
    lines = rendering(*argv).lines(snapshot or container())
    return [line.partition("] ")[2].partition("(")[0] if "] " in line else line for line in lines]


def test_text_begins_at_the_program() -> None:
    assert texts() == [NOTE.replace("4", "3"), "execve", "...close", "close"]
    assert texts("--runtime") == ["openat", "openat", "close", "execve", "...close", "close"]
    assert texts("-o", "classic") == [NOTE.replace("4", "3"), "execve", "...close", "close"]
    (_, first, *_) = rendering("-o", "strace").lines(container())
    assert first.startswith("7     execve(")


def test_a_program_whose_execve_is_two_events_is_one_line() -> None:
    (note, first, *rest) = rendering().lines(container(interrupted=True))
    assert note == NOTE.replace("4", "5")
    assert first.endswith('execve(filename="/bin/sh", argv=NULL, envp=NULL) = 0')
    assert len(rest) == 2


def test_a_summary_leaves_it_out_too() -> None:
    lines = list(rendering("-c").lines(container()))
    assert lines[0] == NOTE.replace("4", "3")
    assert {line.split()[-1]: line.split()[3] for line in lines[3:-2]} == {"execve": "1", "close": "2"}
    assert "openat" in "".join(rendering("-c", "--runtime").lines(container()))


@pytest.mark.parametrize(
    "argv", [("-n", "2"), ("--since-end", "1h"), ("-S", "@0"), ("--grep", "close"), ("--around", "00:00.000009000")]
)
def test_the_note_is_only_where_the_beginning_is_shown(argv: tuple[str, ...]) -> None:
    assert not [line for line in texts(*argv) if "container runtime" in line or line == "openat"]


def test_filters_leave_the_note() -> None:
    assert texts("-e", "openat") == [NOTE.replace("4", "3")]
    assert texts("-n", "+1", "-e", "close")[0] == NOTE.replace("4", "3")


def test_a_time_before_the_program_is_shown() -> None:
    for argv in (("--around", "00:00.000001000", "-n", "2"), ("-U", "@0.001003")):
        assert "openat" in texts(*argv)


def test_a_program_that_never_started_is_shown_with_all_before_it() -> None:
    snapshot = container(result=-ENOENT)
    assert texts(snapshot=snapshot) == texts("--runtime", snapshot=snapshot)
    assert texts(snapshot=snapshot)[0] == "openat"


def test_objects_are_complete() -> None:
    calls = [json.loads(line)["syscall"] for line in rendering("-o", "jsonl").lines(container())]
    assert calls == ["openat", "openat", "execve", "close", "close"]


def test_descriptors_that_the_runtime_opened_have_no_names() -> None:
    """The runtime's paths are of another root directory, or it changed the root meanwhile."""
    assert [line for line in rendering("-y").lines(container()) if "close(fd=3) = 0" in line]


def test_losses_in_the_runtimes_part_are_shown() -> None:
    ring = RingWriter(1 << 20, 1 << 14)
    ring.name(7, 7, INIT)
    ring.enter(0, 7, CLOSE, 9)
    ring.exit(0, 7, CLOSE, 0)
    ring.cpus[1].dropped = 3
    ring.enter(1, 7, CLOSE, 9)
    ring.exit(1, 7, CLOSE, 0)
    ring.enter(0, 7, EXECVE, 16, 0, 0, items=item(0, layout.KIND_STRING, b"/bin/sh"))
    ring.exit(0, 7, EXECVE, 0)
    assert any("3 events of cpu#1 were not recorded" in line for line in rendering().lines(ring.snapshot()))
