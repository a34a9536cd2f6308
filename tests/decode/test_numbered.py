# SPDX-License-Identifier: Apache-2.0
"""Mappings that share equal parts behave as dicts under all operations, and sharing costs nothing."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from traceloop_decode.descriptors.numbered import Numbered

NUMBERS = st.integers(0, 70) | st.integers(0, 5000) | st.integers(0, (1 << 32) - 1)
Pair = tuple[Numbered[str], dict[int, str]]


def checked(made: Numbered[str], expected: dict[int, str]) -> Pair:
    assert list(made.items()) == sorted(expected.items())
    return made, expected


class AsDicts(RuleBasedStateMachine):
    """Each mapping is compared with a dict; no mapping changes when others are derived from it."""

    made = Bundle("made")

    @rule(target=made)
    def empty(self) -> Pair:
        return checked(Numbered(), {})

    @rule(target=made, one=made, number=NUMBERS, value=st.sampled_from("abc"))
    def put(self, one: Pair, number: int, value: str) -> Pair:
        return checked(one[0].put(number, value), one[1] | {number: value})

    @rule(target=made, one=made, number=NUMBERS)
    def drop(self, one: Pair, number: int) -> Pair:
        return checked(one[0].drop(number), {key: value for key, value in one[1].items() if key != number})

    @rule(target=made, one=made, first=NUMBERS, last=NUMBERS)
    def cut(self, one: Pair, first: int, last: int) -> Pair:
        inside, outside = one[0].cut(first, last)
        checked(inside, {key: value for key, value in one[1].items() if first <= key <= last})
        return checked(outside, {key: value for key, value in one[1].items() if not first <= key <= last})

    @rule(target=made, one=made, other=made)
    def merge(self, one: Pair, other: Pair) -> Pair:
        return checked(one[0].merge(other[0]), one[1] | other[1])

    @rule(target=made, one=made, other=made)
    def common(self, one: Pair, other: Pair) -> Pair:
        alike = one[0].common(other[0], lambda mine, its: mine == its)
        return checked(alike, {key: value for key, value in one[1].items() if other[1].get(key) == value})

    @rule(one=made, number=NUMBERS | st.integers(-99, -1) | st.just(1 << 64))
    def get(self, one: Pair, number: int) -> None:
        assert one[0].get(number) == one[1].get(number)
        checked(*one)


TestAsDicts = AsDicts.TestCase


def test_only_what_differs_is_compared() -> None:
    large: Numbered[int] = Numbered()
    for number in range(10_000):
        large = large.put(number, number)
    compared = []

    def is_same(one: int, other: int) -> bool:
        compared.append((one, other))
        return one == other

    assert large.common(large.put(5000, -1), is_same).get(5000) is None
    assert len(compared) == 32
