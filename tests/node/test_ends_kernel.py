# SPDX-License-Identifier: Apache-2.0
"""Long writes and long paths: their beginning and their end are recorded, byte for byte, and what is left out is counted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from recorded_cgroups import Container, Workloads, only, raw, returned

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode.events import events
from traceloop_decode.model import Call, Item, Lost
from traceloop_decode.text import short

pytestmark = pytest.mark.kernel

TEXT = bytes(ord("a") + k % 23 for k in range(5001))
CALLS = 400
QUIET = ("sh", "-c", 'exec "$@" 2>/dev/null', "sh")
LONG = 848  # of an end at descriptor 2, by the default sizes


@pytest.fixture(params=[(256, 1024), (16, 16), (64, 1024), (4096, 16384)])
def plan(request: pytest.FixtureRequest) -> Plan:
    item_max, call_max = request.param
    return Plan((32 if item_max > 256 else 8) << 20, item_max, call_max, pool_size=1)


@pytest.fixture
def calls(plan: Plan, workload: Workloads) -> list[Call]:
    with closing(Tracer.load(plan)) as tracer, Container(tracer) as container:
        container.run(*QUIET, workload("long_writes"), str(CALLS))
        found = list(events(container.snapshot()))
    assert not [event for event in found if isinstance(event, Lost)]
    begin = next(n for n, call in enumerate(returned(found)) if call.name == "sched_setaffinity")
    return [call for call in returned(found)[begin:] if call.name in ("write", "writev", "open", "openat")]


def expected(whole: bytes, item_max: int, longest: int) -> tuple[bytes, bytes]:
    """The beginning and the end of what is kept of it."""
    half = item_max // 2 // 8 * 8
    if len(whole) <= item_max or len(whole) <= half + longest:
        return whole, b""
    return whole[:half], whole[-longest:]


def check(item: Item, whole: bytes, item_max: int, longest: int) -> None:
    data, tail = expected(whole, item_max, longest)
    assert (item.data, item.tail, item.size) == (data, tail, len(whole))
    assert (item.more, item.fault) == (bool(tail), False)


def test_every_byte(plan: Plan, calls: list[Call]) -> None:
    item_max, half = plan.item_max, plan.item_max // 2 // 8 * 8
    longest = max((plan.call_max - half - 16) * item_max // (item_max + 8) // 8 * 8, half)  # scratch.bpf.h, TL_LONG_MAX
    assert len(calls) == 4 * CALLS
    for n in range(CALLS):
        size = 1 + 37 * n % 5000
        to_stderr, to_stdout, halves, opened = calls[4 * n : 4 * n + 4]
        assert [raw(call)[0] for call in (to_stderr, to_stdout, halves)] == [2, 1, 2]
        check(only(to_stdout.args[1].items), TEXT[:size], item_max, half)
        if plan.call_max > item_max or size <= item_max:  # else there is no room for more than half of it
            rounds_fit = -(-longest // item_max) < 35
            assert rounds_fit
            check(only(to_stderr.args[1].items), TEXT[:size], item_max, longest)
        path = opened.args[1 if opened.name == "openat" else 0]
        if size < 4096 - item_max and item_max >= 256:
            check(only(path.items), TEXT[:size], item_max, half)
        else:  # too long for a path, or for the rounds of a search
            assert only(path.items).data == TEXT[: len(only(path.items).data)]
        array, *elements = halves.args[1].items
        assert len(array.data) == min(32, item_max)
        for element, whole in zip(elements, (TEXT[: size // 2], TEXT[size // 2 : size]), strict=False):
            assert whole.startswith(element.data)
            assert whole.endswith(element.tail)
            assert element.size == len(whole)


def test_a_stack_traces_last_line(container: Container) -> None:
    """The cause of a traceback of 1.2 KiB on descriptor 2 is in the default format, and so is a long path's file name."""
    lines = ["Traceback (most recent call last):", *(f'  File "/app/{n}.py", line {n}, in call' for n in range(32))]
    trace = "\n".join([*lines, "KeyError: 'the-cause'"]) + "\n"
    assert 1200 < len(trace) < 1400
    path = "/" + "directory/" * 36 + "file-name"
    assert len(path) == 370
    code = f"import os; os.write(2, {trace.encode()!r}); os.access({path!r}, os.R_OK)"
    container.run(*QUIET, "/usr/bin/python3", "-c", code)
    snapshot = container.snapshot()
    (write,) = (call for call in container.calls("write") if raw(call)[0] == 2)
    item = only(write.args[1].items)
    assert (item.data, item.tail) == (trace.encode()[:128], trace.encode()[-LONG:])
    (line,) = short.lines([write], snapshot)
    assert '"Traceback (most recent call last):' in line
    assert '"..."' in line
    assert "KeyError: 'the-cause'\\n\"" in line
    (access,) = (
        call for call in container.calls("access", "faccessat") if b"directory/d" in only(call.args[0].items).data
    )
    (line,) = short.lines([access], snapshot)
    assert 'directory/file-name"' in line


def test_an_end_that_cannot_be_read(container: Container) -> None:
    """The page of the end is missing: the beginning is there, and nothing is made up."""
    code = (
        "import ctypes, mmap, os\n"
        "libc = ctypes.CDLL(None)\n"
        "memory = mmap.mmap(-1, 8192)\n"
        "memory.write(b'x' * 8192)\n"
        "at = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n"
        "libc.mprotect(ctypes.c_void_p(at + 4096), 4096, 0)\n"
        "null = os.open('/dev/null', os.O_WRONLY)\n"
        "libc.syscall(1, null, ctypes.c_void_p(at + 3000), 4000)\n"
        "os._exit(0)\n"
    )
    container.run(*QUIET, "/usr/bin/python3", "-c", code)
    (write,) = (call for call in container.calls("write") if raw(call)[2] == 4000)
    item = only(write.args[1].items)
    assert (item.data, item.tail, item.size, item.more, item.fault) == (b"x" * 128, b"", 4000, True, True)


def test_cold_pages_of_a_long_path_are_read_at_exit(container: Container, tmp_path: Path) -> None:
    """A path that goes on in a page that nobody has touched is read when the call has returned, whole."""
    path = b"/" + b"cold/" * 60 + b"file"
    cold = tmp_path / "cold"
    cold.write_bytes(bytes(4096 - 280) + path + bytes(8192))
    code = (
        "import ctypes, mmap, os\n"
        f"fd = os.open({str(cold)!r}, os.O_RDONLY)\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.mmap.restype = ctypes.c_void_p\n"
        "at = libc.mmap(None, ctypes.c_size_t(12288), 1, 2, fd, ctypes.c_long(0))\n"
        "libc.mprotect(ctypes.c_void_p(at + 4096), 8192, 3)\n"  # or the kernel fetches both pages at once
        "ctypes.string_at(at + 4000, 1)\n"
        "libc.access(ctypes.c_void_p(at + 4096 - 280), 0)\n"
    )
    container.run("/usr/bin/python3", "-c", code)
    found = [
        call for call in container.calls("access") if call.args[0].items and call.args[0].items[0].data[:6] == b"/cold/"
    ]
    item = only(found[-1].args[0].items)
    assert (item.data, item.tail, item.size) == (path[:128], path[-128:], len(path))
