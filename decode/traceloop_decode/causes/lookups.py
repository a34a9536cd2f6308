# SPDX-License-Identifier: Apache-2.0
"""Names that no name server resolved: findings from the questions that the container asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from traceloop_decode.causes.names import Lookup
from traceloop_decode.causes.report import Finding, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.safe_text import printable

_WEIGHT: Final = 88
_NAMED: Final = 30
# Code of the last answer -> sentence
_SAYS: Final = {
    "NXDOMAIN": "The host name {name} does not exist, says the name server {server}.",
    "NOERROR": "The host name {name} has no address, says the name server {server}.",
    "SERVFAIL": "The name server {server} failed to resolve {name} (SERVFAIL).",
    "REFUSED": "The name server {server} refused to resolve {name}.",
    "": "The name server {server} did not answer the question for {name}{times}.",
}
_REFUSED: Final = "The name server {server} could not be asked for {name}: nothing listens there (connection refused)."


def unresolved(story: Story) -> Iterator[Finding]:
    """Yields a finding for each name that was never resolved; search domains that were tried for it are left out."""
    said = story.words.said()
    lookups = story.names.lookups
    found_ns = _found_ns(lookups.values())
    for lookup in lookups.values():
        if lookup.found or any(other != lookup.name and _is_search(lookup.name, other) for other in lookups):
            continue
        named = said.has(lookup.name)
        unknown = lookup.cut and lookup.code in ("", "NOERROR")
        if unknown or (not named and found_ns.get(_host(lookup), 0) > lookup.first.ts_ns):
            continue
        score = _WEIGHT + _NAMED * named
        yield Finding(
            "name-unresolved",
            _sentence(lookup),
            Sure.CERTAIN if named or lookup.answered or lookup.refused else Sure.LIKELY,
            score,
            (lookup.first,),
        )


def _found_ns(lookups: Iterable[Lookup]) -> dict[str, int]:
    # First label -> when the last name was asked for that begins with it and was found. Search domains are tried one
    # after another: db.prod.default.svc.cluster.local, then db.prod.svc.cluster.local.
    return {_host(lookup): lookup.first.ts_ns for lookup in lookups if lookup.found}


def _host(lookup: Lookup) -> str:
    return lookup.name.partition(".")[0]


def _is_search(name: str, other: str) -> bool:
    # `name` is `other` with a search domain.
    return name.startswith(f"{other}.")


def _sentence(lookup: Lookup) -> str:
    say = _SAYS.get(lookup.code, _SAYS["SERVFAIL"])
    if not lookup.answered and lookup.refused:
        say = _REFUSED
    times = f" ({lookup.asked} times)" if lookup.asked > 1 else ""
    return printable(say.format(name=lookup.name, server=lookup.server or "of the container", times=times))
