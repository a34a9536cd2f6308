# SPDX-License-Identifier: Apache-2.0
"""Labels come from users; a bounded part passes through memory, JSON, files and messages unchanged."""

import json
from dataclasses import asdict, replace

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from archives import INFO, encoded_snapshot
from hypothesis import given
from hypothesis import strategies as st

from traceloop_daemon.archive.kept_files import FileState, Kept
from traceloop_daemon.archive.trace_info import info_of, trace_of
from traceloop_daemon.naming.labels import LABELS_MAX, LABELS_MAX_BYTES, Labels
from traceloop_daemon.naming.names import Names
from traceloop_daemon.recording.trace import name_facts, names_of
from traceloop_daemon.service.messages import trace_message
from traceloop_decode.archive_file import TraceInfo
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.trace_facts import TraceFacts

TEXT = st.text(max_size=20)


@given(st.dictionaries(TEXT, TEXT | st.just("\ud800") | st.just("x" * LABELS_MAX_BYTES), max_size=100))
def test_no_more_than_the_bounds_and_every_one_kept_or_counted(told):
    labels = Labels.of(told)
    assert len(labels.pairs) <= LABELS_MAX
    assert sum(len(text.encode()) for pair in labels.pairs for text in pair) <= LABELS_MAX_BYTES
    assert len(labels.pairs) + labels.left_out == len(told)
    assert Labels.of_fields(**json.loads(json.dumps(asdict(labels)))) == labels


def test_those_that_fit_are_whole_and_in_order():
    assert Labels.of({"b": "2", "a": "1"}).pairs == (("a", "1"), ("b", "2"))
    many = Labels.of({f"{number:03}": "" for number in range(LABELS_MAX + 5)})
    assert (many.pairs[-1], many.left_out) == ((f"{LABELS_MAX - 1:03}", ""), 5)
    long = Labels.of({"a": "x" * LABELS_MAX_BYTES, "b": "x" * (LABELS_MAX_BYTES - 1), "c": "y"})
    assert long == Labels((("b", "x" * (LABELS_MAX_BYTES - 1)),), 2), "what comes behind one too long may fit"


def test_what_names_have_already_is_left_out_and_not_counted():
    repeated = {"io.kubernetes.pod.name": "web", "io.kubernetes.container.name": "c"}
    assert Labels.of(repeated | {"app": "x"}) == Labels((("app", "x"),))
    assert not Labels.of(repeated)


def test_they_go_into_a_file_and_come_back_in_a_message():
    labels = Labels.of({"app": "shop", "note": "a\ud800\n"}, left_out=2)
    facts = TraceFacts("n_web", **name_facts(Names("web", restart_count=3, labels=labels)))
    info = TraceInfo.decode(info_of(facts, Snapshot.decode(encoded_snapshot())).encode())
    found = trace_of(Kept("n_web", FileState.WHOLE, 9, 1, info)).view()
    assert (names_of(found.facts).labels, found.facts.restart_count) == (labels, 3)
    message = trace_message(found, "n")
    assert (dict(message.labels), message.labels_left_out) == ({"app": "shop", "note": "a\\ud800\n"}, 2)


def test_a_foreign_file_with_more_is_bounded_too():
    info = replace(INFO, labels={f"k{number}": "v" for number in range(1000)}, labels_left_out=1)
    assert trace_of(Kept("x", FileState.WHOLE, 9, 1, info)).facts.labels_left_out == 1001 - LABELS_MAX


def test_names_are_completed_by_who_knows_labels():
    by_nri = Names("web", labels=Labels.of({"app": "shop"}))
    assert Names("web").completed(by_nri) == by_nri
    assert by_nri.completed(Names("web")) == by_nri
