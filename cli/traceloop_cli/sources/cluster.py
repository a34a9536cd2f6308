# SPDX-License-Identifier: Apache-2.0
"""The nodes of a Kubernetes cluster, and the relay of each.

Nodes and relays are one read each from the API server's cache. A relay whose node is not ready is not asked: for 40
seconds after a node died, its pods say that they are ready, and an answer never comes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from traceloop_cli.errors import Failed
from traceloop_cli.remote.kubectl import Thing, read
from traceloop_cli.sources.addresses import Cluster
from traceloop_proto import traceloop_pb2 as pb

RELAYS: Final = "app.kubernetes.io/name=traceloop,app.kubernetes.io/component=relay"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster. pod: its relay; problem: the reason why it cannot be asked. One of the two is empty."""

    name: str
    pod: str
    problem: str


def nodes(where: Cluster) -> list[Node]:
    """Returns the nodes in the order of their names. Raises CliError."""
    selector = f"labelSelector={quote(RELAYS, safe='')}"
    relays: dict[str, list[Thing]] = {}
    for pod in read(where.flags, f"/api/v1{_namespace(where.namespace)}/pods?{selector}"):
        relays.setdefault(pod.node, []).append(pod)
    found = [
        _node(one, relays.get(one.name, [])) for one in read(where.flags, "/api/v1/nodes") if where.holds(one.name)
    ]
    if where.node and not found:
        raise Failed(f"no node {where.node}: `kubectl get nodes` lists them")
    return sorted(found, key=lambda one: one.name)


def limit(where: Cluster) -> Callable[[pb.Trace], bool]:
    """Returns which traces are to be listed. Asks for the pods with certain labels. Raises CliError."""
    if not where.pods_with:
        return lambda trace: where.pods_in in ("", trace.namespace)
    place = _namespace(where.pods_in) if where.pods_in else ""
    pods = read(where.flags, f"/api/v1{place}/pods?labelSelector={quote(where.pods_with, safe='')}")
    names = {(pod.namespace, pod.name) for pod in pods}
    return lambda trace: (trace.namespace, trace.pod) in names


def _namespace(name: str) -> str:
    return f"/namespaces/{quote(name, safe='')}"


def _node(node: Thing, relays: list[Thing]) -> Node:
    if not node.is_ready:
        return Node(node.name, "", "the node is not ready")
    ready = [pod for pod in relays if pod.is_ready and not pod.is_ending]
    if ready:
        return Node(node.name, ready[0].name, "")
    return Node(node.name, "", "its relay is not ready" if relays else "it has no relay")
