# SPDX-License-Identifier: Apache-2.0
"""Pods and containers in NRI's messages: their names, and those that cannot be registered."""

from __future__ import annotations

import pytest

from traceloop_daemon.errors import RegistrationError
from traceloop_daemon.nri.containers import of_container, of_sandbox
from traceloop_proto import nri_pb2 as pb

POD = pb.PodSandbox(id="p1", name="web", namespace="shop", uid="u-1", pid=70)


def test_names_come_from_the_pod_not_from_annotations():
    pod = pb.PodSandbox(id="p", name="web", namespace="shop", uid="u-1")
    pod.annotations["io.traceloop.record"] = "true"
    container = pb.Container(id="c", name="nginx", pid=7)
    container.labels["io.kubernetes.pod.name"] = "forged"
    container.annotations["io.kubernetes.cri.sandbox-name"] = "forged"
    container.annotations["io.kubernetes.container.restartCount"] = "4"
    told = of_container(pod, container)
    names = told.names
    assert (names.pod, names.namespace, names.pod_uid, names.container) == ("web", "shop", "u-1", "nginx")
    assert (names.restart_count, names.sandbox, told.pid) == (4, False, 7)
    assert told.annotations["io.traceloop.record"] == "true"


def test_labels_are_the_pods_and_the_containers():
    pod = pb.PodSandbox(
        id="p", name="web", pid=7, labels={"app": "shop", "tier": "front", "io.kubernetes.pod.uid": "u"}
    )
    container = pb.Container(id="c", name="nginx", pid=7, labels={"tier": "own"})
    assert of_container(pod, container).names.labels.pairs == (("app", "shop"), ("tier", "own"))
    assert of_sandbox(pod).names.labels.pairs == (("app", "shop"), ("tier", "front"))


def test_a_sandbox_is_told_from_its_pods_containers():
    told = of_sandbox(POD)
    assert (told.names.sandbox, told.names.pod, told.container_id, told.pid) == (True, "web", "p1", 70)


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (pb.Container(id="c"), "reported no pid"),
        (pb.Container(pid=7), "an invalid id, ''"),
        (pb.Container(id="a\nb", pid=7), r"an invalid id, 'a\\nb'"),
        (pb.Container(id="é" * 500, pid=7), "an invalid id"),
    ],
)
def test_what_cannot_be_registered_gets_one_line(container, reason):
    with pytest.raises(RegistrationError, match=reason) as error:
        of_container(POD, container)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_container_without_a_pod_is_called_by_its_name_or_id():
    assert of_container(pb.PodSandbox(), pb.Container(id="a" * 64, pid=1)).names.container == "a" * 12
    assert of_container(pb.PodSandbox(), pb.Container(id="c", name="n", pid=1)).names.container == "n"
