# SPDX-License-Identifier: Apache-2.0
"""Names of containers that nothing registers, on made-up systems, and the size of the stock that waits for them."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from podman_files import in_sqlite

from traceloop_bpf.births import Birth, Kind
from traceloop_daemon.naming.births import Recogniser
from traceloop_daemon.naming.engines.runtimes import Started, started_by
from traceloop_daemon.registering.spare import LATELY_S, Spare

ID = "0123456789abcdef" * 4
OTHER = "f" * 64


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def recogniser(root: Path, *, prefixes: tuple[str, ...] = (), units: tuple[str, ...] = ()) -> Recogniser:
    return Recogniser(root / "cgroup", prefixes, units, root)


def bundle(root: Path, place: str, **annotations: str) -> Path:
    directory = root / place
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({"annotations": annotations}))
    return directory


def process(root: Path, pid: int, *words: str, cwd: str = "/", cgroup: str = "/elsewhere", parent: int = 1) -> None:
    directory = root / f"proc/{pid}"
    directory.mkdir(parents=True)
    (directory / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())
    (directory / "cwd").symlink_to(cwd)
    (directory / "cgroup").write_text(f"0::{cgroup}\n")
    (directory / "stat").write_text(f"{pid} (a (b) c) S {parent} 0\n")


def born(its: Recogniser, path: str, maker: int = 0) -> Birth:
    """A birth of the shape that fits, or of a runtime's if none does."""
    running = its.running(path)
    if running is None:
        (runtime,) = {shape.whose for shape in its.shapes if shape.kind is Kind.RUNTIME}
        running = Birth(0, 0, slot=0, cookie=0, maker=0, whose=runtime, moved=False, path=path, until=0)
    return Birth(7, 0, slot=1, cookie=1, maker=maker, whose=running.whose, moved=False, path=path, until=8)


@pytest.mark.parametrize(
    ("path", "container_id"),
    [
        (f"/docker/{ID}", ID),
        (f"/system.slice/docker-{ID}.scope", ID),
        (f"/libpod_parent/libpod-{ID}", ID),
        (f"/machine.slice/libpod-{ID}.scope", ID),
        (f"/user.service/libpod-payload-{ID}", ID),
        (f"/kubepods.slice/x.slice/cri-containerd-{ID}.scope", ID),
        (f"/kubepods/burstable/podx/{ID}", ID),
        (f"/x/crio-{ID}.scope", ID),
        (f"/x/nerdctl-{ID}.scope", ID),
        ("/system.slice/runc-web.scope", "web"),
        ("/default/web", "web"),
        ("/x/mine-web.1", "web.1"),
    ],
)
def test_ids(root: Path, path: str, container_id: str) -> None:
    its = recogniser(root, prefixes=("mine-",))
    assert its.container_id(born(its, path)) == container_id


@pytest.mark.parametrize(
    "path",
    [
        f"/libpod_parent/{ID}",
        f"/machine.slice/libpod-conmon-{ID}.scope",
        f"/machine.slice/machine-libpod_pod_{ID}.slice",
        f"/x/crio-conmon-{ID}.scope",
        f"/docker-{ID}.scope/init.scope",
        f"/x/docker-{ID}",
        "/libpod_parent/conmon",
        "/system.slice/nginx.service",
    ],
)
def test_what_is_no_container(root: Path, path: str) -> None:
    assert recogniser(root).running(path) is None


@pytest.mark.parametrize(
    ("unit", "path"),
    [("nginx.service", "/system.slice/nginx.service"), ("web@*.service", "/system.slice/s.slice/web@1.service")],
)
def test_units(root: Path, unit: str, path: str) -> None:
    its = recogniser(root, units=(unit,))
    told = its.find(born(its, path))
    assert told is not None
    assert (told.names.container, told.container_id, told.cgroup) == (path.rsplit("/", maxsplit=1)[-1][:-8], "", path)


@pytest.mark.parametrize("path", ["/system.slice/web-a-b.service", "/user.slice/u.service/app.slice/web-x.service"])
def test_units_that_no_glob_names(root: Path, path: str) -> None:
    """The kernel side compares the beginnings of globs alone, and users' systemds have units as well."""
    its = recogniser(root, units=("web-?.service",))
    assert its.excluded(born(its, path))
    assert not its.excluded(born(its, "/system.slice/web-x.service"))


