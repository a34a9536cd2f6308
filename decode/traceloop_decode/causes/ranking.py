# SPDX-License-Identifier: Apache-2.0
"""Ranks failed calls: how much each explains of the container's end.

The score of a failure is the weight of its rule (0 to 100), changed by these::

    +30   the last words name its path, address or port          a program that gives up says why
    +12   the last words contain the error's message             "Connection refused"
    +15   its process decided the end: it was the container's first, or passed its status on to it
     +5   its process failed otherwise
    -30   its process lived on, or ended with 0
    up to +25  near the end of its process: the square of the share of its life that had passed
    +15   its process complained right after it: wrote to descriptor 2 before anything else failed
     +6   it was tried at least three times
     -4   another thread ended its process, and did not wait for the one that failed: not for a lock, nor for its end

A failure below `NAMED_MIN` is not named. It is CERTAIN if its process decided the end and the last words name it, or if
the rule weighs so much that no program survives it; LIKELY if the words name its error, or only a number that is its
port, or it was near the end; else POSSIBLE.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from traceloop_decode.causes import subject
from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.names import Names
from traceloop_decode.causes.processes import Process
from traceloop_decode.causes.report import Finding, Sure
from traceloop_decode.causes.rules.rule import Rule
from traceloop_decode.causes.rules.table import rule_of
from traceloop_decode.causes.sentences import sentence
from traceloop_decode.causes.story import Story
from traceloop_decode.causes.words import Said
from traceloop_decode.model import Call

NAMED_SUBJECT: Final = 30
NAMED_ERROR: Final = 12
DECIDED: Final = 15
FAILED: Final = 5
LIVED_ON: Final = -30
NEAR_MOST: Final = 25
COMPLAINED: Final = 15
RETRIED: Final = 6
OTHER_THREAD: Final = -4
RETRIES: Final = 3
NAMED_MIN: Final = 65
FATAL: Final = 85
_NEAR: Final = 0.8
_BASE_MIN: Final = 4  # a shorter last name occurs in other words
_EXECUTED: Final = " This was a command that the engine executed in the container, such as a probe."
_PORT: Final = re.compile(r"(.*):(\d+)")


def ranked(story: Story, deciding: set[int]) -> Iterator[Finding]:
    """Yields a finding for each failure that is named. deciding: the processes that decided the end."""
    complained, said = _complained(story), story.words.said()
    for failure, rule, directories in _merged(story, said):
        score, sure = _judged(failure, rule, story, deciding, said)
        score += COMPLAINED * (_key(failure.last) in complained)
        if score >= NAMED_MIN:
            evidence = (subject.evidence(failure.last),)
            text = sentence(rule.say, failure, story, directories)
            process = story.processes.by_pid.get(failure.pid)
            if process is not None and process.by_engine and failure.pid not in deciding:
                text += _EXECUTED
            yield Finding(rule.kind, text, sure, score, evidence)


def _merged(story: Story, said: Said) -> Iterator[tuple[Failure, Rule, int]]:
    # Failures with their rules; of those with one last name in several directories, the first one, and how many. A name
    # that was found in another directory was only searched for, unless the last words complain of the path.
    by_name: dict[tuple[str, int, str], tuple[Failure, Rule, int]] = {}
    for failure in story.failures:
        rule = rule_of(failure, story)
        if not rule.weight:
            continue
        if not rule.by_name:
            yield failure, rule, 1
        elif not story.failures.was_found(failure.base) or said.has(failure.path):
            key = rule.kind, failure.pid, failure.base
            first, _, count = by_name.get(key, (failure, rule, 0))
            by_name[key] = first, rule, count + 1
    yield from by_name.values()


def _key(call: Call) -> tuple[int, int]:
    return call.ts_ns, call.tid


def _complained(story: Story) -> set[tuple[int, int]]:
    # The calls that failed last before a write to descriptor 2, in the same process.
    times: dict[int, list[tuple[int, Call]]] = {}
    for failure in story.failures:
        times.setdefault(failure.pid, []).append((failure.last.end_ns or failure.last.ts_ns, failure.last))
    found = set()
    for failed in times.values():
        failed.sort(key=lambda one: one[0])
    for ts_ns, pid in story.words.complaints():
        failed = times.get(pid, [])
        at = bisect_right(failed, ts_ns, key=lambda one: one[0])
        if at:
            found.add(_key(failed[at - 1][1]))
    return found


def _judged(failure: Failure, rule: Rule, story: Story, deciding: set[int], said: Said) -> tuple[int, Sure]:
    process = story.processes.by_pid.get(failure.pid)
    near = _nearness(failure, process, story)
    start = said.since(failure.first.ts_ns)
    own = process.name if process is not None else ""
    named, worded = _names(said, start, failure, own, story.names), said.has_any_case(failure.message, start)
    told = named and not _by_number_only(said, start, failure, story.names)
    decided = failure.pid in deciding
    score = rule.weight + round(NEAR_MOST * near * near)
    score += NAMED_SUBJECT * named + NAMED_ERROR * worded + RETRIED * (failure.count >= RETRIES)
    score += DECIDED if decided else FAILED if process is not None and process.failed else LIVED_ON
    score += OTHER_THREAD * _by_another_thread(failure, process, story)
    if decided and (named or (worded and near >= _NEAR) or (rule.weight >= FATAL and near >= _NEAR)):
        return score, Sure.CERTAIN if told or rule.weight >= FATAL else Sure.LIKELY
    return score, Sure.LIKELY if worded or named or (decided and near >= _NEAR) else Sure.POSSIBLE


def _by_another_thread(failure: Failure, process: Process | None, story: Story) -> bool:
    tids = story.threads.of_the_end(process) if process is not None else frozenset()
    return bool(tids) and failure.last.tid not in tids


def _nearness(failure: Failure, process: Process | None, story: Story) -> float:
    begun_ns = process.begun_ns if process is not None else story.begun_ns
    ended_ns = process.end.ts_ns if process is not None and process.end is not None else story.ended_ns
    if ended_ns <= begun_ns:
        return 1.0
    return min(max((failure.last.ts_ns - begun_ns) / (ended_ns - begun_ns), 0.0), 1.0)


def _names(said: Said, start: int, failure: Failure, own: str, names: Names) -> bool:
    # own: the program's name, which its messages begin with.
    if failure.path:
        return said.has(failure.path, start) or (failure.base != own and _has_name(said, start, failure))
    found = _PORT.fullmatch(failure.peer)
    if found is None:
        return bool(failure.peer) and said.has(failure.peer, start)
    return _has(said, start, rf"(?<!\d){found[2]}(?!\d)") or _names_host(said, start, failure.peer, names)


def _by_number_only(said: Said, start: int, failure: Failure, names: Names) -> bool:
    # Nothing tells that the port's number is meant as one: ``db:5432``, ``port 5432``, ``'127.0.0.1', 5432``.
    found = _PORT.fullmatch(failure.peer)
    if failure.path or found is None or said.has(found[1].strip("[]"), start):
        return False
    meant = rf"(?i)(?:(?<!\d):|\bport\W{{1,3}}){found[2]}(?!\d)"
    return not _has(said, start, meant) and not _names_host(said, start, failure.peer, names)


def _has(said: Said, start: int, pattern: str) -> bool:
    return re.compile(pattern).search(said.text, start) is not None


def _names_host(said: Said, start: int, peer: str, names: Names) -> bool:
    hosts = names.name_of(peer), peer.rpartition(":")[0].strip("[]")
    return any(_tells(word) and said.has(word, start) for word in hosts)


def _tells(host: str) -> bool:
    # Tells a host one peer from another?
    try:
        address = ip_address(host)
    except ValueError:
        return host not in ("", "localhost")
    return not (address.is_loopback or address.is_unspecified)


def _has_name(said: Said, start: int, failure: Failure) -> bool:
    # The last name stands there alone, or after directories that are the path's.
    if len(failure.base) < _BASE_MIN:
        return False
    return any(f"/{failure.path}".endswith(f"/{word.lstrip('./')}") for word in said.words_with(failure.base, start))
