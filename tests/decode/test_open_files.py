# SPDX-License-Identifier: Apache-2.0
"""The files that were open when recording began, from which descriptors first get their names."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from fdtrace import Trace
from hypothesis import given
from hypothesis import strategies as st
from ringwriter import RingWriter

from traceloop_decode.model import DecodeError
from traceloop_decode.open_files import OpenFiles, Process
from traceloop_decode.snapshot import Snapshot


def test_what_was_open_before() -> None:
    fds = {0: (b"/dev/null", False), 1: (b"pipe:[12]", False), 2: (b"/log (deleted)", True)}
    start = OpenFiles(2000, 3000, {7: Process(b"/home", b"/", fds), 8: Process(b"/home", b"/", fds)})
    trace = Trace(start)
    assert trace.call("fsync", 1) == "7 fsync(1) = 0"
    trace.now_ns = 2500
    trace.call("fsync", 1, tid=8, pid=8)  # its process was active
    trace.now_ns = 4000
    assert trace.call("fsync", 1) == "7 fsync(1<pipe:[12]>) = 0"
    assert trace.fd(2) == "</log>(deleted)"
    assert trace.open(b"../f", 3) == '7 openat(AT_FDCWD</home>, "../f", O_RDONLY) = 3</f>'
    trace.call("execve", b"/x", 0, 0)
    assert (trace.fd(0), trace.fd(2)) == ("</dev/null>", "")
    assert trace.call("fsync", 1, tid=8, pid=8) == "8 fsync(1) = 0"


def test_a_snapshot_carries_what_was_open() -> None:
    start = OpenFiles(1, 2, {7: Process(b"/\xff", None, {0: (b"/a", True)})})
    plain = RingWriter().snapshot()
    assert Snapshot.decode(replace(plain, open_files=start).encode()).open_files == start
    assert Snapshot.decode(plain.encode()).open_files is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)
    )
)
def test_what_was_open_is_read_or_refused(fields: object) -> None:
    for wrong in (fields, {"from_ns": 0, "until_ns": 0, "processes": {"1": {"fds": fields}}}):
        try:
            assert isinstance(OpenFiles.of_fields(wrong), OpenFiles)
        except DecodeError:
            continue


@pytest.mark.parametrize("fd", [-1, 1 << 31, 10**30])
def test_a_number_that_is_no_descriptor_is_damage(fd):
    fields = OpenFiles(1, 2, {7: Process(None, None, {fd: (b"/f", False)})}).fields()
    with pytest.raises(DecodeError, match="open_files"):
        OpenFiles.of_fields(fields)
