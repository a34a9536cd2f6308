# SPDX-License-Identifier: Apache-2.0
"""Sends the daemon users' requests at a steady rate, and times the answers."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator

import grpc
from node import Node

from traceloop_cli.sources.client import DEADLINE_S, connected
from traceloop_proto import traceloop_pb2 as pb
from traceloop_proto.traceloop_pb2_grpc import RecorderStub

_WATCHES = 3
_DUMP = "/run/soak-dump"


class Watch:
    """A client that watches changes, does not read them, and disconnects without notice."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._changes = RecorderStub(self._channel).Watch(pb.WatchRequest())
        next(self._changes)

    def close(self) -> None:
        self._channel.close()


class Questions:
    """The requests to the daemon of one node. counts: how often each was made."""

    def __init__(self, node: Node, address: str) -> None:
        self._node, self._address = node, address
        self._watches: deque[Watch] = deque()
        self._rounds = 0
        self.counts: Counter[str] = Counter()

    def list(self) -> pb.ListReply:
        """Lists the traces directly, without starting traceloopctl."""
        with connected(self._address) as daemon:
            return daemon.List(pb.ListRequest(), timeout=DEADLINE_S)

    def stats(self) -> pb.StatsReply:
        """Gets the statistics directly, without starting traceloopctl."""
        with connected(self._address) as daemon:
            return daemon.Stats(pb.StatsRequest(), timeout=DEADLINE_S)

    def ask(self, *traces: str) -> Iterator[tuple[str, float]]:
        """Runs `list` and one other command on one of these traces, and adds a watch; yields each command's
        milliseconds.
        """
        self._rounds += 1
        trace = traces[self._rounds % len(traces)]
        commands = (["show", trace], ["info", trace], ["dump", trace, "--file", _DUMP], ["stats"])
        for command in (["list", "-o", "json"], commands[self._rounds // len(traces) % len(commands)]):
            began_s = time.monotonic()
            self._node.service.ctl(*command)
            yield command[0], (time.monotonic() - began_s) * 1000
            self.counts[f"asked: {command[0]}"] += 1
        self._node.lab.run("rm", "-f", _DUMP)
        self._watches.append(Watch(self._address))
        self.counts["asked: watch"] += 1
        if len(self._watches) > _WATCHES:
            self._watches.popleft().close()

    def close(self) -> None:
        """Disconnects all watches."""
        while self._watches:
            self._watches.popleft().close()
