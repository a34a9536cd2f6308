# SPDX-License-Identifier: Apache-2.0
"""Explains a container's end: from a snapshot and the trace's facts to a report. Total, pure, and in bounded memory.

A large ring is not read whole, so that an explanation takes seconds: its beginning, where the program starts, and its
end, where it dies. The report says how much was left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Final

from traceloop_decode.causes.children import background, ended_children, failed_children
from traceloop_decode.causes.complaints import not_started, read_before
from traceloop_decode.causes.deciding import deciding, first_process
from traceloop_decode.causes.endings import ended_by_signal, passed_on
from traceloop_decode.causes.excerpt import ends
from traceloop_decode.causes.hangs import hung
from traceloop_decode.causes.killed import stopped
from traceloop_decode.causes.lookups import unresolved
from traceloop_decode.causes.meanings import meaning
from traceloop_decode.causes.processes import Process, argv
from traceloop_decode.causes.ranking import ranked
from traceloop_decode.causes.report import Covered, Ended, Finding, Ran, Report, Sure
from traceloop_decode.causes.story import Story
from traceloop_decode.causes.waits import waits
from traceloop_decode.descriptors.follow import known
from traceloop_decode.descriptors.streams import Streams
from traceloop_decode.events import events
from traceloop_decode.model import Event
from traceloop_decode.program_start import Begins, ProgramStart, program_start
from traceloop_decode.ring_headers import Headers, unrecorded
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.trace_facts import TraceFacts
from traceloop_decode.wait_status import wait_status
from traceloop_decode.whole_since import whole_since_ns

FINDINGS_MAX: Final = 4
_MIB: Final = 1 << 20
_OLDEST_BYTES: Final = 2 * _MIB
_NEWEST_BYTES: Final = 8 * _MIB
_WHOLE_MAX_BYTES: Final = 12 * _MIB
# A finding whose score is that much behind the first one's is not named.
_BEHIND: Final = 55
_BEHIND_CERTAIN: Final = 42


def explain(snapshot: Snapshot, facts: TraceFacts) -> Report:
    """Returns the report."""
    length = snapshot.ring_length
    since_ns = whole_since_ns(snapshot)
    unread = length - _OLDEST_BYTES - _NEWEST_BYTES if length > _WHOLE_MAX_BYTES else 0
    if unread:
        snapshot = ends(snapshot, _OLDEST_BYTES, _NEWEST_BYTES)
    start = program_start(events(snapshot))
    headers = Headers.parse(snapshot.headers[-1], snapshot.cpus)
    pid, begun_ns = (start.call.pid, start.call.end_ns or 0) if start.call is not None else (headers.init_pid, 0)
    story = Story(Streams.at_start(snapshot.open_files, pid, begun_ns))
    story.skips = bool(facts.skipped)
    followed = _followed(snapshot)
    story.watch_before(islice(followed, start.before))
    story.watch(followed, runtime=start.begins is Begins.NEVER)
    main = first_process(story, pid, facts.status)
    status = _status(facts, main)
    how = wait_status(status)
    ended_ns = main.end.ts_ns if main is not None and main.end is not None else 0
    return Report(
        ran=_ran(start, main),
        covered=Covered(
            from_ns=min(since_ns, story.ended_ns) or story.begun_ns,
            until_ns=story.ended_ns,
            events=story.events,
            firsts=story.firsts,
            lost=facts.lost,
            unread_bytes=unread,
        ),
        ended=Ended(how, ended_ns, meaning(how, running=main is None or main.end is None)),
        findings=_findings(story, main, status, snapshot.arch),
        waits=waits(story, main),
        words=story.words.last(),
        configuration=story.configurations.last(),
    )


def _status(facts: TraceFacts, main: Process | None) -> int | None:
    # The daemon knows it even if the end is not in the trace.
    if facts.status is not None or main is None or main.end is None:
        return facts.status
    return main.end.code


def _followed(snapshot: Snapshot) -> Iterator[Event]:
    # The events with the files that their descriptors stand for.
    requests = not unrecorded(snapshot).io_urings
    return known(events(snapshot), snapshot.open_files, sockets=True, requests=requests)


def _ran(start: ProgramStart, main: Process | None) -> Ran:
    call = start.call or (main.execve if main is not None else None)
    if call is None:
        return Ran((), main.comm if main is not None else "", 0, start.begins is not Begins.NEVER)
    return Ran(argv(call), call.end_comm or call.comm, call.end_ns or call.ts_ns, start.begins is not Begins.NEVER)


def _findings(story: Story, main: Process | None, status: int | None, arch: str) -> tuple[Finding, ...]:
    decided = deciding(story, main, status)
    found: list[Finding] = []
    for parent, process in pairwise(decided):
        found.append(passed_on(process, parent))
    for process in decided:
        found += ended_by_signal(process, story, arch)
        if process.status.signal is not None:
            found += (one for one in hung(story, process) if one.evidence not in {other.evidence for other in found})
    if main is not None:
        found += stopped(main, arch)
    if decided:
        found += ranked(story, {process.pid for process in decided})
        found += unresolved(story)
        found += read_before(story, decided)
        found += not_started(story)
        found += ended_children(story, decided, arch)
    elif main is not None and status == 0:
        found += background(story, main)
        found += failed_children(story, main)
    found.sort(key=lambda one: -one.score)
    behind = _BEHIND_CERTAIN if found and found[0].sure is Sure.CERTAIN else _BEHIND
    return tuple(one for one in found if one.score > found[0].score - behind)[:FINDINGS_MAX]
