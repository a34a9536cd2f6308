# SPDX-License-Identifier: Apache-2.0
"""The scripts of packages, above all those before a removal, with stubs for traceloopctl, systemd and /proc."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "packaging/unwire-engines.sh"
POSTRM = ROOT / "packaging/debian/traceloop.postrm"
SPEC = ROOT / "packaging/traceloop.spec"
TIMEOUT_S = 60


@dataclass
class Machine:
    """The directories that stand for a machine's."""

    root: Path

    def program(self, name: str, script: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def process(self, name: str) -> None:
        """Adds a process of root's, which runs a program of its name."""
        view, folder = self.root / "proc/self/ns", self.root / f"proc/{len(list((self.root / 'proc').iterdir()))}"
        folder.mkdir()
        (folder / "ns").symlink_to(view)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "status").write_text(f"Name:\t{name}\nUid:\t0\t0\t0\t0\n")
        self.program(name, "")
        (folder / "exe").symlink_to(self.root / "bin" / name)

    def scriptlet(self, name: str) -> Path:
        text = re.search(rf"^%{name}\n(.*?)\n%", SPEC.read_text(), re.MULTILINE | re.DOTALL)[1]
        script = self.root / name
        script.write_text("#!/bin/sh\n" + text.replace("%{privatedir}", str(self.root / "bin")))
        script.chmod(0o755)
        return script

    def unwire(self) -> subprocess.CompletedProcess[str]:
        text = SCRIPT.read_text()
        for path in ("/proc", "/etc", "/var/lib/docker", "/run/traceloop-unwired", "/usr/bin/traceloopctl"):
            text = text.replace(path, str(self.root / path[1:].replace("usr/", "")))
        script = self.root / "unwire-engines"
        script.write_text(text)
        script.chmod(0o755)
        return run(script, self.root)


def run(script: Path, root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *words],
        env={"PATH": f"{root}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine of root's where no engine runs, and which has traceloopctl."""
    made = Machine(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    for name in ("mnt", "pid"):
        (tmp_path / "proc/self/ns" / name).symlink_to(f"{name}:[1]")
    made.program("traceloopctl", "exit 0")
    made.program("systemctl", f"echo systemctl $* >>{tmp_path}/log; exit 1")
    made.program("stat", "echo 0")  # root's, whoever runs this test
    return made


def test_the_package_goes_where_nothing_needs_it(machine) -> None:
    machine.process("dockerd")
    ended = machine.unwire()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("engine", ["dockerd", "containerd"])
@pytest.mark.parametrize("fault", ["exit 1", "kill -9 $$", "exit 124"])
def test_the_package_stays_while_an_engine_runs_that_cannot_be_asked(machine, engine, fault) -> None:
    machine.program("traceloopctl", fault)
    machine.process(engine)
    ended = machine.unwire()
    assert ended.returncode == 1
    assert f"traceloop: cannot find out whether {engine} still uses our programs" in ended.stderr


def test_a_broken_traceloopctl_keeps_no_package_where_no_engine_runs(machine) -> None:
    machine.program("traceloopctl", "exit 1")
    machine.process("dockerd-shim")
    assert machine.unwire().returncode == 0


def test_the_package_goes_in_a_root_without_proc(machine) -> None:
    for path in sorted((machine.root / "proc").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    ended = machine.unwire()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "name", ["docker/daemon.json", "containerd/config.toml", "crio/crio.conf.d/10-x.conf", "containers/containers.conf"]
)
def test_the_package_stays_while_an_engines_file_names_the_runtime(machine, name) -> None:
    path = machine.root / "etc" / name
    path.parent.mkdir(parents=True)
    path.write_text('  # "/usr/libexec/oci/hooks.d/traceloop-runtime"\n"/opt/traceloop-runtime"\n')
    assert machine.unwire().returncode == 0
    path.write_text('{"runtimes": {"x": {"path": "/usr/libexec/oci/hooks.d/traceloop-runtime"}}}')
    ended = machine.unwire()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"traceloop: {path} names traceloop-runtime")


@pytest.mark.parametrize("data_root", ["var/lib/docker", "srv/docker"])
def test_containers_that_were_made_with_dockers_runtime_are_named(machine, data_root) -> None:
    """dockerd stops its containers when it is restarted, and refuses to start these, whatever their restart policy is."""
    if data_root != "var/lib/docker":
        (machine.root / "etc/docker").mkdir(parents=True)
        (machine.root / "etc/docker/daemon.json").write_text(f'{{"data-root": "{machine.root / data_root}"}}')
    for name, runtime in (("theirs", "runc"), ("ours", "traceloop")):
        folder = machine.root / data_root / "containers" / name
        folder.mkdir(parents=True)
        (folder / "hostconfig.json").write_text(f'{{"Runtime":"{runtime}","Binds":null}}')
    ended = machine.unwire()
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == (
        "traceloop: these containers were made with docker's runtime traceloop and do not start again; "
        "recreate them with another: ours\n"
    )


@pytest.mark.parametrize("verb", ["remove", "purge"])
def test_a_directory_that_is_a_mount_point_fails_no_purge(machine, verb) -> None:
    """rm empties such a directory, and fails: dpkg would keep the package half removed."""
    machine.program("rm", "echo rm: busy >&2; exit 1")
    machine.program("rmdir", "exit 1")
    (machine.root / "etc/traceloop").mkdir(parents=True)
    script = machine.root / "postrm"
    script.write_text(re.sub(r"/(etc|run|var)/", rf"{machine.root}/\1/", POSTRM.read_text()))
    script.chmod(0o755)
    ended = run(script, machine.root, verb)
    assert (ended.returncode, ended.stderr[:9]) == (0, "rm: busy\n")


@pytest.mark.parametrize("stays", [True, False])
def test_an_rpm_is_erased_only_after_its_engines_were_unwired(machine, stays) -> None:
    """rpm runs scriptlets without `-e`: the status of the last command alone counts, unless one exits."""
    script = machine.scriptlet("preun")
    machine.program("unwire-engines", f"exit {int(stays)}")
    assert run(script, machine.root, "1").returncode == 0  # an upgrade
    assert not (machine.root / "log").exists()
    assert (run(script, machine.root, "0").returncode != 0) == stays
    assert (machine.root / "log").exists() != stays


def test_what_engines_read_of_an_rpm_is_on_disk(machine) -> None:
    """rpm does not sync; an engine starts no container while a file of hooks.d is empty, as after a crash."""
    for name in ("systemd-sysusers", "systemd-tmpfiles", "journalctl"):
        machine.program(name, "")
    machine.program("sync", f"echo $* >>{machine.root}/synced")
    run(machine.scriptlet("post"), machine.root, "2")
    synced = (machine.root / "synced").read_text().split()
    assert synced == ["%{hookdir}/traceloop-*", "%{hooksdir}/traceloop-*.json"]
