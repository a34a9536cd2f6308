# SPDX-License-Identifier: Apache-2.0
"""The trace that a word means: by id, name or a beginning, and those before it."""

from __future__ import annotations

import pytest

from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_daemon.recording.finding import Found, find
from traceloop_decode.names import full_name, names
from traceloop_decode.trace_facts import TraceFacts

KNOWN = [  # oldest first
    TraceFacts("n_web", node="n", container="web", container_id="aa11"),
    TraceFacts("n_shop_till_app", namespace="shop", pod="till", container="app", container_id="bb22"),
    TraceFacts("n_shop_till_log", node="n", namespace="shop", pod="till", container="log", container_id="bb33"),
    TraceFacts("n_web_2", node="n", container="web", container_id="aa44"),
    TraceFacts("n_test_till_app", namespace="test", pod="till", container="app", container_id="cc55"),
    TraceFacts("n_web_3", container="web", container_id="dd66"),
    TraceFacts("n_shop_till_app_2", namespace="shop", pod="till", container="app", container_id="ee77"),
    TraceFacts("n_pods_solo", pod="solo", container="solo", container_id="ff88"),
]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("n_web", Found("n_web")),  # an id is that trace, also if it is the beginning of others
        ("web", Found("n_web_3", ("n_web_2", "n_web"))),
        ("solo", Found("n_pods_solo")),
        ("till", Found("n_shop_till_app_2", ("n_test_till_app", "n_shop_till_log", "n_shop_till_app"))),
        ("shop/till", Found("n_shop_till_app_2", ("n_shop_till_log", "n_shop_till_app"))),
        ("till/log", Found("n_shop_till_log")),
        ("till/app", Found("n_shop_till_app_2", ("n_test_till_app", "n_shop_till_app"))),
        ("shop/till/app", Found("n_shop_till_app_2", ("n_shop_till_app",))),
        ("n_we", Found("n_web_3", ("n_web_2", "n_web"))),  # a beginning that fits one name alone
        ("aa1", Found("n_web")),
        ("aa", Found("n_web_2", ("n_web",))),
        ("sol", Found("n_pods_solo")),
        ("test/t", Found("n_test_till_app")),
        ("shop/till/l", Found("n_shop_till_log")),
        ("", Found("n_pods_solo", tuple(one.trace_id for one in reversed(KNOWN[:-1])))),
        ("web_2", Found("n_web_2")),  # as a narrow terminal shows it
        ("shop_till_log", Found("n_shop_till_log")),
        ("shop_till_l", Found("n_shop_till_log")),
        ("nobody", None),
        ("shop/web", None),
        ("app/till", None),
    ],
)
def test_a_word_means_the_newest_of_its_name(word: str, found: Found | None) -> None:
    assert find(word, KNOWN) == found


@pytest.mark.parametrize(
    ("word", "trace_id"),
    [
        ("web~0", "n_web_3"),
        ("web~1", "n_web_2"),
        ("web~", "n_web_2"),
        ("web~2", "n_web"),
        ("n_web_2~1", "n_web"),  # of an id, the one before it
        ("n_shop_till_app_2~1", "n_shop_till_app"),  # of the same container of the same pod
        ("till~1", "n_test_till_app"),
        ("shop/till~2", "n_shop_till_app"),
        ("n_we~1", "n_web_2"),
        ("~1", "n_shop_till_app_2"),
    ],
)
def test_the_ones_before(word: str, trace_id: str) -> None:
    assert find(word, KNOWN) == Found(trace_id)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("web~3", "no trace web~3: web has 2 older traces"),
        ("n_web~1", "no trace n_web~1: n_web has none older"),
        ("n_web_2~2", "no trace n_web_2~2: n_web_2 has one older trace"),
        ("~99", "no trace ~99: the newest trace has 7 older traces"),
    ],
)
def test_more_before_than_there_are(word: str, why: str) -> None:
    with pytest.raises(NoSuchTrace) as caught:
        find(word, KNOWN)
    assert str(caught.value) == why


@pytest.mark.parametrize("word", ["web~x", "web~-1", "web~\N{SUPERSCRIPT TWO}", "web~1234567890", "nobody~1"])
def test_what_is_no_number_is_no_step_back(word: str) -> None:
    assert find(word, KNOWN) is None


@pytest.mark.parametrize("word", ["n_", "n_shop", "t", "shop/till/", "n_~1"])
def test_a_beginning_of_several_names_is_refused_with_the_candidates(word: str) -> None:
    with pytest.raises(AmbiguousTrace, match=r"fits \d traces; give more of the id: n_.*, n_") as caught:
        find(word, KNOWN)
    assert "n_shop_till_log" in str(caught.value)


def test_a_name_with_a_tilde_or_a_slash_is_found_as_it_is() -> None:
    odd = [TraceFacts("n_a-1", container="a~1"), TraceFacts("n_b-c", container="b/c"), TraceFacts("n_a", container="a")]
    assert find("a~1", odd) == Found("n_a-1")
    assert find("b/c", odd) == Found("n_b-c")


def test_traces_without_names_are_not_of_one_name() -> None:
    with pytest.raises(AmbiguousTrace):
        find("n_", [TraceFacts("n_1"), TraceFacts("n_2")])


@pytest.mark.parametrize(
    ("parts", "known"),
    [
        (("", "", ""), ()),
        (("", "", "c"), ("c",)),
        (("ns", "", "c"), ("c",)),
        (("", "p", "p"), ("p",)),
        (("", "p", "c"), ("c", "p", "p/c")),
        (("ns", "p", "p"), ("p", "ns/p")),
        (("ns", "p", "c"), ("c", "p", "ns/p", "p/c", "ns/p/c")),
    ],
)
def test_names(parts: tuple[str, str, str], known: tuple[str, ...]) -> None:
    assert names(*parts) == known
    assert full_name(*parts) == (known[-1] if known else "")
