# SPDX-License-Identifier: Apache-2.0
"""Memory withheld by a capture policy never gets into the ring: every byte of the ring is searched."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from recorded_cgroups import Container, Workloads
from strace.programs import Program

from traceloop_bpf.tracer import Tracer
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_decode import layout
from traceloop_decode.arguments.secrecy import class_of, content_of
from traceloop_decode.arguments.variants import selector_of
from traceloop_decode.arguments.words import line_of
from traceloop_decode.events import events
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import classic, jsonl, short, strace

pytestmark = pytest.mark.kernel

PATH, NAMES, ARGV, ADDRESS, PAYLOAD = (
    b"Path-of-file",
    (b"Name-of-attribute", b"Name-of-key"),
    b"Argv-word",
    b"Address-of-socket",
    b"Payload-of-12-words",
)
KEPT = {
    CapturePolicy.ALL: (PATH, *NAMES, ARGV, ADDRESS, PAYLOAD),
    CapturePolicy.NO_PAYLOAD: (PATH, *NAMES, ARGV, ADDRESS),
    CapturePolicy.PATHS: (PATH,),
}


def memory(container: Container) -> bytes:
    """Returns the ring's whole map: headers, the recorder's scratch, data."""
    ring = container.recording.ring
    length = -(-ring.geometry.value_size // mmap.PAGESIZE) * mmap.PAGESIZE
    with mmap.mmap(ring.fd, length, mmap.MAP_SHARED, mmap.PROT_READ) as mapped:
        return mapped[:]


@pytest.mark.parametrize("policy", CapturePolicy)
def test_no_byte_of_what_is_withheld_gets_into_the_ring(
    containers: Callable[..., Container], workload: Workloads, tmp_path: Path, policy: CapturePolicy
) -> None:
    container = containers(withheld=policy.withheld)
    container.run(workload("secrets"), str(tmp_path / PATH.decode()))
    whole = memory(container)
    found = {word for word in (PATH, *NAMES, ARGV, ADDRESS, PAYLOAD) if word in whole}
    assert found == set(KEPT[policy])


def test_what_is_withheld_is_shown_as_its_address(
    containers: Callable[..., Container], workload: Workloads, tmp_path: Path
) -> None:
    container = containers(withheld=CapturePolicy.NO_PAYLOAD.withheld)
    container.run(workload("secrets"), str(tmp_path / PATH.decode()))
    snapshot = container.snapshot()
    text = "\n".join(strace.lines(events(snapshot), snapshot))
    assert re.search(r" write\(3, 0x[0-9a-f]+, 20\) += 20$", text, re.MULTILINE)
    assert re.search(r" read\(3, 0x[0-9a-f]+, 20\) += 20$", text, re.MULTILINE)
    assert re.search(r" writev\(3, 0x[0-9a-f]+, 1\) += 20$", text, re.MULTILINE)
    assert re.search(
        r' sendto\(\d, 0x[0-9a-f]+, 20, 0, \{sa_family=AF_UNIX, sun_path=@"Address-of-socket"\}, 20\) += 20$',
        text,
        re.MULTILINE,
    )
    assert re.search(r' execve\("/nonexistent", \["true", "Argv-word"\], 0x', text)


@pytest.mark.parametrize("policy", [CapturePolicy.NO_PAYLOAD, CapturePolicy.PATHS])
@pytest.mark.parametrize(
    "name",
    [
        "files_io",
        "files_mount",
        "files_xattr",
        "network_messages",
        "network_options",
        "process_children",
        "process_ipc",
    ],
)
def test_real_programs_leave_items_of_kept_classes_alone(
    tracer: Tracer, tmp_path: Path, name: str, policy: CapturePolicy
) -> None:
    _, snapshot = Program(name, tmp_path).snapshot(tracer, withheld=policy.withheld)
    kept = withheld_none(snapshot, policy)
    assert kept, "else there is nothing to be seen here"
    for style in (classic, short, strace, jsonl):
        assert all(line.isascii() and line.isprintable() for line in style.lines(events(snapshot), snapshot))


def withheld_none(snapshot: Snapshot, policy: CapturePolicy) -> int:
    kept = 0
    for event in events(snapshot):
        call = getattr(event, "call", event)
        if not getattr(call, "items", None):
            continue
        syscall = call.abi.lookup(call.number)
        assert syscall is not None
        line = line_of(syscall, selector_of(call), compat=call.abi.compat)
        assert line is not None
        for arg, items in call.items.items():
            word = line.words[arg]
            may = {content_of(line, arg), *(class_of(nested.what) for nested in word.nested)}
            assert any(not content & policy.withheld for content in may), (call.name, arg)
            kept += len(items)
            if word.what in ("msghdr", "mmsghdr") and policy.withheld & layout.CLASS_PAYLOAD:
                assert {item.kind for item in items if item.sub != layout.SUB_NAME} <= {
                    layout.KIND_MSG,
                    layout.KIND_BUFFER,
                }
                assert layout.SUB_CONTROL not in {item.sub for item in items}
    return kept
