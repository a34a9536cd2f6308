# SPDX-License-Identifier: Apache-2.0
"""The traces of a node: their ids and states, the one lock that guards them, and the views that others get of them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_daemon.recording import traces as traces_module
from traceloop_daemon.recording.feed import Change
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.registry import Registry
from traceloop_daemon.recording.trace import State, Trace, TraceEvent, TraceView
from traceloop_daemon.recording.traces import Traces
from traceloop_decode.trace_facts import TraceFacts

WAIT_S = 30
NEVER_S = 0.2


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    return Traces("n", LiveTraces(tmp_path / "live"))


@pytest.fixture
def registry(traces: Traces) -> Iterator[Registry]:
    with traces.locked() as registry:
        yield registry


def trace(trace_id: str, container_id: str = "", started_ns: int = 0, container: str = "x") -> Trace:
    return Trace(TraceFacts(trace_id, container=container, container_id=container_id, started_ns=started_ns))


# -- the lock


@pytest.mark.parametrize(
    "use",
    [
        list,
        lambda registry: registry.new_id("n_a"),
        lambda registry: registry.put(trace("n_b")),
        lambda registry: registry.load([], []),
        lambda registry: registry.forget(trace("n_a")),
        lambda registry: registry.get("n_a"),
        lambda registry: registry.live(),
        lambda registry: registry.recording_of("c"),
        lambda registry: registry.knows("c"),
        lambda registry: registry.find("n_a"),
        lambda registry: registry.found("n_a"),
    ],
)
def test_the_registry_is_of_no_use_without_the_lock(traces, use) -> None:
    with traces.locked() as registry:
        registry.put(trace("n_a"))
        with traces.locked():
            pass
        assert registry.get("n_a")  # the inner block ended, the outer one holds the lock
    with pytest.raises(RuntimeError, match="without the lock"):
        use(registry)
    with traces.locked():
        refused = []

        def use_there() -> None:
            with pytest.raises(RuntimeError, match="without the lock"):
                use(registry)
            refused.append(use)

        other = threading.Thread(target=use_there)
        other.start()
        other.join(WAIT_S)
        assert refused, "another thread has no part in this one's lock"


def test_every_public_method_of_the_registry_is_among_those_that_ask_for_the_lock() -> None:
    public = {name for name in vars(Registry) if not name.startswith("_")} | {"__iter__"}
    unchecked = {name for name in public if "_check" not in vars(Registry)[name].__code__.co_names}
    assert not unchecked


def test_one_thread_waits_for_the_others_block(traces) -> None:
    seen, inside = [], threading.Event()

    def ask() -> None:
        inside.set()
        seen.append(traces.census())

    with traces.locked() as registry:
        asking = threading.Thread(target=ask)
        asking.start()
        assert inside.wait(WAIT_S)
        asking.join(NEVER_S)
        assert not seen
        registry.put(trace("n_a"))
    asking.join(WAIT_S)
    assert seen == [{State.RECORDING: 1}]


# -- views


def test_a_view_is_what_it_was_when_the_trace_changes(traces) -> None:
    with traces.locked() as registry:
        registry.put(made := trace("n_a"))
    view = traces.view("n_a")
    with traces.locked():
        made.learn(events=7, ended_ns=3)
        made.size_bytes = 9
        made.advance(TraceEvent.END)
    assert (view.state, view.size_bytes, view.facts.events, view.facts.ended_ns) == (State.RECORDING, 0, 0, 0)
    assert (traces.view("n_a").state, traces.view("n_a").facts.events) == (State.FROZEN, 7)


@pytest.mark.parametrize("kind", [TraceView, TraceFacts, Change])
def test_what_other_threads_get_cannot_be_changed(kind: type) -> None:
    one = {TraceView: trace("n_a").view(), TraceFacts: TraceFacts("n_a"), Change: Change(None, None)}[kind]
    for name in (one.name for one in fields(kind)):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, None)


def test_what_became_of_a_file_counts_where_the_file_decides(traces) -> None:
    with traces.locked() as registry:
        for number, events in enumerate(((), (TraceEvent.END,), (TraceEvent.END, TraceEvent.ARCHIVE))):
            registry.put(made := trace(f"n_{number}"))
            for event in events:
                made.advance(event)
    gone = dict.fromkeys(("n_0", "n_1", "n_2"), TraceEvent.LOSE)
    assert [view.state for view in traces.views(gone)] == [State.RECORDING, State.FROZEN, State.MISSING]
    view = traces.view("n_2")
    assert traces.noted(view, TraceEvent.TRUNCATE).state is State.TRUNCATED
    assert traces.noted(view, None).state is State.TRUNCATED
    with traces.locked() as registry:
        closed = registry.find("n_2")
        closed.advance(TraceEvent.CLOSE)
        registry.forget(closed)
    assert traces.noted(view, TraceEvent.ARCHIVE) is view


# -- ids, words and states


def test_ids_are_never_given_twice(registry) -> None:
    for expected in ("n_a", "n_a_2", "n_a_3"):
        made = trace(registry.new_id("n_a"))
        registry.put(made)
        assert made.id == expected
    first = registry.find("n_a")
    first.advance(TraceEvent.CLOSE)
    registry.forget(first)
    assert registry.new_id("n_a") == "n_a_4"


def test_a_trace_is_found_by_id_prefix_and_container(registry) -> None:
    for trace_id, container_id in (("n_pod", "aaa111"), ("n_pod_2", "aaa222"), ("n_other", "bbb")):
        registry.put(trace(trace_id, container_id, container=f"of {trace_id}"))
    assert registry.find("n_pod").id == "n_pod"
    assert registry.find("n_o").id == "n_other"
    assert registry.find("aaa2").id == "n_pod_2"
    with pytest.raises(AmbiguousTrace, match="n_pod, n_pod_2"):
        registry.find("n_po")
    with pytest.raises(AmbiguousTrace):
        registry.find("aaa")
    for word in ("", "zzz", "od"):
        with pytest.raises(NoSuchTrace, match="no trace"):
            registry.find(word)


def test_a_closed_trace_is_told_from_an_unknown_one(registry) -> None:
    made = trace("n_a")
    registry.put(made)
    made.advance(TraceEvent.CLOSE)
    registry.forget(made)
    with pytest.raises(NoSuchTrace, match="n_a is closed"):
        registry.find("n_a")


def test_states_follow_the_table_alone() -> None:
    made = trace("a")
    moves = (TraceEvent.END, State.FROZEN), (TraceEvent.ARCHIVE, State.ARCHIVED), (TraceEvent.CLOSE, State.CLOSED)
    for event, state in moves:
        made.advance(event)
        assert made.state is state
    for event in TraceEvent:
        with pytest.raises(KeyError):
            made.advance(event)


def test_states_of_files_turn_into_each_other_until_the_trace_is_closed() -> None:
    made = trace("a")
    with pytest.raises(KeyError):
        made.advance(TraceEvent.TRUNCATE)  # it is recorded
    made.advance(TraceEvent.END)
    moves = (
        (TraceEvent.LOSE, State.MISSING),
        (TraceEvent.ARCHIVE, State.ARCHIVED),
        (TraceEvent.TRUNCATE, State.TRUNCATED),
        (TraceEvent.DAMAGE, State.ERROR),
    )
    for event, state in (*moves, *moves[::-1]):
        made.advance(event)
        assert made.state is state
    made.advance(TraceEvent.CLOSE)
    with pytest.raises(KeyError):
        made.advance(TraceEvent.ARCHIVE)


def test_what_former_daemons_left_is_listed_by_age_and_its_ids_are_taken(registry) -> None:
    registry.put(trace("n_live", started_ns=20))
    old = [trace(trace_id, started_ns=at) for trace_id, at in (("n_a", 30), ("n_b", 10))]
    registry.load([*old, trace("n_live", started_ns=1, container="former")], ["n_c"])
    assert [(one.id, one.facts.container) for one in registry] == [("n_b", "x"), ("n_live", "x"), ("n_a", "x")]
    assert [registry.new_id(one) for one in ("n_a", "n_c", "n_d")] == ["n_a_2", "n_c_2", "n_d"]
    with pytest.raises(NoSuchTrace, match="n_c is closed"):
        registry.find("n_c")


def test_the_registry_is_made_where_the_lock_is_and_nowhere_else() -> None:
    sources = Path(traces_module.__file__).parents[1]
    makers = [path for path in sources.rglob("*.py") if re.search(r"\bRegistry\(", path.read_text())]
    assert makers == [Path(traces_module.__file__)]
