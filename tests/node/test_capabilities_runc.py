# SPDX-License-Identifier: Apache-2.0
"""Capabilities that a trace says are needed: the same container runs with these alone, and fails without one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root, pod_annotations

from traceloop_bpf import btf, capabilities

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

SCRIPT = """
set -e
echo x >/tmp/file
chown 7:7 /tmp/file
chmod 700 /tmp/file
chroot / true
mknod /tmp/null c 1 3
i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i >/dev/null; done
hostname other
echo done
"""
NEEDED = {"CAP_CHOWN", "CAP_FOWNER", "CAP_FSETID", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_SYS_ADMIN"}
"""The capabilities of these calls, by capabilities(7). The container has others, and its runtime uses them."""


@dataclass(frozen=True)
class Lab:
    """A daemon, runc, a root file system, and what `export` printed of the first container."""

    daemon: Daemon
    runc: Runc
    root: Path
    options: list[str]
    yaml: str
    id: str

    def run(self, directory: Path, name: str, allowed: set[str] | None) -> tuple[int, str, str]:
        """Runs the container; returns its exit status, what it printed, and its trace's id. allowed: None: all."""
        bundle = make_bundle(
            directory / name,
            self.root,
            ["sh", "-c", SCRIPT],
            hooks=hooks(self.daemon.hook_socket),
            annotations=pod_annotations(name),
        )
        config = json.loads((bundle / "config.json").read_text())
        if allowed is not None:
            sets = ("bounding", "effective", "permitted")
            config["process"]["capabilities"] = {one: sorted(allowed) for one in sets}
            config["process"]["noNewPrivileges"] = True
        (bundle / "config.json").write_text(json.dumps(config))
        ended = self.runc.run(bundle, f"c-{name}")
        self.daemon.wait_for_log(lambda line: f"frozen node1_default_{name} " in line)
        return ended.returncode, ended.stdout, f"node1_default_{name}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with btf.opened() as types:
        if not capabilities.find(types):
            pytest.skip("this kernel does not tell which capabilities are asked for: Linux 6.14 and later do")
    directory = tmp_path_factory.mktemp("capabilities")
    root = make_root(directory / "root")
    with (
        Daemon(config='node = "node1"\n[ring]\nsize = "128K"\n') as daemon,
        Runc(directory / "runc") as runc,
    ):
        first = Lab(daemon, runc, root, [], "", "")
        status, printed, trace = first.run(directory, "first", ALL)
        assert (status, printed) == (0, "done\n")
        options, _, yaml = daemon.ctl("export", trace, "--format", "capabilities").stdout.partition("\n\n")
        yield Lab(daemon, runc, root, options.split(), yaml, trace)


ALL = {
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_MKNOD"),
    *("CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_SETFCAP"),
    *("CAP_AUDIT_WRITE", "CAP_SYS_PTRACE", "CAP_NET_ADMIN"),
}


def named(lab: Lab) -> set[str]:
    return {f"CAP_{option.removeprefix('--cap-add=')}" for option in lab.options[1:]}


def test_it_names_what_the_program_used_and_nothing_of_the_runtime(lab: Lab) -> None:
    assert lab.options[0] == "--cap-drop=ALL"
    assert named(lab) == NEEDED
    added = ", ".join(f'"{option.removeprefix("--cap-add=")}"' for option in lab.options[1:])
    assert lab.yaml == f'securityContext:\n  capabilities:\n    drop: ["ALL"]\n    add: [{added}]\n'


def test_the_same_container_runs_with_these_alone(lab: Lab, tmp_path: Path) -> None:
    status, printed, trace = lab.run(tmp_path, "same", named(lab))
    assert (status, printed) == (0, "done\n")
    (again,) = (one for one in json.loads(lab.daemon.ctl("list", "-o", "json").stdout) if one["id"] == trace)
    assert set(again["capabilities_granted"]) == NEEDED


@pytest.mark.parametrize(
    ("missing", "call"),
    [("CAP_SYS_ADMIN", "sethostname"), ("CAP_CHOWN", "chown"), ("CAP_MKNOD", "mknod"), ("CAP_SYS_CHROOT", "chroot")],
)
def test_without_one_it_fails_and_the_trace_tells_which(lab: Lab, tmp_path: Path, missing: str, call: str) -> None:
    name = f"without-{call}"
    status, printed, trace = lab.run(tmp_path, name, named(lab) - {missing})
    assert (status != 0, printed) == (True, "")
    shown = lab.daemon.ctl("show", trace, "-Z").stdout
    assert re.search(rf"= -1 EPERM \(Operation not permitted\)  \[{missing} refused\]$", shown, re.MULTILINE)
    why = lab.daemon.ctl("why", trace).stdout
    assert f"that needs the capability {missing}, which the kernel refused" in " ".join(why.split())
    info = dict(line.split(": ", 1) for line in lab.daemon.ctl("info", trace).stdout.splitlines())
    assert info["capabilities_refused"] == missing
    assert missing not in info["capabilities_granted"].split(",")
