# SPDX-License-Identifier: Apache-2.0
"""The removal of traces by age, number, use and free space: oldest first, never a live one."""

from __future__ import annotations

from typing import NamedTuple

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st

from traceloop_daemon.archive.retention import Limits, Space, expired


class Occupant(NamedTuple):
    trace_id: str
    ended_ns: int
    size_bytes: int


DAY_NS = 86_400 * 10**9
NOW_NS = 100 * DAY_NS
ROOMY = Space(size_bytes=1 << 40, free_bytes=1 << 39)


def occupants(count, size_bytes=100):
    """Returns one trace per hour; the newest ended now."""
    return [Occupant(f"t{n}", NOW_NS - (count - 1 - n) * DAY_NS // 24, size_bytes) for n in range(count)]


def gone(kept, limits=Limits(), space=ROOMY, live=()):  # noqa: B008
    return [(trace_id, reason.partition(",")[0]) for trace_id, reason in expired(kept, limits, space, NOW_NS, live)]


def test_nothing_goes_within_the_limits():
    assert gone(occupants(100)) == []
    assert gone([]) == []


def test_what_is_too_old_goes_even_the_newest():
    kept = [Occupant("old", NOW_NS - 15 * DAY_NS, 1), Occupant("edge", NOW_NS - 14 * DAY_NS, 1)]
    assert gone(kept) == [("old", "max_age")]
    assert gone(kept[:1]) == [("old", "max_age")]


def test_one_that_ended_in_the_future_saves_none_that_is_too_old():
    """A trace with an end in the future, written while the clock was a year ahead, saves none that is too old."""
    kept = [
        Occupant("ahead", NOW_NS + 365 * DAY_NS, 1),
        Occupant("old", NOW_NS - 15 * DAY_NS, 1),
        Occupant("now", NOW_NS, 1),
    ]
    assert gone(kept) == [("old", "max_age")]
    assert gone(kept, Limits(max_traces=1)) == [("ahead", "max_traces"), ("old", "max_age")]


def test_the_oldest_go_until_the_number_fits():
    assert gone(occupants(5), Limits(max_traces=3)) == [("t0", "max_traces"), ("t1", "max_traces")]


def test_the_oldest_go_until_the_use_fits_and_the_newest_stays():
    assert gone(occupants(5), Limits(max_use_bytes=300)) == [("t0", "max_use"), ("t1", "max_use")]
    assert gone(occupants(5), Limits(max_use_bytes=1)) == [(f"t{n}", "max_use") for n in range(4)]


def test_the_oldest_go_until_enough_is_free():
    space = Space(size_bytes=10_000, free_bytes=850)
    assert gone(occupants(5), Limits(keep_free_bytes=1000), space) == [("t0", "keep_free"), ("t1", "keep_free")]


def test_none_goes_for_free_space_that_others_took():
    space = Space(size_bytes=10_000, free_bytes=850)
    assert gone(occupants(5), Limits(keep_free_bytes=2000), space) == []
    assert gone(occupants(5), Limits(keep_free_bytes=2000, max_traces=4), space) == [("t0", "max_traces")]


def test_the_default_shares_are_of_the_file_system_and_at_most_4_gib():
    small = Space(size_bytes=10_000, free_bytes=9000)
    assert len(gone(occupants(15), space=small)) == 5
    assert gone(occupants(10), space=small) == []
    assert len(gone(occupants(9), space=Space(10_000, 1400))) == 1
    huge = Space(size_bytes=1 << 50, free_bytes=5 << 30)
    assert gone(occupants(3, 1 << 30), space=huge) == []
    assert gone(occupants(6, 1 << 30), space=huge) == [("t0", "max_use"), ("t1", "max_use")]


def test_a_live_one_never_goes_and_its_space_counts():
    live = {"t0", "t2"}
    assert gone(occupants(5), Limits(max_traces=1), live=live) == [("t1", "max_traces"), ("t3", "max_traces")]
    assert gone(occupants(5), Limits(max_use_bytes=300), live=live) == [("t1", "max_use"), ("t3", "max_use")]
    old = [Occupant("t0", 0, 1)]
    assert gone(old, live={"t0"}) == []


def _use(kept):
    return sum(one.size_bytes for one in kept)


@given(
    st.lists(st.tuples(st.integers(0, NOW_NS), st.integers(1, 1000)), max_size=30),
    st.builds(Limits, st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 30 * 86_400), st.integers(1, 30)),
    st.integers(0, 20_000),
    st.sets(st.integers(0, 29)),
)
def test_the_limits_hold_afterwards_as_far_as_they_can(kept, limits, free_bytes, live):
    kept = [Occupant(f"t{n}", ended_ns, size) for n, (ended_ns, size) in enumerate(sorted(kept))]
    live = {f"t{n}" for n in live}
    went = [trace_id for trace_id, _ in expired(kept, limits, Space(1 << 20, free_bytes), NOW_NS, live)]
    assert len(set(went)) == len(went)
    assert not live.intersection(went)
    stay = [one for one in kept if one.trace_id not in went]
    idle = [one for one in stay[:-1] if one.trace_id not in live]
    assert not [one for one in stay if NOW_NS - one.ended_ns > limits.max_age_s * 10**9 and one.trace_id not in live]
    if kept and kept[-1] in stay:  # if no idle one is left, nothing more can be removed
        assert not idle or (len(stay) <= limits.max_traces and _use(stay) <= limits.max_use_bytes)


def test_shipped_traces_go_before_others_but_never_the_newest():
    kept = occupants(5)
    found = expired(kept, Limits(max_traces=3), ROOMY, NOW_NS, shipped={"t2", "t3", "t4"})
    assert [trace_id for trace_id, _ in found] == ["t2", "t3"]
    found = expired(kept, Limits(max_traces=1), ROOMY, NOW_NS, {"t3"}, shipped={"t3", "t4"})
    assert [trace_id for trace_id, _ in found] == ["t0", "t1", "t2"]
