# SPDX-License-Identifier: Apache-2.0
"""How a user's word finds a trace among others, and what is said where it fits several."""

from __future__ import annotations

import pytest

from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_daemon.naming.names import Names
from traceloop_daemon.recording.registry import Registry, Trace


def registry(count: int) -> Registry:
    registry = Registry()
    for number in range(count):
        trace_id = f"node1_web-{number:03}"
        registry.put(Trace(trace_id, Names("web"), f"{number:03}abc", "/web", number, 0, None))
    return registry


@pytest.mark.parametrize(
    ("count", "shown", "more"), [(2, 2, ""), (20, 20, ""), (21, 20, " and 1 more"), (500, 20, " and 480 more")]
)
def test_no_more_than_twenty_candidates_are_named_and_the_others_counted(count: int, shown: int, more: str) -> None:
    with pytest.raises(AmbiguousTrace) as caught:
        registry(count).find("node1_w")
    named = ", ".join(f"node1_web-{number:03}" for number in range(shown))
    assert str(caught.value) == f"node1_w fits {count} traces; give more of the id: {named}{more}"


def test_one_that_fits_alone_is_found_among_any_number() -> None:
    traces = registry(500)
    assert traces.find("node1_web-021").id == traces.find("021").id == "node1_web-021"
    with pytest.raises(NoSuchTrace, match="no trace node2"):
        traces.find("node2")
    with pytest.raises(NoSuchTrace):
        traces.find("")
