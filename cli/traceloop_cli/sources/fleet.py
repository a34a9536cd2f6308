# SPDX-License-Identifier: Apache-2.0
"""Several daemons behind the methods of one daemon's stub, so that each verb works on a fleet as on one node.

List asks all daemons. The methods that take a trace's id ask all of them for the trace, and then the one that has it.
All are asked in parallel, some at a time, and answers keep the order of the hosts. A daemon that does not answer fails
no other's answer: `listings` returns its error in its place, and an id that was found elsewhere is used with a warning.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Final, TypeVar

from traceloop_cli.errors import CliError, Failed, NoMatch, Unreachable
from traceloop_cli.sources.fleet_watch import watched
from traceloop_cli.sources.listing import Listing, unanswered
from traceloop_decode.safe_text import printable
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.traceloop_pb2_grpc import RecorderStub

ANSWER_S: Final = 20.0
"""The maximum wait for the way to one of several daemons."""
_JOBS: Final = 16
_Connect = Callable[[], AbstractContextManager[RecorderStub]]
_Reply = TypeVar("_Reply")
_Chunk = TypeVar("_Chunk")


class FleetStub(RecorderStub):
    """The methods of RecorderStub that traceloopctl calls, for several daemons. hosts: names, and how to connect.

    listed: which traces to list.
    """

    def __init__(  # not the base's, which makes its methods
        self, hosts: Sequence[tuple[str, _Connect]], listed: Callable[[pb.Trace], bool] = lambda _: True
    ) -> None:
        self._hosts, self._listed = hosts, listed

    def listings(self, request: pb.ListRequest, timeout: float) -> list[Listing]:
        """Returns each daemon's answer, in the order of the hosts."""
        return [
            Listing(host, *((None, answer) if isinstance(answer, CliError) else (answer, None)))
            for host, answer in self._all(lambda stub: self._picked(stub.List(request, timeout=timeout)), self._hosts)
        ]

    def _picked(self, reply: pb.ListReply) -> pb.ListReply:
        return pb.ListReply(node=reply.node, traces=[trace for trace in reply.traces if self._listed(trace)])

    def List(self, request: pb.ListRequest, timeout: float) -> pb.ListReply:  # noqa: N802 - gRPC's name
        """Returns all traces. Daemons that do not answer are named on stderr. Raises Unreachable if none answers."""
        listings = self.listings(request, timeout)
        errors = [one.error for one in listings if one.error is not None]
        if len(errors) == len(listings):
            raise Unreachable(unanswered(errors, len(listings)))
        _warn(errors, len(listings))
        return pb.ListReply(traces=[trace for one in listings if one.reply for trace in one.reply.traces])

    def Get(self, request: pb.TraceRequest, timeout: float) -> pb.Trace:  # noqa: N802
        """Returns a trace. Raises CliError if no daemon has it, or several have."""
        return self._found(request, timeout)[1]

    def Snapshot(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.SnapshotChunk]:  # noqa: N802
        """Yields the chunks of a trace's Snapshot."""
        return self._streamed(request, timeout, lambda stub, one: stub.Snapshot(one, timeout=timeout))

    def Dump(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.DumpChunk]:  # noqa: N802
        """Yields the chunks of a trace's archive file."""
        return self._streamed(request, timeout, lambda stub, one: stub.Dump(one, timeout=timeout))

    def Close(self, request: pb.TraceRequest, timeout: float) -> pb.Trace:  # noqa: N802
        """Deletes a trace."""
        connect, trace = self._found(request, timeout)
        with connect() as stub:
            closed: pb.Trace = stub.Close(pb.TraceRequest(id=trace.id), timeout=timeout)
            return closed

    def Watch(self, request: pb.WatchRequest) -> Iterator[pb.Change]:  # noqa: ARG002, N802
        """Yields all daemons' changes, the first without a trace. Daemons that stop are named on stderr."""
        for host, item in watched(self._hosts):
            if isinstance(item, CliError):
                _warn([item], len(self._hosts))
            elif host == "" or not item.HasField("trace") or self._listed(item.trace):
                yield item

    def __getattr__(self, name: str) -> None:
        raise Failed("this asks one daemon, not several: give one HOST")

    def _streamed(
        self,
        request: pb.TraceRequest,
        timeout: float,
        ask: Callable[[RecorderStub, pb.TraceRequest], Iterator[_Chunk]],
    ) -> Iterator[_Chunk]:
        connect, trace = self._found(request, timeout)
        with connect() as stub:
            yield from ask(stub, pb.TraceRequest(id=trace.id))

    def _found(self, request: pb.TraceRequest, timeout: float) -> tuple[_Connect, pb.Trace]:
        # The host is asked first whose name the id begins with; then all, since a host may be called otherwise.
        named = [one for one in self._hosts if request.id.startswith(f"{one[0]}_")]
        if named:
            with suppress(NoMatch):
                return self._found_among(named, request, timeout)
        return self._found_among(self._hosts, request, timeout)

    def _found_among(
        self, hosts: Sequence[tuple[str, _Connect]], request: pb.TraceRequest, timeout: float
    ) -> tuple[_Connect, pb.Trace]:
        found: list[tuple[_Connect, str, pb.Trace]] = []
        errors: list[CliError] = []
        asked = self._all(lambda stub: stub.Get(request, timeout=timeout), hosts)
        for (_, connect), (host, answer) in zip(hosts, asked, strict=True):
            if isinstance(answer, Failed) and not isinstance(answer, NoMatch):
                raise Failed(f"{host}: {answer}")
            if isinstance(answer, pb.Trace):
                found.append((connect, host, answer))
            elif not isinstance(answer, NoMatch):
                errors.append(answer)
        if len(found) > 1:
            names = ", ".join(f"{trace.id} on {host}" for _, host, trace in found)
            raise Failed(f"{request.id} fits traces of {len(found)} hosts; give more of the id: {names}")
        if not found and errors:
            raise Unreachable(f"no trace {request.id} where there was an answer; {unanswered(errors, len(hosts))}")
        if not found:
            raise NoMatch(f"no trace {request.id} on any of {len(hosts)} hosts: `traceloopctl list` shows all traces")
        _warn(errors, len(hosts))
        return found[0][0], found[0][2]

    def _all(
        self, ask: Callable[[RecorderStub], _Reply], hosts: Sequence[tuple[str, _Connect]]
    ) -> Iterator[tuple[str, _Reply | CliError]]:
        def one(connect: _Connect) -> _Reply | CliError:
            try:
                with connect() as stub:
                    return ask(stub)
            except CliError as error:
                return error

        with ThreadPoolExecutor(_JOBS) as pool:
            answers = pool.map(one, [connect for _, connect in hosts])
            yield from zip((host for host, _ in hosts), answers, strict=True)


def _warn(errors: Sequence[CliError], hosts: int) -> None:
    if errors:
        print(f"traceloopctl: {printable(unanswered(errors, hosts))}", file=sys.stderr)
