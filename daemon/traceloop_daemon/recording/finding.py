# SPDX-License-Identifier: Apache-2.0
"""Finds the trace that a user's word means.

Theory of operation. The first of these that fits any trace decides; a trace that is newer comes first::

    an id                                   that trace
    a name (`traceloop_decode.names`)       the traces of that name: the newest
    an id without the node's name           that trace
    the beginning of an id or a name        if all that it fits have one full name: the newest; else ambiguous
    an empty word                           all traces: the newest

After any of these, ``~1`` means the trace before the found one, ``~2`` the one before that; ``~`` is ``~1``. Before an
id are the older traces of the same full name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from traceloop_daemon.errors import AmbiguousTrace, NoSuchTrace
from traceloop_decode.names import full_name, names
from traceloop_decode.trace_facts import TraceFacts

_CANDIDATES_MAX: Final = 20
_BEFORE: Final = "~"
_DIGITS_MAX: Final = 9


@dataclass(frozen=True, slots=True)
class Found:
    """The id of a trace. older: the ids of older traces that the same word means, newest first."""

    trace_id: str
    older: tuple[str, ...] = ()


def find(word: str, known: Collection[TraceFacts]) -> Found | None:
    """Returns the trace that a word means; None if it fits none. known: oldest first.

    Raises AmbiguousTrace; NoSuchTrace if `word` asks for more older traces than there are.
    """
    if any(facts.trace_id == word for facts in known):
        return Found(word)
    fit = _fitting(word, known)
    if fit:
        return Found(fit[0].trace_id, tuple(facts.trace_id for facts in fit[1:]))
    base, tilde, count = word.rpartition(_BEFORE)
    if not tilde or not (count == "" or (count.isascii() and count.isdecimal() and len(count) <= _DIGITS_MAX)):
        return None
    back, fit = int(count or 1), _line_of(base, known)
    if not fit:
        return None
    if back >= len(fit):
        older = f"{len(fit) - 1} older traces" if len(fit) != 2 else "one older trace"
        raise NoSuchTrace(
            f"no trace {word}: {base or 'the newest trace'} has {older if len(fit) > 1 else 'none older'}"
        )
    return Found(fit[back].trace_id)


def _line_of(base: str, known: Collection[TraceFacts]) -> Sequence[TraceFacts]:
    # The traces that `base` means, newest first; of an id, it and the older ones of its name.
    named = [facts for facts in known if facts.trace_id == base]
    if not named:
        return _fitting(base, known)
    older = [*known][: [*known].index(named[0])]
    return [named[0], *(facts for facts in reversed(older) if _identity(facts) == _identity(named[0]))]


def _fitting(word: str, known: Collection[TraceFacts]) -> Sequence[TraceFacts]:
    if not word:
        return [*known][::-1]
    exact = [facts for facts in known if _is_name(word, facts)]
    if exact:
        return exact[::-1]
    exact = [facts for facts in known if _without_node(facts) == word]
    if exact:
        return exact
    fit = [facts for facts in known if _begins(word, facts)]
    if len(fit) > 1 and len({_identity(facts) for facts in fit}) > 1:
        named = ", ".join(facts.trace_id for facts in fit[:_CANDIDATES_MAX])
        more = f" and {len(fit) - _CANDIDATES_MAX} more" if len(fit) > _CANDIDATES_MAX else ""
        raise AmbiguousTrace(f"{word} fits {len(fit)} traces; give more of the id: {named}{more}")
    return fit[::-1]


def _is_name(word: str, facts: TraceFacts) -> bool:
    # Without "/", only the first two names can be equal; most traces need no more than this look.
    if word in (facts.container, facts.pod):
        return True
    return "/" in word and word in _names(facts)


def _begins(word: str, facts: TraceFacts) -> bool:
    if facts.trace_id.startswith(word) or facts.container_id.startswith(word) or _without_node(facts).startswith(word):
        return True
    return facts.pod.startswith(word) or any(name.startswith(word) for name in _names(facts))


def _without_node(facts: TraceFacts) -> str:
    return facts.trace_id.removeprefix(f"{facts.node}_") if facts.node else facts.trace_id


def _names(facts: TraceFacts) -> tuple[str, ...]:
    return names(facts.namespace, facts.pod, facts.container)


def _identity(facts: TraceFacts) -> str:
    # Traces without any name are different from each other.
    return full_name(facts.namespace, facts.pod, facts.container) or f"{_BEFORE}{facts.trace_id}"
