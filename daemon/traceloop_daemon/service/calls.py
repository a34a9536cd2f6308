# SPDX-License-Identifier: Apache-2.0
"""How many calls each user may have under way at the queries' socket, and for how long.

Small questions, large answers and those who follow changes are counted apart, and there are threads for all that can be
under way: none waits behind another. A call is under way until its client has read its answer, or is gone: what is not
read lies in gRPC's memory. So a call has a deadline, after which it is ended wherever it is.

gRPC would wait for a request in one of those threads, before anything of ours is asked. So to gRPC all requests are
streams, of which the first message is read; on the wire that is the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import grpc

from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.service.front import uid_of
from traceloop_daemon.service.peers import Complaints, Share, Taken

_SPARE_THREADS: Final = 4  # for those who are refused
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """Calls that are counted together. one, several: what they are called. deadline_s: None: they last."""

    one: str
    several: str
    share: Share
    deadline_s: float | None = 30.0


SMALL: Final = Kind("question", "questions under way", Share(each=16, together=32))
LARGE: Final = Kind("reader of a trace", "readers of traces", Share(each=4, together=8))
FOLLOWING: Final = Kind("follower", "clients that are following already", Share(each=4, together=8), deadline_s=None)
KINDS: Final = {"Snapshot": LARGE, "Dump": LARGE, "Watch": FOLLOWING}
"""Of methods; all others are SMALL."""
THREADS: Final = _SPARE_THREADS + sum(2 * kind.share.together for kind in (SMALL, LARGE, FOLLOWING))
"""What a server needs: for members and for root."""


@dataclass(eq=False, slots=True)
class _UnderWay:
    context: grpc.ServicerContext
    uid: int
    kind: Kind
    until_s: float | None


class Calls(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses who has his share under way. `end_overdue` is to be called again and again."""

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

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                answers, handler.request_deserializer, handler.response_serializer
            )
        return grpc.stream_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)

    def end_overdue(self) -> None:
        """Ends the calls that took longer than they may."""
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
        # The request, of one who may make it.
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
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"a {method} without a request")
        raise AssertionError  # abort has raised

    def _over(self, one: _UnderWay) -> None:
        with self._lock:
            self._under_way.discard(one)
        self._taken[one.kind].give_back(one.uid)
