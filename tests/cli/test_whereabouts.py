# SPDX-License-Identifier: Apache-2.0
"""The node of a pod, by a scripted kubectl, and that a fleet asks this node before all others."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from traceloop_cli.errors import Failed, NoMatch, Unreachable
from traceloop_cli.sources.addresses import Cluster
from traceloop_cli.sources.fleet import FleetStub
from traceloop_cli.sources.whereabouts import Pod, candidates, node_of
from traceloop_proto import traceloop_pb2 as pb

SCRIPT = """#!/bin/sh
printf '%s\\n' "$@" >>{here}/asked
for word; do
    case $word in
    */pods*) name=pods ;;
    */events*) name=events ;;
    esac
done
if [ -e {here}/$name.refused ]; then cat {here}/$name.refused >&2; exit 1; fi
[ ! -e {here}/$name ] || exec cat {here}/$name
echo '{{"items": []}}'
"""
FORBIDDEN = 'Error from server (Forbidden): {0} is forbidden: User "eve" cannot list resource "{0}"\n'


class Api:
    """Scripts what kubectl answers, and keeps what it was asked."""

    def __init__(self, here: Path) -> None:
        self._here = here
        program = here / "kubectl"
        program.write_text(SCRIPT.format(here=here))
        program.chmod(0o755)

    def answer(self, name, *items):
        (self._here / name).write_text(json.dumps({"items": items}))

    def refuse(self, name, line):
        (self._here / f"{name}.refused").write_text(line)

    @property
    def asked(self):
        """The words of all calls."""
        asked = self._here / "asked"
        return asked.read_text().splitlines() if asked.exists() else []

    @property
    def paths(self):
        urls = [urlsplit(word) for word in self.asked if word.startswith("/api")]
        return [(url.path, dict(parse_qsl(url.query)).get("fieldSelector")) for url in urls]


@pytest.fixture
def api(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECTL_PATH", str(tmp_path / "kubectl"))
    return Api(tmp_path)


def pod(namespace="default", node="b", name="mypod"):
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"nodeName": node} if node else {}}


def event(at, namespace="default", **facts):
    return {
        "metadata": {"namespace": namespace},
        "involvedObject": {"namespace": namespace},
        "lastTimestamp": at,
        **facts,
    }


def scheduled(at, node, **facts):
    return event(at, reason="Scheduled", message=f"Successfully assigned default/mypod to {node}", **facts)


def where(**facts):
    return Cluster("traceloop", "", ("--context=prod",), **facts)


@pytest.mark.parametrize(
    ("word", "pods_in", "expected"),
    [
        ("default/mypod", "", [Pod("default", "mypod"), Pod("", "default")]),  # or POD/CONTAINER
        ("default/mypod/main", "", [Pod("default", "mypod")]),
        ("mypod", "", [Pod("", "mypod")]),
        ("mypod~2", "shop", [Pod("shop", "mypod")]),
        ("mypod/main", "shop", [Pod("mypod", "main"), Pod("shop", "mypod")]),
        ("", "", []),
        ("node1_default_mypod", "", []),  # the id of a trace
        ("0123456789ab", "", []),  # of a container
        ("a/b/c/d", "", []),
        ("--server=http://evil", "", []),
        ("../secrets/x", "", []),
        ("a?b", "", []),
        ("mypod,spec.nodeName!=x", "", []),
        ("Mypod", "", []),
        ("x" * 300, "", []),
    ],
)
def test_the_pods_that_a_word_may_name(word, pods_in, expected):
    assert candidates(word, pods_in) == expected


def test_the_node_of_a_pod_that_is_there_is_one_read(api):
    api.answer("pods", pod())
    assert node_of(where(), Pod("default", "mypod")) == ["b"]
    assert api.paths == [("/api/v1/namespaces/default/pods", "metadata.name=mypod")]
    assert api.asked[:3] == ["--context=prod", "get", "--raw"]


def test_pods_of_all_namespaces_are_told_apart_by_nobody(api):
    api.answer("pods", pod(), pod("shop", "a"), pod("dev", ""))
    assert node_of(where(), Pod("", "mypod")) == ["b", "a"]
    assert api.paths == [("/api/v1/pods", "metadata.name=mypod")]


@pytest.mark.parametrize(
    "found",
    [
        scheduled("2026-11-30T10:00:00Z", "b"),
        scheduled(None, "b", eventTime="2026-11-30T10:00:00.000001Z", reportingInstance="scheduler-of-master"),
        event("2026-11-30T10:00:00Z", reason="Started", source={"component": "kubelet", "host": "b"}),
        event("2026-11-30T10:00:00Z", reason="Started", reportingComponent="kubelet", reportingInstance="b"),
    ],
)
def test_the_node_of_a_pod_that_is_gone_is_in_its_events(api, found):
    api.answer("events", found, event("2026-11-30T11:00:00Z", reason="TaintManagerEviction", source={"component": "x"}))
    assert node_of(where(), Pod("default", "mypod")) == ["b"]
    selector = "involvedObject.kind=Pod,involvedObject.name=mypod"
    assert api.paths[1:] == [("/api/v1/namespaces/default/events", selector)]


def test_the_last_event_of_each_namespace_counts(api):
    api.answer(
        "events",
        scheduled("2026-11-30T10:00:00Z", "a"),
        scheduled("2026-11-30T12:00:00Z", "c"),
        scheduled("2026-11-30T11:00:00Z", "b"),
        scheduled("2026-11-30T09:00:00Z", "d", namespace="shop"),
    )
    assert sorted(node_of(where(), Pod("", "mypod"))) == ["c", "d"]


@pytest.mark.parametrize("refused", [("pods",), ("events",), ("pods", "events")])
def test_who_may_not_read_asks_all_nodes(api, refused):
    for name in refused:
        api.refuse(name, FORBIDDEN.format(name))
    assert node_of(where(), Pod("default", "mypod")) == []


def test_who_may_not_list_pods_may_list_events(api):
    api.refuse("pods", FORBIDDEN.format("pods"))
    api.answer("events", scheduled("2026-11-30T10:00:00Z", "a"))
    assert node_of(where(), Pod("default", "mypod")) == ["a"]


def test_another_failure_is_one_line(api):
    api.refuse("pods", "W1 a warning\nThe connection to the server 127.0.0.1:1 was refused\n")
    with pytest.raises(Unreachable, match=r"^The connection to the server 127\.0\.0\.1:1 was refused$"):
        node_of(where(), Pod("default", "mypod"))


@pytest.mark.parametrize(
    "items",
    [
        [{}],
        [1],
        [{"spec": 1}],
        [{"spec": {"nodeName": 3}, "metadata": []}],
        [{"source": [], "message": 4, "reason": "Scheduled"}],
    ],
)
def test_answers_of_another_shape_name_no_node(api, items):
    api.answer("events", *items)
    assert node_of(where(), Pod("default", "mypod")) == []


class Node:
    """A daemon with some traces. asked: how often Get was called."""

    def __init__(self, name, *traces):
        self.name, self.traces, self.asked = name, traces, 0

    def Get(self, request, timeout):  # noqa: ARG002, N802 - gRPC's
        self.asked += 1
        if self.name == "dead":
            raise Unreachable("dead: the node is not ready")
        for one in self.traces:
            if request.id in (one.id, one.pod, f"{one.namespace}/{one.pod}") or one.pod.startswith(request.id):
                return one
        raise NoMatch(f"no trace {request.id}")

    def Snapshot(self, request, timeout):  # noqa: ARG002, N802
        yield pb.SnapshotChunk(data=f"{request.id} on {self.name}".encode())


def trace(node, name, namespace="default"):
    return pb.Trace(id=f"{node}_{namespace}_{name}", namespace=namespace, pod=name)


def fleet(nodes, pods=None):
    @contextmanager
    def connect(node):
        yield node

    pods = pods or {}
    return FleetStub([(one.name, partial(connect, one)) for one in nodes], nodes_of=lambda word: pods.get(word, []))


def get(stub, word):
    return stub.Get(pb.TraceRequest(id=word), timeout=1)


def test_the_pods_node_is_asked_alone():
    nodes = [Node("a"), Node("b", trace("b", "mypod")), Node("c")]
    stub = fleet(nodes, {"default/mypod": [(Pod("default", "mypod"), ["b"])]})
    assert get(stub, "default/mypod").id == "b_default_mypod"
    assert [one.asked for one in nodes] == [0, 1, 0]


def test_all_nodes_are_asked_if_that_node_has_no_such_trace():
    nodes = [Node("a", trace("a", "mypod")), Node("b", trace("b", "mypod-2")), Node("c")]
    stub = fleet(nodes, {"default/mypod": [(Pod("default", "mypod"), ["b"])]})
    assert get(stub, "default/mypod").id == "a_default_mypod"
    stub = fleet(nodes[:1] + nodes[2:], {"mypod": [(Pod("", "mypod"), ["b"])]})  # a node that is gone
    assert get(stub, "mypod").id == "a_default_mypod"


def test_a_trace_that_only_begins_so_is_not_the_pods():
    nodes = [Node("a"), Node("b", trace("b", "mypod-2")), Node("c", trace("c", "mypod"))]
    stub = fleet(nodes, {"mypod": [(Pod("", "mypod"), ["b"])]})
    with pytest.raises(Failed, match="fits traces of 2 hosts"):
        get(stub, "mypod")


def test_the_second_reading_of_a_word_serves_if_the_first_names_no_node():
    nodes = [Node("a"), Node("b", trace("b", "mypod"))]
    nodes[1].Get = lambda request, timeout: trace("b", "mypod")  # noqa: ARG005 - of its container
    stub = fleet(nodes, {"mypod/main": [(Pod("mypod", "main"), []), (Pod("", "mypod"), ["b"])]})
    assert get(stub, "mypod/main").id == "b_default_mypod"
    assert nodes[0].asked == 0


def test_a_node_that_is_gone_is_told():
    stub = fleet([Node("a"), Node("b")], {"mypod": [(Pod("", "mypod"), ["b", "c"])]})
    with pytest.raises(NoMatch, match=r"on any of 2 hosts: .*; the pod was on c, which is gone: `--archive"):
        get(stub, "mypod")


def test_a_node_that_does_not_answer_is_told():
    nodes = [Node("a"), Node("dead")]
    stub = fleet(nodes, {"default/mypod": [(Pod("default", "mypod"), ["dead"])]})
    with pytest.raises(Unreachable, match="dead: the node is not ready"):
        get(stub, "default/mypod")


def test_the_host_that_had_a_trace_is_asked_for_it_again():
    nodes = [Node("alpha"), Node("beta", trace("node2", "mypod"))]
    stub = fleet(nodes)
    found = get(stub, "mypod")
    before = [one.asked for one in nodes]
    (chunk,) = stub.Snapshot(pb.TraceRequest(id=found.id), timeout=1)
    assert chunk.data == b"node2_default_mypod on beta"
    assert nodes[0].asked == before[0]


def test_a_node_that_was_chosen_answers_what_one_daemon_answers():
    node = Node("b")
    node.Stats = lambda request, timeout: pb.StatsReply(node="b")  # noqa: ARG005
    assert fleet([node]).Stats(pb.StatsRequest(), timeout=1).node == "b"
    with pytest.raises(Failed, match="this asks one daemon, not several"):
        fleet([node, Node("c")]).Stats(pb.StatsRequest(), timeout=1)


@pytest.mark.parametrize("answer", ['{"items": null}', '{"items": []}'])
def test_an_empty_list(api, tmp_path, answer):
    for name in ("pods", "events"):
        (tmp_path / name).write_text(answer)  # some API servers say null for an empty list of their cache
    assert node_of(where(), Pod("default", "mypod")) == []


@pytest.mark.parametrize("answer", ['{"items": 3}', '{"items": {"a": 1}}', "{}", "[]", "no"])
def test_what_is_no_list_is_one_line(api, tmp_path, answer):
    (tmp_path / "pods").write_text(answer)
    with pytest.raises(Failed, match=r"^kubectl get --raw /api/v1/\S+: the answer is not a list of pods$"):
        node_of(where(), Pod("default", "mypod"))
