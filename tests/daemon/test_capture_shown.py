# SPDX-License-Identifier: Apache-2.0
"""What was withheld of a trace, and how large its ring was: from the daemon into a file, out of it, into a message."""

import pytest
from archives import encoded_snapshot

from traceloop_cli.display.traces import capture_name, trace_object
from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.archive.trace_info import info_of, trace_of
from traceloop_daemon.naming.names import Names
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.recording.registry import Trace
from traceloop_daemon.service.messages import trace_message
from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.snapshot import Snapshot
from traceloop_proto import recorder_pb2 as pb


def kept(info: TraceInfo) -> Trace:
    return trace_of(Kept("n_web", FileState.WHOLE, 9, 1, TraceInfo.decode(info.encode())))


@pytest.mark.parametrize("policy", CapturePolicy)
def test_every_policy_comes_through_as_its_word(policy: CapturePolicy) -> None:
    live = Trace("n_web", Names("web"), "c1", "/c1", 1, 0, None, withheld=policy.withheld, ring_size_bytes=4 << 20)
    info = info_of(live, Snapshot.decode(encoded_snapshot()), "n")
    assert (info.capture, info.ring_size_bytes) == (policy.value, 4 << 20)
    found = kept(info)
    assert (found.withheld, found.ring_size_bytes) == (policy.withheld, 4 << 20)
    for trace in (live, found):
        message = trace_message(trace, "n")
        assert pb.Capture.Name(message.capture) == capture_name(policy.value) != "CAPTURE_UNSPECIFIED"
        shown = trace_object(message)
        assert (shown["capture"], shown["ring_size_bytes"]) == (policy.value, 4 << 20)


@pytest.mark.parametrize("word", ["", "colours"])
def test_what_an_older_or_a_newer_version_kept_is_not_known(word: str) -> None:
    found = kept(TraceInfo("n_web", capture=word))
    message = trace_message(found, "n")
    shown = trace_object(message)
    assert (found.withheld, message.capture, shown["capture"]) == (None, pb.CAPTURE_UNSPECIFIED, None)
    assert shown["ring_size_bytes"] is None
    assert capture_name(word) == "CAPTURE_UNSPECIFIED"


def test_what_withholds_as_no_policy_does_has_no_word() -> None:
    odd = Trace("n_web", Names("web"), "c1", "/c1", 1, 0, None, withheld=layout.CLASS_ADDRESS)
    assert trace_message(odd, "n").capture == pb.CAPTURE_UNSPECIFIED
    assert info_of(odd, Snapshot.decode(encoded_snapshot()), "n").capture == ""


def test_a_policy_of_a_newer_daemon_is_shown_as_its_number() -> None:
    assert trace_object(pb.Trace(id="x", capture=77))["capture"] == "77"
