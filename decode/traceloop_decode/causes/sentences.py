# SPDX-License-Identifier: Apache-2.0
"""Fills a rule's sentence with what is known of a failure."""

from __future__ import annotations

import re
from typing import Final

from traceloop_decode.capability_names import name_of
from traceloop_decode.causes import subject
from traceloop_decode.causes.failures import Failure
from traceloop_decode.causes.rules.permissions import CAPABILITY
from traceloop_decode.causes.story import Story
from traceloop_decode.safe_text import printable

_LOCALE: Final = re.compile(r"/locale/([^/]+)")
_FULL: Final = {"ENOSPC": "its file system{} is full", "EDQUOT": "the quota of its user{} is used up"}
_HELD_SHOWN: Final = 3


def sentence(say: str, failure: Failure, story: Story, directories: int = 1) -> str:
    """Returns the sentence. say: a rule's. directories: in how many the name was looked for."""
    process = story.processes.by_pid.get(failure.pid)
    peer = story.names.named(failure.peer)
    about = failure.path or peer
    found = _LOCALE.search(failure.path)
    fields = {
        "who": process.name if process is not None else failure.last.comm,
        "path": failure.path,
        "where": f"{failure.base} (looked for in {directories} directories)" if directories > 1 else failure.path,
        "peer": peer or subject.descriptor(failure.last),
        "call": failure.name,
        "subject": about or f"a file ({failure.name})",
        "of": f" on {about}" if about else "",
        "error": failure.message[:1].lower() + failure.message[1:],
        "times": f" ({failure.count} times)" if failure.count > 1 else "",
        "held": _held(failure),
        "holder": _holder(failure, story),
        "locale": found[1] if found else failure.path,
        "user": "this user",
        "no_space": _FULL.get(failure.error, failure.message).format(_mount(failure, story)),
        "capability": _capability(failure),
    }
    return printable(say.format(**fields))


def _held(failure: Failure) -> str:
    total = sum(count for _, count in failure.held)
    if not total:
        return "reached its limit"
    most = [f"{count:,} times {name}" for name, count in failure.held[:_HELD_SHOWN] if count > 1]
    return f"{total:,} open{', ' if most else ''}{', '.join(most)}"


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
