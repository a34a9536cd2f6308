# SPDX-License-Identifier: Apache-2.0
"""Containers' names under each engine, from annotations and from the engine's files. Needs no engine."""

import json

import pytest
from bolt_writer import write_bolt

from traceloop_daemon.naming import names as names_of
from traceloop_daemon.naming.labels import Labels
from traceloop_daemon.naming.names import Names


def resolve(*told, **more) -> Names:
    return names_of.resolve(*told, **more).names


LONG = "0123456789abcdef" * 4
INFRA = "fedcba9876543210" * 4
CRI = {
    "io.kubernetes.cri.sandbox-name": "mypod",
    "io.kubernetes.cri.sandbox-namespace": "default",
    "io.kubernetes.cri.sandbox-uid": "u-1",
    "io.kubernetes.cri.container-name": "web",
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.image-name": "busybox:1",
}
CRIO = {
    "io.kubernetes.pod.name": "mypod",
    "io.kubernetes.pod.namespace": "default",
    "io.kubernetes.pod.uid": "u-2",
    "io.kubernetes.container.name": "mypod",
    "io.kubernetes.cri-o.ContainerType": "sandbox",
    "io.kubernetes.cri-o.ImageName": "pause:3",
}
# CRI-O 1.29's annotations of a container in a pod, from its documentation and tests, without those irrelevant to names
CRIO_CONTAINER = {
    "io.container.manager": "cri-o",
    "io.kubernetes.container.hash": "5b912111",
    "io.kubernetes.container.name": "web",
    "io.kubernetes.container.restartCount": "2",
    "io.kubernetes.cri-o.ContainerID": LONG,
    "io.kubernetes.cri-o.ContainerType": "container",
    "io.kubernetes.cri-o.Image": "8d2ab1f5a7f2",
    "io.kubernetes.cri-o.ImageName": "quay.io/crio/redis:alpine",
    "io.kubernetes.cri-o.Metadata": '{"name":"web","attempt":2}',
    "io.kubernetes.cri-o.Name": "k8s_web_mypod_default_u-2_2",
    "io.kubernetes.cri-o.SandboxID": INFRA,
    "io.kubernetes.cri-o.SandboxName": "k8s_mypod_default_u-2_0",
    "io.kubernetes.pod.name": "mypod",
    "io.kubernetes.pod.namespace": "default",
    "io.kubernetes.pod.uid": "u-2",
}


def test_names_come_from_containerd():
    names = resolve("0123456789abcdef", CRI, "")
    assert names == Names("web", "mypod", "default", "u-1", "busybox:1", sandbox=False)
    assert names.trace_id("10.0.30.247") == "10.0.30.247_default_mypod_web"


def test_a_container_named_as_its_pod_is_not_named_twice():
    names = resolve("c", CRI | {"io.kubernetes.cri.container-name": "mypod"}, "")
    assert names.trace_id("10.0.30.247") == "10.0.30.247_default_mypod"


def test_names_come_from_crio_and_pause_containers_are_known():
    assert resolve("c", CRIO, "") == Names("mypod", "mypod", "default", "u-2", "pause:3", sandbox=True)


def test_the_author_of_a_pod_of_crio_cannot_take_the_name_of_another():
    """CRI-O passes the pod's annotations on, whatever they are called."""
    forged = dict.fromkeys(CRI, "victim")
    assert resolve(LONG, CRIO_CONTAINER | forged, "") == resolve(LONG, CRIO_CONTAINER, "")
    assert resolve("c", CRI | {"io.kubernetes.cri-o.ContainerID": "victim", **CRIO}, "").pod_uid == "u-1"


def test_a_sandbox_of_containerd_has_no_container_name():
    annotations = CRI | {"io.kubernetes.cri.container-type": "sandbox"}
    del annotations["io.kubernetes.cri.container-name"]
    names = resolve("c", annotations, "")
    assert names.sandbox
    assert names.container == "mypod"


def test_the_users_annotation_comes_before_the_engines_own_name(tmp_path):
    bundle = tmp_path / "overlay-containers" / "c1" / "userdata"
    (tmp_path / "overlay-containers").mkdir()
    (tmp_path / "overlay-containers" / "containers.json").write_text(
        json.dumps([{"id": "other", "names": ["no"]}, {"id": "c1", "names": ["podmans"]}])
    )
    assert resolve("c1", {}, str(bundle)).container == "podmans"
    assert resolve("c1", {"io.traceloop.name": "mine"}, str(bundle)).container == "mine"


def test_dockers_name_comes_from_its_own_file(tmp_path):
    (tmp_path / "containers" / "c1").mkdir(parents=True)
    (tmp_path / "containers" / "c1" / "config.v2.json").write_text('{"Name": "/happy_noyce"}')
    assert resolve("c1", {}, "/run/whatever/c1", docker_root=tmp_path).container == "happy_noyce"


