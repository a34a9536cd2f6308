# SPDX-License-Identifier: Apache-2.0
"""Fills a rule's sentence with what is known of a failure."""

from __future__ import annotations

import re
from typing import Final

from traceloop_decode.capability_names import name_of
from traceloop_decode.causes import subject
from traceloop_decode.causes.failures import Failure, Held
from traceloop_decode.causes.rules.permissions import CAPABILITY
from traceloop_decode.causes.story import Story
from traceloop_decode.safe_text import printable

_LOCALE: Final = re.compile(r"/locale/([^/]+)")
_FULL: Final = {"ENOSPC": "its file system{} is full", "EDQUOT": "the quota of its user{} is used up"}
_HELD_SHOWN: Final = 3
_FEW: Final = 16  # known descriptors that say nothing about a limit


def sentence(say: str, failure: Failure, story: Story, directories: int = 1) -> str:
    """Returns the sentence. say: a rule's. directories: in how many the name was looked for."""
    process = story.processes.by_pid.get(failure.pid)
    peer = story.names.named(failure.peer)
    about = failure.path or peer
    limit = story.limits.of(failure.pid, failure.first.ts_ns) if failure.held is not None else None
    found = _LOCALE.search(failure.path)
    fields = {
        "who": process.name if process is not None else failure.last.comm,
        "path": failure.path or f"a file ({failure.name})",
        "where": f"{failure.base} (looked for in {directories} directories)" if directories > 1 else failure.path,
        "peer": peer or subject.descriptor(failure.last),
        "call": failure.name,
        "subject": about or f"a file ({failure.name})",
        "of": f" on {about}" if about else "",
        "error": failure.message[:1].lower() + failure.message[1:],
        "times": f" ({failure.count} times)" if failure.count > 1 else "",
        "limit": f" of {limit:,}" if limit is not None else "",
        "held": _held(failure.held, limit) if failure.held is not None else "",
        "holder": _holder(failure, story),
        "locale": found[1] if found else failure.path,
        "user": "this user",
        "no_space": _FULL.get(failure.error, failure.message).format(_mount(failure, story)),
        "capability": _capability(failure),
    }
    return printable(say.format(**fields))


def _held(held: Held, limit: int | None) -> str:
    # What not all descriptors stand for is known: those of which it is are the least that are open.
    below = held.below if limit is None or held.below <= limit else 0
    least = max(held.numbers, below)
    count = f"at least {least:,} are open" if least > _FEW else ""
    most = [f"{times:,} times {name}" for name, times in held.files[:_HELD_SHOWN] if times > 1]
    files = f"of those known, it has open {', '.join(most)}" if most else ""
    told = "; ".join(filter(None, (count, files)))
    return f" ({told})" if told else ""


def _mount(failure: Failure, story: Story) -> str:
    found = story.mounts.of(failure.path)
    return f" ({found})" if found else ""


def _holder(failure: Failure, story: Story) -> str:
    bound = story.bound.get(failure.peer)
    if bound is None or bound.ts_ns > failure.last.ts_ns:
        return ""
    return f" ({bound.comm}, pid {bound.pid} of this container, had bound it)"


def _capability(failure: Failure) -> str:
    return " or ".join(map(name_of, failure.last.missed)) or CAPABILITY.get(failure.name, "")