def test_a_bundle_that_is_found_by_the_id(root: Path) -> None:
    pod = {
        "sandbox-name": "shop",
        "sandbox-namespace": "default",
        "container-name": "till",
        "container-type": "container",
    }
    place = f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}"
    bundle(root, place, **{f"io.kubernetes.cri.{name}": text for name, text in pod.items()})
    uid = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"
    its = recogniser(root)
    told = its.find(born(its, f"/kubepods.slice/kubepods-pod{uid.replace('-', '_')}.slice/cri-containerd-{ID}.scope"))
    assert told is not None
    assert (told.names.trace_id("n"), told.names.pod_uid, told.container_id) == ("n_default_shop_till", uid, ID)


def test_a_bundle_that_the_runtime_names(root: Path) -> None:
    """The maker's command line has the place of a bundle that is where no engine has it by default."""
    at = bundle(root, f"data/{ID}", **{"io.traceloop.name": "web"})
    process(root, 77, "runc", "--root", "/x", "create", "--bundle", str(at), "--pid-file", "/p", ID)
    its = recogniser(root)
    started = its.started_by_maker(born(its, f"/docker/{ID}", maker=77))
    assert its.find(born(its, f"/docker/{OTHER}"), started) is None  # another container's
    told = its.find(born(its, f"/docker/{ID}"), started)
    assert told is not None
    assert told.names.container == "web"


def test_the_command_line_that_the_kernel_read_counts(root: Path) -> None:
    """The maker may have ended long ago, and its number may be that of another container's runtime."""
    process(root, 77, "runc", "create", "--bundle", "/other/bundle", "other", cwd="/srv")
    its = recogniser(root)
    birth = born(its, "/default/web", maker=77)
    words = tuple(b"runc create --bundle /srv/web web".split())
    assert its.started_by_maker(replace(birth, words=words)) == Started("web", "/srv/web")
    assert its.started_by_maker(replace(birth, words=(b"runc", b"run", b"web"))) == Started("web", "/srv")
    assert its.started_by_maker(replace(birth, words=(b"sh",))) is None
    assert its.started_by_maker(birth) == Started("other", "/other/bundle")  # it was too long to be read


def test_a_bundle_that_the_parent_of_the_first_process_names(root: Path) -> None:
    """systemd made the cgroup, so the runtime is the parent of the first process in it."""
    path = f"/machine.slice/libpod-{ID}.scope"
    at = bundle(root, "data/b", **{"io.traceloop.name": "web"})
    forged = bundle(root, "data/forged", **{"io.traceloop.name": "forged"})
    (root / f"cgroup{path}").mkdir(parents=True)
    (root / f"cgroup{path}/cgroup.procs").write_text("90\n91\n")
    process(root, 1, "/sbin/init")
    process(root, 89, "runc", "create", "--bundle", str(forged), ID, cgroup=f"{path}/inside")
    process(root, 90, "x", parent=89)
    process(root, 88, "runc", "create", "--bundle", str(at), ID)
    process(root, 91, "runc", "init", parent=88)
    its = recogniser(root)
    told = its.find(born(its, path, maker=1))
    assert told is not None
    assert told.names.container == "web"


def test_while_podman_writes_a_container_is_not_named_yet(root: Path) -> None:
    """Among its labels, which only the database has, may be one that excludes it."""
    at = bundle(root, f"run/containers/storage/overlay-containers/{ID}/userdata")
    (at.parent.parent / "containers.json").write_text(json.dumps([{"id": ID, "names": ["web"]}]))
    its = recogniser(root)
    birth = born(its, f"/machine.slice/libpod-{ID}.scope")
    just_now = replace(birth, at_ns=1 << 62)
    with closing(in_sqlite(at.parent.parent.parent)) as data_base:
        data_base.execute("BEGIN EXCLUSIVE")
        assert its.find(just_now) is None
        told = its.find(birth)  # long ago
        assert told is not None
        assert (told.names.container, dict(told.names.labels.pairs)) == ("web", {})
        data_base.execute("ROLLBACK")
    told = its.find(just_now)
    assert told is not None
    assert dict(told.names.labels.pairs) == {"app": "shop"}


