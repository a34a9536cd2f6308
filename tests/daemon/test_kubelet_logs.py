# SPDX-License-Identifier: Apache-2.0
"""Links to logs, as kubelet makes them, name containers whose bundles are gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from traceloop_bpf.births import Birth
from traceloop_daemon.naming.births import Recogniser
from traceloop_daemon.naming.kubelet_logs import names_of
from traceloop_daemon.naming.names import Names

ID, OTHER = "4c" * 32, "5d" * 32
UID = "7df5c999-d29a-414c-8eab-18e1d172adc4"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the links are trusted if root makes them")


@pytest.fixture
def links(tmp_path: Path) -> Path:
    directory = tmp_path / "var/log/containers"
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    (directory / f"web-0_shop_nginx-{ID}.log").symlink_to("/var/log/pods/nowhere")
    return directory


def test_it_names_pod_namespace_and_container(links: Path, tmp_path: Path) -> None:
    assert names_of(ID, tmp_path) == Names(container="nginx", pod="web-0", namespace="shop")
    assert names_of(OTHER, tmp_path) is None


@pytest.mark.parametrize(
    "name", [f"a_b-{ID}.log", f"a_b_c_d-{ID}.log", f"__c-{ID}.log", f"a_b_c-{ID}.txt", f"-{ID}.log"]
)
def test_other_names(links: Path, tmp_path: Path, name: str) -> None:
    (links / f"web-0_shop_nginx-{ID}.log").rename(links / name)
    assert names_of(ID, tmp_path) is None


def test_links_that_others_may_make(links: Path, tmp_path: Path) -> None:
    links.chmod(0o777)
    assert names_of(ID, tmp_path) is None
    links.chmod(0o755)
    os.chown(links, 65534, 65534)
    assert names_of(ID, tmp_path) is None


def test_no_node_of_kubernetes(tmp_path: Path) -> None:
    assert names_of(ID, tmp_path) is None


def test_a_birth_without_a_bundle(links: Path, tmp_path: Path) -> None:
    recogniser = Recogniser(tmp_path, (), (), root=tmp_path)
    birth = recogniser.running(f"/kubepods/besteffort/pod{UID}/{ID}")
    assert isinstance(birth, Birth)
    told = recogniser.find(birth)
    assert told is not None
    assert told.names == Names(container="nginx", pod="web-0", namespace="shop", pod_uid=UID)
    assert (told.container_id, told.cgroup) == (ID, birth.path)
    other = recogniser.running(f"/kubepods/besteffort/pod{UID}/{OTHER}")
    assert other is not None
    assert recogniser.find(other) is None
