# SPDX-License-Identifier: Apache-2.0
"""A trace's capture policy and ring size pass from the daemon into a file, out of it, and into a message."""

import pytest
from archives import encoded_snapshot

from traceloop_cli.display.traces import trace_object
from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.archive.trace_info import info_of, trace_of
from traceloop_daemon.privacy.capture_policy import CapturePolicy
from traceloop_daemon.recording.trace import Trace, TraceView, capture_word
from traceloop_daemon.service.messages import trace_message
from traceloop_decode import layout
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.trace_facts import TraceFacts
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.trace_message import trace_message as message_of

CAPTURES = {
    CapturePolicy.ALL: "CAPTURE_ALL",
    CapturePolicy.NO_PAYLOAD: "CAPTURE_NO_PAYLOAD",
    CapturePolicy.PATHS: "CAPTURE_PATHS",
}


def kept(info: TraceInfo) -> TraceView:
    return trace_of(Kept("n_web", FileState.WHOLE, 9, 1, TraceInfo.decode(info.encode()))).view()


@pytest.mark.parametrize("policy", CapturePolicy)
def test_every_policy_comes_through_as_its_word(policy: CapturePolicy) -> None:
    facts = TraceFacts("n_web", capture=capture_word(policy.withheld), ring_size_bytes=4 << 20)
    info = info_of(facts, Snapshot.decode(encoded_snapshot()))
    assert (info.capture, info.ring_size_bytes) == (policy.value, 4 << 20)
    found = kept(info)
    assert (found.facts.capture, found.facts.ring_size_bytes) == (policy.value, 4 << 20)
    for view in (Trace(facts).view(), found):
        message = trace_message(view, "n")
        assert pb.Capture.Name(message.capture) == CAPTURES[policy]
        shown = trace_object(message)
        assert (shown["capture"], shown["ring_size_bytes"]) == (policy.value, 4 << 20)


@pytest.mark.parametrize("word", ["", "colours"])
def test_what_an_older_or_a_newer_version_kept_is_not_known(word: str) -> None:
    found = kept(TraceInfo("n_web", capture=word))
    message = trace_message(found, "n")
    shown = trace_object(message)
    assert (found.facts.capture, message.capture, shown["capture"]) == ("", pb.CAPTURE_UNSPECIFIED, None)
    assert shown["ring_size_bytes"] is None
    of_file = message_of(TraceFacts("n_web", capture=word), state=pb.STATE_ARCHIVED, size_bytes=9)
    assert of_file.capture == pb.CAPTURE_UNSPECIFIED


def test_what_withholds_as_no_policy_does_has_no_word() -> None:
    odd = TraceFacts("n_web", capture=capture_word(layout.CLASS_ADDRESS))
    assert trace_message(Trace(odd).view(), "n").capture == pb.CAPTURE_UNSPECIFIED
    assert info_of(odd, Snapshot.decode(encoded_snapshot())).capture == ""


def test_a_policy_of_a_newer_daemon_is_shown_as_its_number() -> None:
    assert trace_object(pb.Trace(id="x", capture=77))["capture"] == "77"
