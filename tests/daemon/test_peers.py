# SPDX-License-Identifier: Apache-2.0
"""Shares and allowances of users: none exceeds its own, and root's is separate."""

from traceloop_daemon.service.peers import ROOT, Allowances, Complaints, Share, Taken


def test_shares_are_counted_by_user_and_together_and_root_apart():
    taken = Taken(Share(each=2, together=3))
    assert [taken.take(1) for _ in range(3)] == [None, None, "uid 1 has 2"]
    assert [taken.take(2) for _ in range(2)] == [None, "members of the group traceloop have 3"]
    assert [taken.take(ROOT) for _ in range(4)] == [None, None, None, "uid 0 has 3"]
    taken.give_back(ROOT)
    assert taken.take(2) is not None  # only root's share was given back
    taken.give_back(1)
    assert taken.take(2) is None


def test_allowances_come_back_with_time_up_to_a_bound():
    now_s = 1000.0
    allowances = Allowances(per_s=10, most=100, now_s=lambda: now_s)
    allowances.spend(1, 99)
    assert not allowances.is_spent(1)
    allowances.spend(1, 1)
    assert allowances.is_spent(1)
    assert not allowances.is_spent(2)
    now_s += 1
    assert not allowances.is_spent(1)
    allowances.spend(1, 10_000_000)  # bounded, however much was spent
    now_s += 9.9
    assert allowances.is_spent(1)
    now_s += 0.2
    assert not allowances.is_spent(1)
    now_s += 10
    allowances.forget_silent()
    allowances.spend(1, 99)
    assert not allowances.is_spent(1)


def test_a_complaint_is_said_once_in_a_while_with_how_many_there_were():
    said, now_s = [], 1000.0
    complaints = Complaints(said.append, every_s=60, now_s=lambda: now_s)
    for _ in range(5):
        complaints.add(1, "a call was refused", "too many")
    complaints.add(2, "a call was refused", "too many")
    now_s += 61
    complaints.add(1, "a call was refused", "too many")
    assert said == [
        "uid 1: a call was refused: too many",
        "uid 2: a call was refused: too many",
        "uid 1: a call was refused: too many; 4 more since the last such line",
    ]