def test_while_its_bundle_cannot_be_read_a_container_is_not_named_yet(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Among its annotations may be one that excludes it."""
    at = bundle(root, f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}", **{"io.traceloop.record": "false"})
    its = recogniser(root)
    birth = born(its, f"/system.slice/docker-{ID}.scope")
    just_now = replace(birth, at_ns=1 << 62)
    told = its.find(just_now)
    assert told is not None
    assert told.annotations == {"io.traceloop.record": "false"}
    (at / "config.json").write_text("{")
    assert its.find(just_now) is None
    told = its.find(birth)  # long ago
    assert told is not None
    assert (told.container_id, told.annotations) == (ID, {})
    (at / "config.json").unlink()
    (at / "config.json").symlink_to("config.json")  # which will not be read later either
    told = its.find(just_now)
    assert told is not None
    assert (told.container_id, told.annotations) == (ID, {})
    assert caplog.text.count("symbolic link") == 1


def test_the_link_of_kubelet_names_no_container_whose_bundle_may_be_found(root: Path) -> None:
    """The bundle may be where no engine has it by default, which the runtime tells once it is there."""
    (root / "var/log/containers").mkdir(parents=True)
    (root / f"var/log/containers/web_shop_nginx-{ID}.log").symlink_to("/nowhere")
    its = recogniser(root)
    birth = born(its, f"/kubepods.slice/cri-containerd-{ID}.scope")
    assert its.find(replace(birth, at_ns=1 << 62)) is None
    told = its.find(birth)  # long ago
    assert told is not None
    assert (told.names.pod, told.names.namespace, told.names.container) == ("web", "shop", "nginx")


def test_a_container_without_a_bundle(root: Path) -> None:
    its = recogniser(root)
    birth = born(its, f"/machine.slice/libpod-{ID}.scope")
    assert its.find(birth) is None
    told = its.without_bundle(birth)
    assert (told.names.container, told.container_id) == ("podman-0123456789ab", ID)
    assert its.without_bundle(born(its, f"/x/{ID}")).names.container == "0123456789ab"
    assert its.without_bundle(born(its, "/default/web")).names.container == "web"


@pytest.mark.parametrize(
    ("words", "started"),
    [
        (("runc", "run", "web"), Started("web", "/srv")),
        (("runc", "--debug", "run", "-b", "b", "web"), Started("web", "/srv/b")),
        (("crun", "--root=/x", "create", "--bundle=/b/", "--pid-file", "/p", "web"), Started("web", "/b")),
        (("crun", "create", "--bundle", "web"), Started("web", "/srv")),
        (("runc", "create"), None),
        (("runc", "init"), None),
        (("runc", "delete", "web"), None),
        ((), None),
    ],
)
def test_command_lines(root: Path, words: tuple[str, ...], started: Started | None) -> None:
    process(root, 5, *words, cwd="/srv")
    assert started_by(5, root / "proc") == started
    assert started_by(6, root / "proc") is None


class Pool:
    """A pool that notes the sizes that it is given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def resize(self, size: int) -> None:
        self.sizes.append(size)


def test_the_stock_follows_the_rate_of_starts() -> None:
    now = [0.0]
    pool = Pool()
    spare = Spare(lambda: pool, 4, 8, lambda: now[0])  # type: ignore[arg-type, return-value]
    for _ in range(20):  # two in a second
        now[0] += 0.5
        spare.began()
    assert pool.sizes == []
    for _ in range(6):
        spare.began()
    assert pool.sizes == [5, 6, 7, 8]
    for _ in range(6):
        spare.began()
    assert pool.sizes[-1] == 8  # at most
    now[0] += LATELY_S
    spare.follow()
    assert pool.sizes[-1] == 4


def test_what_is_told_late_counts_when_it_began() -> None:
    """Twenty that began two in a second while no daemon ran are no peak; six that began at once are one."""
    pool = Pool()
    spare = Spare(lambda: pool, 4, 8, lambda: 100.0)  # type: ignore[arg-type, return-value]
    for number in range(20):
        spare.began(ago_s=60 - number / 2)
    assert pool.sizes == []
    for _ in range(6):
        spare.began(ago_s=10)
    assert pool.sizes[-1] == 6