@pytest.mark.parametrize("text", ["", "{", "[]", '[{"id": "c1"}]', '[1, {"id": "c1", "names": []}]'])
def test_without_a_name_the_short_id_is_used_whatever_the_engines_files_hold(tmp_path, text):
    (tmp_path / "containers.json").write_text(text)
    container_id = "c1"
    bundle = tmp_path / container_id / "userdata"
    assert resolve(container_id, {}, str(bundle), docker_root=tmp_path).container == "c1"
    assert resolve(LONG, {}, "", docker_root=tmp_path).container == "0123456789ab"


def test_crio_tells_restarts():
    web = Names("web", "mypod", "default", "u-2", "quay.io/crio/redis:alpine", restart_count=2)
    assert resolve(LONG, CRIO_CONTAINER, "") == web
    by_metadata = {key: value for key, value in CRIO_CONTAINER.items() if not key.endswith("restartCount")}
    assert resolve(LONG, by_metadata, "") == web
    first = by_metadata | {"io.kubernetes.cri-o.Metadata": '{"name":"web"}'}
    assert resolve(LONG, first, "").restart_count == 0


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "two", "\u0665", "9" * 30, "4294967296", "0" * 12 + "9" * 30, "0" * 5000]
)
def test_a_restart_count_that_is_none(text):
    names = resolve(LONG, CRI | {"io.kubernetes.container.restartCount": text}, "")
    assert names.restart_count is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"attempt": 1}', '{"name": "x", "attempt": "1"}', '{"name":"x","attempt":-1}', "[" * 100_000],
)
def test_metadata_of_crio_that_is_none(text):
    names = resolve(LONG, CRIO | {"io.kubernetes.cri-o.Metadata": text}, "")
    assert names.restart_count is None


def test_nerdctls_name():
    assert resolve(LONG, {"nerdctl/name": "web-1", "nerdctl/namespace": "default"}, "") == Names("web-1")


def test_an_id_that_a_user_chose_is_its_name():
    assert resolve("my-long-container-name", {}, "") == Names("my-long-container-name")


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


@pytest.mark.parametrize("root", ["overlay2/LAYER/merged", "vfs/dir/LAYER", "rootfs/overlayfs/ID"])
def test_docker_is_found_wherever_its_data_are(tmp_path, root):
    config = {"Name": "/happy_noyce", "RestartCount": 3, "Config": {"Image": "busybox:1", "Labels": {"a": "b"}}}
    write(tmp_path / "data/containers" / LONG / "config.v2.json", config)
    write(tmp_path / "bundle/config.json", {"root": {"path": str(tmp_path / "data" / root)}})
    wanted = Names("happy_noyce", image="busybox:1", restart_count=3, labels=Labels((("a", "b"),)))
    assert resolve(LONG, {}, str(tmp_path / "bundle")) == wanted


@pytest.mark.parametrize("restarts", [-1, 1 << 31, 1 << 80, True, "3"])
def test_a_number_of_restarts_that_no_message_can_carry_is_not_known(tmp_path, restarts):
    write(tmp_path / "containers" / LONG / "config.v2.json", {"Name": "/theirs", "RestartCount": restarts})
    names = names_of.resolve(LONG, {}, "", tmp_path).names
    assert (names.container, names.restart_count) == ("theirs", None)


def test_labels_of_docker_for_us_count_as_annotations_do(tmp_path):
    labels = {"io.traceloop.record": "false", "io.traceloop.name": "mine", "app": "x"}
    write(tmp_path / "containers" / LONG / "config.v2.json", {"Name": "/theirs", "Config": {"Labels": labels}})
    told = names_of.resolve(LONG, {"other": "1"}, "", tmp_path)
    assert (told.annotations, told.names.container) == (
        {"io.traceloop.record": "false", "io.traceloop.name": "mine", "other": "1"},
        "mine",
    )
    given = names_of.resolve(LONG, {"io.traceloop.record": "true"}, "", tmp_path).annotations
    assert given["io.traceloop.record"] == "true", "an annotation counts more: a label may be the image's"


def test_a_label_that_is_too_long_to_be_kept_still_counts(tmp_path):
    storage = Storage(tmp_path)
    in_data_base(storage.root, {"id": LONG, "name": "web", "labels": {"io.traceloop.record": "x" * 9000}})
    told = names_of.resolve(LONG, {}, str(storage.bundle))
    assert (len(told.annotations["io.traceloop.record"]), told.names.labels.left_out) == (9000, 1)


def test_kubernetes_under_docker(tmp_path):
    labels = {
        "annotation.io.kubernetes.container.restartCount": "4",
        "io.kubernetes.container.name": "web",
        "io.kubernetes.docker.type": "container",
        "io.kubernetes.pod.name": "mypod",
        "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": "u-3",
    }
    path = tmp_path / "containers" / LONG / "config.v2.json"
    write(path, {"Name": "/k8s_web_mypod_default_u-3_4", "Config": {"Image": "sha256:12", "Labels": labels}})
    kept = {name: text for name, text in labels.items() if not name.startswith(("io.kubernetes.p", "io.kubernetes.c"))}
    wanted = Names("web", "mypod", "default", "u-3", "sha256:12", restart_count=4, labels=Labels.of(kept))
    assert resolve(LONG, {}, "", docker_root=tmp_path) == wanted
    write(path, {"Config": {"Labels": labels | {"io.kubernetes.docker.type": "podsandbox"}}})
    assert resolve(LONG, {}, "", docker_root=tmp_path).sandbox


