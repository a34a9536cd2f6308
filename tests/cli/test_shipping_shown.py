# SPDX-License-Identifier: Apache-2.0
"""The state of shipping in `traceloopctl stats` and `doctor`."""

from __future__ import annotations

import pytest

from traceloop_cli.checks import shipping
from traceloop_cli.checks.model import Machine
from traceloop_cli.commands import stats
from traceloop_cli.engines.host import Host
from traceloop_cli.findings import Level
from traceloop_proto import traceloop_pb2 as pb

NOW_NS = 1_700_003_600_000_000_000
MINUTE_NS = 60_000_000_000
GOOD = pb.Shipping(
    traces=1234, size_bytes=5 << 20, runs=9, last_run_ns=NOW_NS - MINUTE_NS, last_success_ns=NOW_NS - MINUTE_NS
)


def failing(minutes):
    return pb.Shipping(
        traces=4,
        waiting=17,
        runs=9,
        failed_runs=5,
        last_run_ns=NOW_NS - MINUTE_NS,
        last_success_ns=NOW_NS - 100 * MINUTE_NS,
        failing_since_ns=NOW_NS - minutes * MINUTE_NS,
        error="a.trace: rclone: no such host\x1b",
    )


def rows(found):
    reply = pb.StatsReply(node="n", shipping=found) if found is not None else pb.StatsReply(node="n")
    return list(stats._rows(reply, NOW_NS))


def test_stats_say_nothing_where_nothing_is_shipped():
    assert not [name for name, _ in rows(None) if "ship" in name]
    assert stats._object(pb.StatsReply())["shipping"] is None


def test_stats_of_shipping():
    shown = rows(GOOD)
    at = [name for name, _ in shown].index("traces shipped")
    assert shown[at : at + 3] == [
        ("traces shipped", "1234, 5.0M"),
        ("  waiting", "0"),
        ("  last complete run", "2023-11-14T23:12:20.000000000Z, 60s ago"),
    ]
    assert len(shown) == at + 3
    assert stats._object(pb.StatsReply(shipping=GOOD))["shipping"] == {
        "traces": 1234,
        "size_bytes": 5 << 20,
        "runs": 9,
        "failed_runs": 0,
        "waiting": 0,
        "unreadable": 0,
        "last_run": "2023-11-14T23:12:20.000000000Z",
        "last_success": "2023-11-14T23:12:20.000000000Z",
        "failing_since": None,
        "error": None,
    }


def test_stats_of_shipping_that_fails():
    shown = dict(rows(failing(30)))
    assert shown["  waiting"] == "17"
    assert shown["  fails since"] == "2023-11-14T22:43:20.000000000Z, 30m ago"
    assert shown["  last error"] == r"a.trace: rclone: no such host\33"
    shown = dict(rows(pb.Shipping(runs=1, unreadable=2)))
    assert (shown["  last complete run"], shown["  unreadable"]) == ("never", "2")


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "etc/traceloop").mkdir(parents=True)
    (tmp_path / "etc/traceloop/ship.toml").write_text('to = "store:x"\n')
    return Machine(Host(tmp_path), f"unix:{tmp_path}/no.sock", tmp_path)


def told(machine, found):
    reply = pb.StatsReply(shipping=found) if found is not None else pb.StatsReply()
    return list(shipping.told(machine, reply, NOW_NS))


def test_doctor_says_nothing_where_it_is_not_set_up(machine):
    machine.host.path("/etc/traceloop/ship.toml").unlink()
    assert told(machine, None) == []
    assert list(shipping.findings(machine)) == []


def test_doctor_of_shipping_that_works(machine):
    (found,) = told(machine, GOOD)
    assert (found.level, found.what) == (Level.OK, "1,234 traces were shipped, 0 wait")
    (found,) = told(machine, failing(5))  # the next runs may do better
    assert (found.level, found.what) == (Level.OK, "4 traces were shipped, 17 wait")


def test_doctor_of_shipping_that_fails_for_long(machine):
    (found,) = told(machine, failing(30))
    assert found.level is Level.WARNING
    assert found.what == r"traceloop-ship has failed for 30m, and 17 traces wait: a.trace: rclone: no such host\33"
    assert "are lost" in found.why
    assert "journalctl -u traceloop-ship" in found.remedy


def test_doctor_of_shipping_that_does_not_run(machine):
    (found,) = told(machine, None)
    assert (found.level, "has not run" in found.what) == (Level.WARNING, True)
    assert "systemctl enable --now traceloop-ship.path" in found.remedy
    old = pb.Shipping()
    old.CopyFrom(GOOD)
    old.last_run_ns = NOW_NS - 120 * MINUTE_NS
    (found,) = told(machine, old)
    assert (found.level, found.what) == (Level.WARNING, "traceloop-ship ran 2h ago for the last time")


def test_doctor_where_no_daemon_answers(machine):
    (found,) = shipping.findings(machine)
    assert found.level is Level.UNKNOWN
