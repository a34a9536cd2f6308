# SPDX-License-Identifier: Apache-2.0
"""Several daemons behind the methods of one daemon's stub, so that each verb works on a fleet as on one node.

List asks all daemons. The methods that take a trace's id ask all of them for the trace, and then the one that has it.
Before, they ask the daemon with whose name the id begins, or that of the pod that the id names: alone if it has it.
All are asked in parallel, some at a time, and answers keep the order of the hosts. A daemon that does not answer fails
no other's answer: `listings` returns its error in its place, and an id that was found elsewhere is used with a warning.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar

from traceloop_cli.errors import Ambiguous, CliError, Failed, NoMatch, Unreachable
from traceloop_cli.sources.again import Connect, whole
from traceloop_cli.sources.fleet_watch import watched
from traceloop_cli.sources.listing import Listing, unanswered
from traceloop_cli.sources.whereabouts import Pod
from traceloop_decode.safe_text import printable
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.traceloop_pb2_grpc import RecorderStub

ANSWER_S: Final = 20.0
"""The maximum wait for the way to one of several daemons."""
_JOBS: Final = 16
_Reply = TypeVar("_Reply")
_Chunk = TypeVar("_Chunk")


class FleetStub(RecorderStub):
    """The methods of RecorderStub that traceloopctl calls, for several daemons. hosts: names, and how to connect.

    listed: which traces to list; the others are not there for the other methods either. nodes_of: the pods that a word
    may name, with the hosts that had them.
    """

    def __init__(  # not the base's, which makes its methods
        self,
        hosts: Sequence[tuple[str, Connect]],
        listed: Callable[[pb.Trace], bool] = lambda _: True,
        nodes_of: Callable[[str], Iterable[tuple[Pod, Sequence[str]]]] = lambda _: (),
    ) -> None:
        self._hosts, self._listed, self._nodes_of = hosts, listed, nodes_of
        self._had: dict[str, tuple[str, Connect]] = {}  # ids of traces that were found, with their hosts

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
        """Returns a trace, without an id the newest of all. Raises CliError if no daemon has it, or several have."""
        return self._found(request, timeout)[1]

    def Snapshot(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.SnapshotChunk]:  # noqa: N802
        """Yields the chunks of a trace's Snapshot."""
        return self._streamed(request, timeout, lambda stub, one: stub.Snapshot(one, timeout=timeout))

    def Dump(self, request: pb.TraceRequest, timeout: float) -> Iterator[pb.DumpChunk]:  # noqa: N802
        """Yields the chunks of a trace's archive file."""
        return self._streamed(request, timeout, lambda stub, one: stub.Dump(one, timeout=timeout))

    def Close(self, request: pb.TraceRequest, timeout: float) -> pb.Trace:  # noqa: N802
        """Deletes a trace."""
        connect, trace_id = self._place(request, timeout)
        with connect() as stub:
            closed: pb.Trace = stub.Close(pb.TraceRequest(id=trace_id), timeout=timeout)
            return closed

    def Watch(self, request: pb.WatchRequest) -> Iterator[pb.Change]:  # noqa: ARG002, N802
        """Yields all daemons' changes, the first without a trace. Daemons that stop are named on stderr."""
        for host, item in watched(self._hosts):
            if isinstance(item, CliError):
                _warn([item], len(self._hosts))
            elif host == "" or not item.HasField("trace") or self._listed(item.trace):
                yield item

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if len(self._hosts) != 1:
            raise Failed("this asks one daemon, not several: give one HOST")
        ((_, connect),) = self._hosts  # the node of `kubectl traceloop --node`

        def ask(request: object, timeout: float) -> Any:
            with connect() as stub:
                return getattr(stub, name)(request, timeout=timeout)

        return ask

    def _streamed(
        self,
        request: pb.TraceRequest,
        timeout: float,
        ask: Callable[[RecorderStub, pb.TraceRequest], Iterable[_Chunk]],
    ) -> Iterator[_Chunk]:
        connect, trace_id = self._place(request, timeout)
        with connect() as stub:
            yield from whole(stub, connect, lambda stub: ask(stub, pb.TraceRequest(id=trace_id)))

    def _place(self, request: pb.TraceRequest, timeout: float) -> tuple[Connect, str]:
        # A verb that has asked which trace a word means then names it by its whole id.
        if request.id in self._had:
            return self._had[request.id][1], request.id
        connect, trace = self._found(request, timeout)
        return connect, trace.id

    def _newest(self, timeout: float) -> tuple[Connect, pb.Trace]:
        traces = self.List(pb.ListRequest(), timeout).traces
        newest = max(traces, key=lambda trace: trace.started_ns, default=None)
        if newest is None:
            raise NoMatch(f"no trace on any of {len(self._hosts)} hosts: `traceloopctl list` shows all traces")
        connect, found = self._found(pb.TraceRequest(id=newest.id), timeout)
        told = pb.Trace(older=len(traces) - 1)
        told.MergeFrom(found)
        return connect, told

    def _found(self, request: pb.TraceRequest, timeout: float) -> tuple[Connect, pb.Trace]:
        # All are asked in the end, since a host may be called otherwise, and a pod's last node may be gone.
        if not request.id:
            return self._newest(timeout)
        gone: list[str] = []
        if len(self._hosts) > 1:
            with suppress(NoMatch):
                return self._found_among(self._named(request.id), request, timeout)
            for pod, nodes in self._nodes_of(request.id):
                there = [one for one in self._hosts if one[0] in nodes]
                gone += [node for node in nodes if node not in dict(there)]
                with suppress(NoMatch):
                    return self._found_among(there, request, timeout, pod.has)
        try:
            return self._found_among(self._hosts, request, timeout)
        except NoMatch as error:
            if not gone:
                raise
            what = f"the pod was on {', '.join(gone)}, which is gone: `--archive REMOTE:PREFIX` reads what was shipped"
            raise NoMatch(f"{error}; {what}") from error

    def _named(self, word: str) -> list[tuple[str, Connect]]:
        if word in self._had:
            return [self._had[word]]
        return [one for one in self._hosts if word.startswith(f"{one[0]}_")]

    def _found_among(
        self,
        hosts: Sequence[tuple[str, Connect]],
        request: pb.TraceRequest,
        timeout: float,
        is_meant: Callable[[pb.Trace], bool] = lambda _: True,
    ) -> tuple[Connect, pb.Trace]:
        there: list[tuple[Connect, str, pb.Trace]] = []
        errors: list[CliError] = []
        asked = self._all(lambda stub: stub.Get(request, timeout=timeout), hosts)
        for (_, connect), (host, answer) in zip(hosts, asked, strict=True):
            if isinstance(answer, Ambiguous):
                raise Ambiguous(f"{host}: {answer}")
            if isinstance(answer, pb.Trace):
                there.append((connect, host, answer))
            elif not isinstance(answer, NoMatch):
                errors.append(answer if host in str(answer) else Failed(f"{host}: {answer}"))
        meant = [one for one in there if is_meant(one[2])]
        found = [one for one in meant if self._listed(one[2])]
        if len(found) > 1:
            names = ", ".join(f"{trace.id} on {host}" for _, host, trace in found)
            raise Ambiguous(f"{request.id} fits traces of {len(found)} hosts; give more of the id: {names}")
        if meant and not found:
            what = f"{request.id} means {meant[0][2].id}, which -n or -l leaves out"
            raise NoMatch(f"{what}: name NAMESPACE/POD, or leave out the option")
        none = f"no trace {request.id}"
        if not found and errors:
            raise Unreachable(f"{none} where there was an answer; {unanswered(errors, len(hosts))}")
        if not found:
            raise NoMatch(f"{none} on any of {len(hosts)} hosts: `traceloopctl list` shows all traces")
        _warn(errors, len(hosts))
        ((connect, host, trace),) = found
        self._had[trace.id] = host, connect
        return connect, trace

    def _all(
        self, ask: Callable[[RecorderStub], _Reply], hosts: Sequence[tuple[str, Connect]]
    ) -> Iterator[tuple[str, _Reply | CliError]]:
        def one(connect: Connect) -> _Reply | CliError:
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
