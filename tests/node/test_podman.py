# SPDX-License-Identifier: Apache-2.0
"""podman with our files in hooks.d: containers and pods are recorded under their names, and start despite any fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from broken import BREAK, restore
from lab import Daemon
from lab.bundle import HOOK
from lab.podman import IMAGE, Podman

from traceloop_cli.engines import hooksd

pytestmark = [pytest.mark.kernel, pytest.mark.engine("podman")]

PACKAGED = Path(__file__).parents[2] / "packaging/hooks.d"
HOOKS_D = "/usr/share/containers/oci/hooks.d"
FILES = ("traceloop-prestart.json", "traceloop-poststop.json")
POD = """
apiVersion: v1
kind: Pod
metadata:
  name: shop
spec:
  hostNetwork: true
  restartPolicy: Never
  containers:
  - {name: till, image: localhost/busybox:1, command: [sh, -c, "echo 42 > /tmp/result"]}
"""


VALID = {"version": "1.0.0", "hook": {"path": "/bin/true"}, "when": {"always": True}, "stages": ["prestart"]}
WITHOUT_A_KEY = [{k: v for k, v in VALID.items() if k != key} for key in VALID]
HOOK_FILES = [
    *WITHOUT_A_KEY,
    {**VALID, "version": "2.0.0"},
    {**VALID, "hook": {"args": ["true"]}},
    {**VALID, "hook": {"path": "/bin/true", "args": "x"}},
    {**VALID, "hook": {"path": "/bin/true", "timeout": 0}},
    {**VALID, "when": {}},
    {**VALID, "when": {"always": "yes"}},
    {**VALID, "when": {"commands": ["("]}},
    {**VALID, "when": {"annotations": {"(": "x"}}},
    {**VALID, "when": {"annotations": {"x": "("}}},
    {**VALID, "when": {"annotations": {"^a$": "^b$"}, "commands": ["true"], "hasBindMounts": False}},
    {**VALID, "stages": ["prestart", "foo"]},
    {**VALID, "stages": ["PreStart"]},
    {**VALID, "stages": ["createRuntime", "poststart"]},
    {**VALID, "unknown": 1},
    [],
]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with Daemon(config='node = "n"\n[record]\nfrom = "hook"\n') as daemon:
        yield daemon


@pytest.fixture(scope="module", params=["runc", pytest.param("crun", marks=pytest.mark.engine("crun"))])
def podman(request, daemon) -> Iterator[Podman]:
    """A podman wired by the packaged files, with the paths of hook and socket replaced."""
    with Podman(request.param) as podman:
        podman.runtime = request.param
        install(podman, hook=HOOK, socket=daemon.hook_socket)
        yield podman


def install(podman: Podman, *, hook: Path, socket: Path) -> None:
    directory = podman.host.path(HOOKS_D)
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        value = json.loads((PACKAGED / name).read_text())
        value["hook"]["args"][3] = str(hook)
        value["hook"]["args"] += ["--socket", str(socket)]
        (directory / name).write_text(json.dumps(value))


def traces(daemon: Daemon) -> dict[str, dict]:
    return {trace["id"]: trace for trace in json.loads(daemon.ctl("list", "-o", "json").stdout)}


def test_a_container_is_recorded_under_its_name(podman, daemon) -> None:
    name = f"plain-{podman.runtime}"
    assert podman.run("--name", name, IMAGE, "sh", "-c", "echo out; exit 3", check=False).returncode == 3
    daemon.wait_for_log(lambda line: f"frozen n_{name} " in line)
    trace = traces(daemon)[f"n_{name}"]
    assert (trace["container"], trace["image"], trace["exit_code"], trace["pod"]) == (name, IMAGE, 3, "")
    shown = daemon.ctl("show", f"n_{name}", "-o", "strace").stdout
    assert re.search(r'write\(1, "out\\n", 4\) += 4', shown)


def test_labels_choose_as_annotations_do(podman, daemon) -> None:
    runtime = podman.runtime
    words = ["--label", "io.traceloop.record=false", "--name", f"private-{runtime}"]
    podman.run(*words, IMAGE, "true")
    daemon.wait_for_log(lambda line: f"(n_private-{runtime}) is not recorded" in line)
    script = f"echo secret-9 > /tmp/seen-{runtime}"
    labels = ["--label", "io.traceloop.capture=paths", "--label", "app=shop"]
    podman.run("--name", f"names-{runtime}", *labels, IMAGE, "sh", "-c", script)
    daemon.wait_for_log(lambda line: f"frozen n_names-{runtime} " in line)
    traces = {trace["id"]: trace for trace in json.loads(daemon.ctl("list", "-o", "json").stdout)}
    assert traces[f"n_names-{runtime}"]["labels"] == {"app": "shop", "io.traceloop.capture": "paths"}
    assert f"n_private-{runtime}" not in traces
    shown = daemon.ctl("show", f"n_names-{runtime}").stdout
    assert f"/tmp/seen-{runtime}" in shown
    assert "secret-9" not in shown


def test_pods(podman, daemon) -> None:
    pod = f"pod-{podman.runtime}"
    # The cgroup that podman makes for a pod forbids devices that crun cannot allow again (see lab.podman).
    shared = ["--share-parent=false"] if podman.runtime == "crun" else []
    pod_id = podman("pod", "create", "--name", pod, *shared).stdout.strip()
    podman.run("--pod", pod, "--name", f"in-{pod}", IMAGE, "true")
    daemon.wait_for_log(lambda line: f"frozen n_{pod}_in-{pod} " in line)
    found = [trace for trace in traces(daemon).values() if trace["pod"] == pod]
    assert [(trace["container"], trace["pod_uid"]) for trace in found] == [(f"in-{pod}", pod_id)]
    assert re.search(r"not recorded: it is the sandbox of a pod", daemon.log)


def test_kube_play(podman, daemon, tmp_path) -> None:
    if podman.runtime == "crun":
        pytest.skip("crun cannot allow devices in the cgroup that podman makes for a pod without CAP_SYS_RESOURCE")
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(POD)
    podman("kube", "play", str(manifest))
    daemon.wait_for_log(lambda line: "frozen n_shop_shop-till " in line)
    podman("kube", "down", str(manifest))
    writes = daemon.ctl("show", "n_shop_shop-till", "-o", "strace", "-e", "trace=write").stdout
    assert re.search(r'write\(1, "42\\n", 3\) += 3', writes)


@pytest.mark.parametrize("fault", ["no daemon", "another's socket"])
def test_a_container_starts_whatever_the_hook_meets(podman, daemon, fault, tmp_path) -> None:
    socket = Path("/dev/null") if fault == "another's socket" else tmp_path / "absent.sock"
    try:
        install(podman, hook=HOOK, socket=socket)
        assert podman.run(IMAGE, "echo", "started").stdout == "started\n"
    finally:
        install(podman, hook=HOOK, socket=daemon.hook_socket)


@pytest.mark.parametrize("fault", BREAK)
def test_a_container_starts_though_the_hook_is_broken(podman, daemon, fault, tmp_path) -> None:
    hook = tmp_path / "traceloop-hook"
    restore(hook, HOOK)
    BREAK[fault](hook)
    try:
        install(podman, hook=hook, socket=daemon.hook_socket)
        assert podman.run(IMAGE, "echo", "started").stdout == "started\n"
    finally:
        install(podman, hook=HOOK, socket=daemon.hook_socket)


def test_a_container_starts_where_all_is_read_only(podman, daemon) -> None:
    words = ["--read-only", "--read-only-tmpfs=false", "--name", f"ro-{podman.runtime}"]
    assert podman.run(*words, IMAGE, "echo", "started").stdout == "started\n"
    daemon.wait_for_log(lambda line: f"frozen n_ro-{podman.runtime} " in line)


def test_podman_refuses_nothing_that_our_rules_take(podman) -> None:
    if podman.runtime != "runc":
        pytest.skip("its reader of hooks.d has nothing to do with the runtime")
    file = podman.host.path(f"{HOOKS_D}/case.json")
    verdicts = []
    try:
        for text in (*map(json.dumps, HOOK_FILES), "", "foo", json.dumps(VALID) + "x", json.dumps(VALID)):
            file.write_text(text)
            started = podman.run(IMAGE, "true", check=False).returncode == 0
            verdicts.append((hooksd.problem(text.encode()) is None, started))
            assert started or hooksd.problem(text.encode()) is not None, text
    finally:
        file.unlink()
    assert verdicts.count((True, True)) >= 5
    assert verdicts.count((False, False)) >= 15


def engine(podman: Podman, *words: str) -> str:
    return podman.host.run(HOOK.with_name("traceloopctl"), "engine", *words, check=False).stdout


def test_enabled_by_traceloopctl_and_disabled_again(podman, daemon) -> None:
    files = [podman.host.path(f"{HOOKS_D}/{name}") for name in FILES]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    try:
        engine(podman, "enable", "podman", "--hook", str(HOOK), "--socket", str(daemon.hook_socket))
        assert "ok podman: " in " ".join(engine(podman, "status", "podman").split())
        podman.run("--name", f"enabled-{podman.runtime}", IMAGE, "true")
        daemon.wait_for_log(lambda line: f"frozen n_enabled-{podman.runtime} " in line)
        engine(podman, "disable", "podman")
        assert not any(file.exists() for file in files)
        assert "warning podman: there is no " in " ".join(engine(podman, "status", "podman").split())
    finally:
        for file, content in zip(files, before, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def test_files_of_a_package_are_masked_and_unmasked(podman, daemon) -> None:
    """Masks work by podman's own rule: of files of the same name, the one in the later directory counts."""
    etc = podman.host.path("/etc")
    before = {path: path.read_bytes() for path in etc.glob("containers/**/*") if path.is_file()}
    directories = set(etc.glob("containers/**/"))
    words = ("podman", "--hook", str(HOOK), "--socket", str(daemon.hook_socket))
    engine(podman, "disable", *words)
    try:
        assert "masks the hook" in engine(podman, "status", "podman")
        podman.run("--name", f"masked-{podman.runtime}", IMAGE, "true")
    finally:
        engine(podman, "enable", *words)
    assert "ok podman: " in " ".join(engine(podman, "status", "podman").split())
    podman.run("--name", f"unmasked-{podman.runtime}", IMAGE, "true")
    daemon.wait_for_log(lambda line: f"frozen n_unmasked-{podman.runtime} " in line)
    assert f"n_masked-{podman.runtime}" not in traces(daemon)
    engine(podman, "disable", "--uninstall", *words)
    assert {path: path.read_bytes() for path in etc.glob("containers/**/*") if path.is_file()} == before
    assert set(etc.glob("containers/**/")) == directories
    assert not podman.host.path("/etc/traceloop/engines").exists()


