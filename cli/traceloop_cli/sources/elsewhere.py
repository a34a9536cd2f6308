# SPDX-License-Identifier: Apache-2.0
"""Stubs that stand for what is not one daemon of this machine: other hosts, a cluster's nodes, a store."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from traceloop_cli.errors import Unreachable
from traceloop_cli.remote.kubectl import pod_way
from traceloop_cli.remote.ssh import ssh_way
from traceloop_cli.sources.addresses import Cluster, Remote, Store
from traceloop_cli.sources.again import AgainStub
from traceloop_cli.sources.channel import DEADLINE_S, channel
from traceloop_cli.sources.cluster import Node, limit, nodes
from traceloop_cli.sources.fleet import ANSWER_S, FleetStub
from traceloop_cli.sources.listing import Listing
from traceloop_cli.sources.store import StoreStub
from traceloop_cli.sources.whereabouts import nodes_of
from traceloop_proto import traceloop_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from traceloop_proto.traceloop_pb2_grpc import RecorderStub


@contextmanager
def connected_elsewhere(where: Store | Cluster | Sequence[Remote]) -> Iterator[RecorderStub]:
    """Yields a stub, as `client.connected` does."""
    if isinstance(where, Store):
        yield StoreStub(where.place)
    elif isinstance(where, Cluster):
        hosts = [(one.name, partial(_over_kubectl, where, one)) for one in nodes(where)]
        yield FleetStub(hosts, limit(where), partial(nodes_of, where))
    elif len(where) == 1:
        with _over_ssh(where[0], None) as stub:
            yield AgainStub(stub, partial(_over_ssh, where[0], None))
    else:
        yield FleetStub([(one.host, partial(_over_ssh, one, ANSWER_S)) for one in where])


def listings_of(stub: RecorderStub) -> list[Listing]:
    """Asks for all traces, as `client.listings` does."""
    if isinstance(stub, FleetStub):
        return stub.listings(pb.ListRequest(), DEADLINE_S)
    name = stub.place if isinstance(stub, StoreStub) else ""
    return [Listing(name, stub.List(pb.ListRequest(), timeout=DEADLINE_S), None)]


@contextmanager
def _over_ssh(where: Remote, wait_s: float | None) -> Iterator[RecorderStub]:
    with ssh_way(where.host, where.path, wait_s) as path, channel(path, where) as stub:
        yield stub


@contextmanager
def _over_kubectl(where: Cluster, node: Node) -> Iterator[RecorderStub]:
    if node.problem:
        raise Unreachable(f"{node.name}: {node.problem}")
    remote = Remote(node.name, where.path)
    with pod_way(where, node.pod, node.name, ANSWER_S) as path, channel(path, remote) as stub:
        yield stub
