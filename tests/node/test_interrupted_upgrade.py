# SPDX-License-Identifier: Apache-2.0
"""Containers start while dpkg unpacks libc, Python or our programs, and after dpkg was killed in the middle.

Runs in a layer above this machine's root, in a mount namespace that ends with the test. The packages consist of the
files installed here, so no package server is needed. UPGRADE_KILLS sets the number of kills, which `make test-packages`
raises.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import make_bundle, make_root
from lab.bundle import HOOK

from traceloop_cli.engines.guard import entry

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

SEED = int(os.environ.get("UPGRADE_SEED", "1"))
KILLS = int(os.environ.get("UPGRADE_KILLS", "3"))  # per package
PYTHON = f"{Path('/usr/bin/python3').resolve().name}-minimal"
PROGRAMS = ("traceloop-hook", "traceloop-runtime", "traceloop-add-hooks")
OURS = "/usr/libexec/oci/hooks.d"
CONTROL = """\
Package: {name}
Version: {version}
Architecture: amd64
Multi-Arch: same
Maintainer: a test <test@traceloop.invalid>
Description: made of files that are installed here
"""
# A /run of its own, so that nothing of this machine is touched; shared cgroups, in which runc makes one
ENTER = """
mount -t tmpfs layer "$0"
mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" root "$0/root"
mount -t proc proc "$0/root/proc"
mount --rbind /sys "$0/root/sys"
mount --rbind /dev "$0/root/dev"
mount -t tmpfs run "$0/root/run"
mount --rbind "$1" "$0/root/$1"
echo
exec cat
"""


class Layer:
    """A root above this machine's: only commands in it see its changes."""

    def __init__(self, directory: Path, shared: Path) -> None:
        words = ["unshare", "--mount", "--propagation=private", "sh", "-euc", ENTER, directory, shared]
        self._keeper = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._keeper.stdout.readline() == b"\n"
        self._root = directory / "root"

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        enter = ["nsenter", f"--mount=/proc/{self._keeper.pid}/ns/mnt", "--", "chroot", self._root]
        return subprocess.Popen(
            [*enter, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str | Path) -> tuple[int, str]:
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def close(self) -> None:
        self._keeper.communicate(timeout=60)


def pack(directory: Path, name: str, files: list[str], version: str) -> Path:
    """Makes a package of these files, as installed on this machine or as already in `directory`/tree."""
    tree = directory / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    paths = [Path(file) for file in files]
    directories = {parent for path in paths for parent in path.parents}  # /lib may be a link to a directory
    for path in paths:
        target = tree / str(path).lstrip("/")
        if path not in directories and (path.is_symlink() or not path.is_dir()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
    for program in PROGRAMS if not files else ():
        target = tree / OURS.lstrip("/") / program
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(HOOK.with_name(program), target)
    (tree / "DEBIAN/control").write_text(CONTROL.format(name=name, version=version))
    deb = directory / f"{name}.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, deb], check=True, capture_output=True)
    shutil.rmtree(tree)
    return deb


def dpkg_query(name: str, what: str) -> str:
    return subprocess.run(["dpkg-query", *what.split(), name], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def layer(tmp_path_factory, shared) -> Iterator[Layer]:
    layer = Layer(tmp_path_factory.mktemp("layer"), shared)
    yield layer
    layer.close()


@pytest.fixture(scope="module")
def packages(shared) -> dict[str, Path]:
    made = {"traceloop-test": pack(shared, "traceloop-test", [], "1")}
    for name in (PYTHON, "libc6"):
        full = f"{name}:amd64" if name == "libc6" else name
        files = [path for path in dpkg_query(full, "--listfiles").splitlines() if os.path.lexists(path)]
        made[name] = pack(shared, name, files, dpkg_query(full, "--show --showformat=${Version}"))
    return made


@pytest.mark.parametrize("name", ["traceloop-test", PYTHON, "libc6"])
def test_containers_start_while_it_is_unpacked_and_after_it_was_killed(layer, shared, packages, name) -> None:
    chance = random.Random(SEED)
    hooks = {
        stage: [entry(f"{OURS}/traceloop-hook", [word, "--socket", "/nonexistent"])]
        for stage, word in (("prestart", "start"), ("poststop", "stop"))
    }
    root = shared / "root"
    if not root.exists():
        make_root(root)
        assert layer.run("dpkg", "--unpack", packages["traceloop-test"])[0] == 0
    plain = make_bundle(shared / f"{name}-plain", root, ["sh", "-c", "exit 7"], hooks=hooks)
    by_runtime = make_bundle(shared / f"{name}-runtime", root, ["sh", "-c", "exit 7"])
    count = 0

    def containers() -> None:
        nonlocal count
        for program, bundle in (("runc", plain), (f"{OURS}/traceloop-runtime", by_runtime)):
            count += 1
            status, said = layer.run(program, "run", "--bundle", bundle, f"{name}-{count}")
            assert status == 7, said

    containers()
    unpack = ("dpkg", "--unpack", "--force-all", packages[name])
    began_s = time.monotonic()
    with layer.start(*unpack) as process:
        while process.poll() is None:
            containers()
        assert process.returncode == 0, process.stdout.read()
    whole_s = time.monotonic() - began_s
    for _ in range(KILLS):
        with layer.start(*unpack) as process:
            deadline_s = time.monotonic() + chance.uniform(0, whole_s)
            while process.poll() is None and time.monotonic() < deadline_s:
                containers()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        containers()
    status, said = layer.run(*unpack)
    assert status == 0, said
    containers()
