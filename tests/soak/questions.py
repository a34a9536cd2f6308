# SPDX-License-Identifier: Apache-2.0
"""Asks the daemon at a steady rate what users ask it, and times the answers."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator

import grpc
from node import Node

from traceloop_cli.sources.client import DEADLINE_S, recorder
from traceloop_proto import recorder_pb2 as pb
from traceloop_proto.recorder_pb2_grpc import RecorderStub

_WATCHES = 3
_DUMP = "/run/soak-dump"


class Watch:
    """Someone who asks for changes, does not read them, and leaves without a word."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._changes = RecorderStub(self._channel).Watch(pb.WatchRequest())
        next(self._changes)

    def close(self) -> None:
        self._channel.close()


class Questions:
    """To the daemon of one node. counts: how often each was asked."""

    def __init__(self, node: Node, address: str) -> None:
        self._node, self._address = node, address
        self._watches: deque[Watch] = deque()
        self._rounds = 0
        self.counts: Counter[str] = Counter()

    def list(self) -> pb.ListReply:
        """Without traceloopctl's start."""
        with recorder(self._address) as daemon:
            return daemon.List(pb.ListRequest(), timeout=DEADLINE_S)

    def stats(self) -> pb.StatsReply:
        """The same of the numbers."""
        with recorder(self._address) as daemon:
            return daemon.Stats(pb.StatsRequest(), timeout=DEADLINE_S)

    def ask(self, *traces: str) -> Iterator[tuple[str, float]]:
        """`list`, one other command of one of these traces, and a watch more: what took how many milliseconds."""
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
        """All who watch leave."""
        while self._watches:
            self._watches.popleft().close()