class Storage:
    """The part of podman's files that holds names."""

    def __init__(self, root):
        self.root = root / "storage"
        self.containers = self.root / "overlay-containers"
        self.bundle = self.containers / LONG / "userdata"

    def entry(self, container_id, name):
        return {"id": container_id, "names": [name], "metadata": json.dumps({"image-name": "localhost/bb:1"})}

    def resolve(self, annotations):
        return resolve(LONG, annotations, str(self.bundle))


IN_POD = {"io.kubernetes.cri-o.SandboxID": INFRA, "io.kubernetes.cri-o.ContainerType": "container"}
POD_ID = "0f" * 32


def in_data_base(root, *containers):
    write_bolt(
        root / "libpod/bolt_state.db",
        {
            b"ctr": {one["id"].encode(): {b"config": json.dumps(one).encode()} for one in containers},
            b"pod": {POD_ID.encode(): {b"config": json.dumps({"id": POD_ID, "name": "mypod"}).encode()}},
        },
    )


def test_a_container_in_a_pod_of_podmans(tmp_path):
    storage = Storage(tmp_path)
    told = {"id": LONG, "name": "web", "pod": POD_ID, "rootfsImageName": "localhost/bb:1", "labels": {"a": "b"}}
    in_data_base(storage.root, told)
    names = storage.resolve(IN_POD)
    assert names == Names("web", "mypod", "", POD_ID, "localhost/bb:1", labels=Labels((("a", "b"),)))
    assert names.trace_id("n") == "n_mypod_web"


def test_without_its_data_base_a_pod_is_called_by_its_id(tmp_path):
    storage = Storage(tmp_path)
    infra = storage.entry(INFRA, f"{POD_ID[:12]}-infra")
    write(storage.containers / "containers.json", [infra, storage.entry(LONG, "web")])
    assert storage.resolve(IN_POD).trace_id("n") == f"n_{POD_ID[:12]}_web"
    write(storage.containers / "containers.json", [storage.entry(LONG, f"{POD_ID[:12]}-infra")])
    assert storage.resolve({}).sandbox


def test_podmans_infra_container_is_a_sandbox(tmp_path):
    storage = Storage(tmp_path)
    in_data_base(storage.root, {"id": LONG, "name": f"{POD_ID[:12]}-infra", "pod": POD_ID, "pause": True})
    names = storage.resolve({})
    assert (names.sandbox, names.pod) == (True, "mypod")


def test_a_container_that_goes_when_it_ends_is_listed_apart(tmp_path):
    storage = Storage(tmp_path)
    write(storage.containers / "volatile-containers.json", [storage.entry(LONG, "gone-soon")])
    assert storage.resolve({}) == Names("gone-soon", image="localhost/bb:1")


def test_with_a_transient_store_it_is_listed_below_the_run_root(tmp_path):
    storage = Storage(tmp_path)
    run = tmp_path / "run/overlay-containers"
    write(run / "volatile-containers.json", [storage.entry(LONG, "gone-soon")])
    source = run / LONG / "userdata/resolv.conf"
    write(storage.bundle / "config.json", {"mounts": ["no mount", {"source": "tmpfs"}, {"source": str(source)}]})
    assert storage.resolve({}) == Names("gone-soon", image="localhost/bb:1")


def test_a_trace_id_needs_no_quoting_in_a_shell():
    assert Names("a b;$(x)\x1b[2J").trace_id("n") == "n_a-b-x-2J"


@pytest.mark.parametrize(
    ("node", "trace_id"), [("(x)", "x-_web"), ("--help", "help_web"), ("-", "_web"), ("é", "_web")]
)
def test_no_id_begins_like_an_option(node, trace_id):
    assert Names("web").trace_id(node) == trace_id


def test_half_a_surrogate_pair_in_an_engines_file_is_spelled_out(tmp_path):
    (tmp_path / "containers.json").write_text('[{"id": "c1", "names": ["a\\ud800\\u00e9"]}]')
    assert resolve("c1", {}, str(tmp_path / "c1" / "userdata")).container == "a\\ud800\u00e9"


def test_an_engines_file_of_endless_depth_tells_no_name(tmp_path):
    (tmp_path / "containers.json").write_text("[" * 100_000)
    assert resolve("c1", {}, str(tmp_path / "c1" / "userdata")).container == "c1"


def test_an_images_name_of_endless_depth_is_none(tmp_path):
    entry = {"id": "c1", "names": ["web"], "metadata": "[" * 100_000}
    (tmp_path / "containers.json").write_text(json.dumps([entry]))
    names = resolve("c1", {}, str(tmp_path / "c1" / "userdata"))
    assert (names.container, names.image) == ("web", "")
