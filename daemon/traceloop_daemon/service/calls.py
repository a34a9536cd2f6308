# SPDX-License-Identifier: Apache-2.0
"""Limits the calls that each user may have in progress at the queries' socket, and their duration.

Small questions, large answers and followers of changes are counted separately, and there are threads for all calls that
can be in progress, so that none waits for another. A call is in progress until its client has read the answer or is
gone, because an unread answer takes memory in gRPC. So a call has a deadline, after which it is cancelled.

gRPC would wait for a request in one of these threads before it calls any of this code. So each method is declared to
take a stream of requests, of which the first is read; this is the same on the wire.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import grpc

from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.service.front import uid_of
from traceloop_daemon.service.peers import Complaints, Share, Taken

_SPARE_THREADS: Final = 4  # for calls that are refused
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of calls, counted together. one, several: nouns for messages. deadline_s: None if there is none."""

    one: str
    several: str
    share: Share
    deadline_s: float | None = 30.0


SMALL: Final = Kind("question", "questions under way", Share(each=16, together=32))
LARGE: Final = Kind("reader of a trace", "readers of traces", Share(each=4, together=8))
FOLLOWING: Final = Kind("follower", "clients that are following already", Share(each=4, together=8), deadline_s=None)
KINDS: Final = {"Snapshot": LARGE, "Dump": LARGE, "Watch": FOLLOWING}
"""The kinds of methods; all others are SMALL."""
THREADS: Final = _SPARE_THREADS + sum(2 * kind.share.together for kind in (SMALL, LARGE, FOLLOWING))
"""The threads that a server needs, for members and for root."""


@dataclass(eq=False, slots=True)
class _UnderWay:
    context: grpc.ServicerContext
    uid: int
    kind: Kind
    until_s: float | None


class Calls(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses calls of users that have their share in progress. `end_overdue` is to be called periodically."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._taken = {kind: Taken(kind.share) for kind in (SMALL, LARGE, FOLLOWING)}
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._under_way: set[_UnderWay] = set()
        self._complaints = Complaints(_log.warning)

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler], call: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """See grpc.ServerInterceptor."""
        handler = continuation(call)
        if handler is None:
            return handler
        method = call.method.rpartition("/")[2]

        def answer(requests: Iterator[object], context: grpc.ServicerContext) -> object:
            request = self._admitted(method, requests, context)
            with self._turn:
                return handler.unary_unary(request, context)

        def answers(requests: Iterator[object], context: grpc.ServicerContext) -> Iterator[object]:
            yield from handler.unary_stream(self._admitted(method, requests, context), context)

        def exchange(requests: Iterator[object], context: grpc.ServicerContext) -> Iterator[object]:
            first = self._admitted(method, requests, context)
            yield from handler.stream_stream(chain([first], requests), context)

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                exchange if handler.request_streaming else answers,
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.stream_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)

    def end_overdue(self) -> None:
        """Cancels the calls that are past their deadline."""
        now_s = time.monotonic()
        with self._lock:
            overdue = [one for one in self._under_way if one.until_s is not None and now_s > one.until_s]
            for one in overdue:
                one.until_s = None
        for one in overdue:
            self._tally.add(Counted.CALLS_ENDED)
            self._complaints.add(one.uid, f"a {one.kind.one} was ended", "it did not read the answer in time")
            one.context.cancel()

    def _admitted(self, method: str, requests: Iterator[object], context: grpc.ServicerContext) -> object:
        # Returns the request, or aborts the call if the user has its share.
        kind, uid = KINDS.get(method, SMALL), uid_of(context.peer())
        if (why := self._taken[kind].take(uid)) is not None:
            self._tally.add(Counted.CALLS_REFUSED)
            self._complaints.add(uid, f"a {kind.one} was refused", f"{why} {kind.several}")
            text = f"{why} {kind.several}: wait until one has ended, or end one of them, then try again"
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
        until_s = None if kind.deadline_s is None else time.monotonic() + kind.deadline_s
        one = _UnderWay(context, uid, kind, until_s)
        with self._lock:
            self._under_way.add(one)
        if not context.add_callback(lambda: self._over(one)):  # the client has gone
            self._over(one)
        for request in requests:
            return request
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{method} came without a request")
        raise AssertionError  # abort has raised

    def _over(self, one: _UnderWay) -> None:
        with self._lock:
            self._under_way.discard(one)
        self._taken[one.kind].give_back(one.uid)
