# SPDX-License-Identifier: Apache-2.0
"""The node of a pod, so that one node is asked for a pod's trace, and not all of a cluster.

A pod that exists names its node; of one that is gone, events tell it for an hour. Both are lists with a selector, which
are empty where there is nothing. Whoever may not read them has all nodes asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple
from urllib.parse import quote

from traceloop_cli.errors import Denied
from traceloop_cli.remote.kubectl import items, read
from traceloop_cli.sources.addresses import Cluster
from traceloop_proto import traceloop_pb2 as pb

_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{12,64}")
_EARLIER: Final = re.compile(r"~[0-9]+\Z")
_ASSIGNED: Final = re.compile(r"Successfully assigned \S+ to (\S+)")
_KUBELET: Final = "kubelet"


class Pod(NamedTuple):
    """A pod that a word may name. namespace: empty for any."""

    namespace: str
    name: str

    def has(self, trace: pb.Trace) -> bool:
        """Returns whether a trace is one of this pod's."""
        return trace.pod == self.name and self.namespace in ("", trace.namespace)


def candidates(word: str, pods_in: str) -> list[Pod]:
    """Returns the pods that a word may name; none for ids. pods_in: the namespace of a pod's name alone."""
    parts = _EARLIER.sub("", word).split("/")
    if not all(map(_NAME.fullmatch, parts)) or _CONTAINER_ID.fullmatch(parts[0]):
        return []
    if len(parts) == 1:
        return [Pod(pods_in, parts[0])]
    if len(parts) == 2:  # NAMESPACE/POD, or POD/CONTAINER
        return [Pod(parts[0], parts[1]), Pod(pods_in, parts[0])]
    return [Pod(parts[0], parts[1])] if len(parts) == 3 else []


def nodes_of(where: Cluster, word: str) -> Iterator[tuple[Pod, list[str]]]:
    """Yields the pods that a word may name, with their nodes. Raises CliError."""
    for pod in candidates(word, where.pods_in):
        yield pod, node_of(where, pod)


def node_of(where: Cluster, pod: Pod) -> list[str]:
    """Returns the node of a pod, or of each pod of that name; none if it is not known. Raises CliError."""
    place = f"/api/v1/namespaces/{quote(pod.namespace, safe='')}" if pod.namespace else "/api/v1"
    found: list[str] = []
    with suppress(Denied):
        there = read(where.flags, f"{place}/pods?{_selector(f'metadata.name={pod.name}')}")
        found = [one.node for one in there if one.node]
    if not found:
        with suppress(Denied):
            selector = _selector(f"involvedObject.kind=Pod,involvedObject.name={pod.name}")
            found = _last_nodes(items(where.flags, f"{place}/events?{selector}", _event))
    return list(dict.fromkeys(found))


def _selector(fields: str) -> str:
    return f"fieldSelector={quote(fields, safe='')}"


class _Event(NamedTuple):
    # node: empty if it tells of none. Times are of one form and zone, so their texts are in the order of the times.
    time: str
    namespace: str
    node: str


def _event(event: object) -> _Event:
    time = _text(event, "lastTimestamp") or _text(event, "eventTime") or _text(event, "metadata", "creationTimestamp")
    return _Event(time, _text(event, "involvedObject", "namespace"), _node(event))


def _last_nodes(events: list[_Event]) -> list[str]:
    return list({one.namespace: one.node for one in sorted(events) if one.node}.values())


def _node(event: object) -> str:
    # The scheduler's own instance is a pod of the control plane; a kubelet is its node's.
    assigned = _ASSIGNED.fullmatch(_text(event, "message")) if _text(event, "reason") == "Scheduled" else None
    if assigned:
        return assigned[1]
    if _text(event, "source", "component") == _KUBELET:
        return _text(event, "source", "host")
    return _text(event, "reportingInstance") if _text(event, "reportingComponent") == _KUBELET else ""


def _text(thing: object, *names: str) -> str:
    for name in names:
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing if isinstance(thing, str) else ""