def test_what_masks_and_what_does_not(podman) -> None:
    """The rules that cli/traceloop_cli/engines/masking.py relies on hold in podman itself."""
    if podman.runtime != "runc":
        pytest.skip("its reader of hooks.d has nothing to do with the runtime")
    ran = podman.host.path("/run/case-ran")
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null; : >/run/case-ran"]}
    places = [podman.host.path(path) for path in (HOOKS_D, "/etc/containers/oci/hooks.d", "/etc/later")]
    conf = podman.host.path("/etc/containers/containers.conf.d/zz-case.conf")

    def put(place: Path, text: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        (place / "case.json").write_text(text)

    def runs() -> bool | None:
        started = podman.run(IMAGE, "true", check=False).returncode == 0
        there = ran.exists()
        ran.unlink(missing_ok=True)
        return there if started else None

    try:
        put(places[0], json.dumps({**VALID, "hook": hook}))
        never = json.dumps({**VALID, "hook": hook, "when": {"always": False}})
        put(places[1], never)
        assert runs() is True  # /etc does nothing by itself
        conf.write_text(f'[engine]\nhooks_dir = ["{HOOKS_D}", "/etc/later"]\n')
        assert runs() is True  # a missing directory is skipped
        put(places[2], never)
        assert runs() is False
        put(places[2], json.dumps({**json.loads(never), "hook": {"path": "/nonexistent"}}))
        assert runs() is True
        put(places[2], "")
        assert runs() is None
    finally:
        conf.unlink(missing_ok=True)
        for place in places:
            (place / "case.json").unlink(missing_ok=True)


def test_a_variant_for_annotated_containers(podman, daemon) -> None:
    """A file of the same name in a directory of higher precedence sets a condition, as docs/engines.md says."""
    directory = podman.host.path("/etc/containers/oci/hooks.d")
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        value = json.loads(podman.host.path(f"{HOOKS_D}/{name}").read_text())
        value["when"] = {"annotations": {"^io\\.traceloop\\.record$": "^true$"}}
        (directory / name).write_text(json.dumps(value))
    directories = ["--hooks-dir", HOOKS_D, "--hooks-dir", "/etc/containers/oci/hooks.d"]
    for name, annotation in {"unmarked": "false", "marked": "true"}.items():
        words = [
            "run",
            "--rm",
            "--name",
            f"{name}-{podman.runtime}",
            "--annotation",
            f"io.traceloop.record={annotation}",
        ]
        podman(*directories, *words, IMAGE, "true")
    daemon.wait_for_log(lambda line: f"frozen n_marked-{podman.runtime} " in line)
    assert f"n_unmarked-{podman.runtime}" not in traces(daemon)
