# SPDX-License-Identifier: Apache-2.0
"""The state of traceloop-ship, as the daemon reads it for its statistics: another user writes it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from traceloop_daemon.archive.shipping import Shipping, shipping
from traceloop_daemon.service.messages import shipping_message
from traceloop_ship.report import report
from traceloop_ship.shipping import Outcome

RUN_NS = 1_700_000_900_000_000_000


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state.json"


def write(state: Path, text: str | bytes) -> None:
    state.write_bytes(text.encode() if isinstance(text, str) else text)
    os.utime(state, ns=(RUN_NS, RUN_NS))


def test_what_traceloop_ship_writes_is_read(state):
    report(state.parent, "", Outcome(3, 300, 0, 1, ""), 1_700_000_000.25)
    report(state.parent, "", Outcome(1, 50, 2, 1, "a.trace: rclone: no such host"), 1_700_000_600)
    report(state.parent, "", Outcome(0, 0, 2, 1, "a.trace: rclone: no such host"), 1_700_000_720)
    os.utime(state, ns=(RUN_NS, RUN_NS))
    assert shipping(state) == Shipping(
        traces=4,
        size_bytes=350,
        runs=3,
        failed_runs=2,
        waiting=2,
        unreadable=1,
        last_run_ns=RUN_NS,
        last_success_ns=1_700_000_000_250_000_000,
        failing_since_ns=1_700_000_600_000_000_000,
        error="a.trace: rclone: no such host",
    )
    report(state.parent, "", Outcome(2, 50, 0, 1, ""), 1_700_000_900)
    found = shipping(state)
    assert found is not None
    assert (found.failing_since_ns, found.error) == (0, "")


def test_the_state_of_a_version_that_did_not_keep_since_when(state):
    write(state, json.dumps({"runs": 2, "failed_runs": 1, "last_success_s": 1_700_000_000.5, "error": "x"}))
    found = shipping(state)
    assert found is not None
    assert found.failing_since_ns == 1_700_000_000_500_000_000


def test_no_state(state):
    assert shipping(state) is None
    assert shipping(state / "x") is None


def test_what_is_no_file_is_not_read(state, tmp_path):
    os.mkfifo(state)
    assert shipping(state) is None
    state.unlink()
    (tmp_path / "real").write_text("{}")
    state.symlink_to(tmp_path / "real")
    assert shipping(state) is None
    state.unlink()
    os.link(tmp_path / "real", state)  # perhaps another user's file, which only the daemon may read
    assert shipping(state) is None
    (tmp_path / "real").unlink()
    assert shipping(state) is not None
    os.truncate(state, 1 << 20)
    assert shipping(state) is None


def test_a_file_of_a_third_user_is_not_read(state):
    if os.geteuid():
        pytest.skip("needs root, to give files to others")
    write(state, "{}")
    os.chown(state, 1000, 1000)
    assert shipping(state) is None
    os.chown(state.parent, 1000, 1000)
    assert shipping(state) is not None
    os.chown(state, 0, 0)
    assert shipping(state) is not None


@pytest.mark.parametrize("text", [b"", b"[", b"[]", b"3", b"null", b"\xff\xfe", b"[" * 16_000, b"9" * 16_000])
def test_what_is_no_state(state, text):
    write(state, text)
    assert shipping(state) is None


def test_values_of_another_kind_are_nothing(state):
    names = ("traces", "bytes", "runs", "failed_runs", "waiting", "unreadable", "last_success_s", "failing_since_s")
    for value in (-1, 1 << 70, True, "1", None, [], float("inf"), float("nan"), 1e300):
        write(state, json.dumps(dict.fromkeys(names, value) | {"error": value if value != "1" else 1}))
        found = shipping(state)
        assert found == Shipping(last_run_ns=RUN_NS), value
        assert shipping_message(found).SerializeToString()


def test_an_error_is_bounded_and_can_be_sent(state):
    write(state, json.dumps({"error": "\ud800\x1b[1m\n\u00e9" + "x" * 5000, "failing_since_s": 1}))
    found = shipping(state)
    assert found is not None
    assert found.error.isascii()
    assert found.error.isprintable()
    assert len(found.error) <= 500
    assert shipping_message(found).error == found.error
