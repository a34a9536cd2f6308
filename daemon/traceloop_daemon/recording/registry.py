# SPDX-License-Identifier: Apache-2.0
"""The traces by id, and which ids are taken.

`Traces` owns the registry and gives it out with its lock held. Every method checks that the lock is still held.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from traceloop_daemon.errors import NoSuchTrace
from traceloop_daemon.recording.finding import Found, find
from traceloop_daemon.recording.trace import State, Trace
from traceloop_decode.trace_facts import TraceFacts

Sight = Callable[[TraceFacts], bool]
"""Tells whether a trace exists for whoever asks."""
_CLOSED_REMEMBERED: Final = 10_000


class Registry:
    """The traces by id, oldest first. holder: the thread that holds the lock; None: no thread does."""

    def __init__(self) -> None:
        self.holder: int | None = None
        self._traces: dict[str, Trace] = {}
        self._of_container: dict[str, dict[str, Trace]] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def __iter__(self) -> Iterator[Trace]:
        self._check()
        return iter(self._traces.values())

    def new_id(self, wanted: str) -> str:
        """Returns an id that no trace has or had: `wanted`, or `wanted` with the next free number."""
        self._check()
        number = self._numbers.pop(wanted, 1)
        trace_id = wanted if number == 1 else f"{wanted}_{number}"
        while trace_id in self._traces or trace_id in self._closed:
            number += 1
            trace_id = f"{wanted}_{number}"
        self._numbers[wanted] = number  # the search starts here next time: a crash loop makes thousands of traces
        if len(self._numbers) > _CLOSED_REMEMBERED:
            self._numbers.popitem(last=False)
        return trace_id

    def put(self, trace: Trace) -> None:
        """Adds a new trace."""
        self._check()
        self._traces[trace.id] = trace
        self._of_container.setdefault(trace.container_id, {})[trace.id] = trace

    def load(self, traces: Iterable[Trace], closed: Iterable[str]) -> None:
        """Adds the traces of former daemons that are not in the registry yet, and the ids of closed traces."""
        self._check()
        known = {trace.id: trace for trace in traces} | self._traces
        self._traces, self._of_container = {}, {}
        for trace in sorted(known.values(), key=lambda trace: trace.facts.started_ns):
            self.put(trace)
        for trace_id in closed:
            self._remember(trace_id)

    def forget(self, trace: Trace) -> None:
        """Removes a closed trace; its id is remembered, within a bound."""
        self._check()
        del self._traces[trace.id]
        of_container = self._of_container[trace.container_id]
        del of_container[trace.id]
        if not of_container:
            del self._of_container[trace.container_id]
        self._remember(trace.id)

    def get(self, trace_id: str) -> Trace | None:
        """Returns the trace with exactly this id; None if there is none."""
        self._check()
        return self._traces.get(trace_id)

    def live(self) -> list[Trace]:
        """Returns the traces that are being recorded."""
        self._check()
        return [trace for trace in self._traces.values() if trace.state is State.RECORDING]

    def recording_of(self, container_id: str) -> Trace | None:
        """Returns the live trace of a container; None if there is none."""
        self._check()
        of_container = self._of_container.get(container_id, {})
        live = (trace for trace in of_container.values() if trace.state is State.RECORDING)
        return next(live, None)

    def knows(self, container_id: str) -> bool:
        """Returns whether there is a trace of a container."""
        self._check()
        return container_id in self._of_container

    def find(self, word: str, sees: Sight | None = None) -> Trace:
        """Returns the trace that a word means. Raises NoSuchTrace, also for an empty word; AmbiguousTrace."""
        self._check()
        if not word:
            raise NoSuchTrace("no trace is named: give its id, as `traceloopctl list` shows it")
        return self._traces[self.found(word, sees).trace_id]

    def found(self, word: str, sees: Sight | None = None) -> Found:
        """Finds the trace that a word means, as `finding` has it. sees: other traces do not exist for whoever asks.

        Raises NoSuchTrace, AmbiguousTrace.
        """
        self._check()
        if word in self._traces and (sees is None or sees(self._traces[word].facts)):
            return Found(word)
        found = find(word, [trace.facts for trace in self._traces.values() if sees is None or sees(trace.facts)])
        if found is not None:
            return found
        if not word:
            raise NoSuchTrace("there is no trace yet: `traceloopctl list` says what to do")
        if word in self._closed and sees is None:
            raise NoSuchTrace(f"trace {word} is closed")
        raise NoSuchTrace(f"no trace {word}: `traceloopctl list` shows all traces")

    def _remember(self, trace_id: str) -> None:
        self._closed[trace_id] = None
        while len(self._closed) > _CLOSED_REMEMBERED:
            self._closed.popitem(last=False)

    def _check(self) -> None:
        if self.holder != threading.get_ident():
            raise RuntimeError("the registry of traces is used without the lock of Traces")
