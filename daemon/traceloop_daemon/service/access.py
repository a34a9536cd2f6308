# SPDX-License-Identifier: Apache-2.0
"""Limits members of the group to the traces of certain namespaces.

A trace outside of them does not exist for such a user: it is not listed, and no word means it. A container whose names
are not known has no namespace yet, so nobody who is limited sees it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from traceloop_daemon.recording.registry import Sight
from traceloop_decode.trace_facts import TraceFacts


class Access:
    """The limits of users. limited: globs of namespaces, by uid."""

    def __init__(self, limited: Mapping[int, Sequence[str]]) -> None:
        self._limited = limited

    def sight(self, uid: int) -> Sight | None:
        """Returns which traces a user may read; None: all."""
        globs = self._limited.get(uid)
        if globs is None:
            return None

        def sees(facts: TraceFacts) -> bool:
            return facts.namespace != "" and any(fnmatchcase(facts.namespace, glob) for glob in globs)

        return sees
