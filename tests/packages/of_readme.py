# SPDX-License-Identifier: Apache-2.0
"""README.md's installation commands, each typed exactly as written into a shell of a clean root."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lab import make_bundle, make_root
from lab.systemd import Systemd
from readme import hooks_by_hand, run_by
from roots import BARE, PROJECT, ROOT, Root

COPY = "/root/traceloop"
# Stands in for Fedora's packages: dnf looks for them in repositories, and finds this one.
STUB = """\
Name: neighbours
Version: 1
Release: 1
Summary: What stands in for the packages of a distribution
License: Apache-2.0
BuildArch: noarch
Provides: /bin/sh
Provides: /usr/bin/sh
Provides: /usr/bin/python3
Provides: python3 = 3.11
Provides: python3-bcc
Provides: python3-click = 8.1
Provides: python3-grpcio = 1.51
Provides: python3-lark = 1.1.5
Provides: python3-protobuf = 4.21
Provides: python3-systemd
Provides: systemd
%description
%files
"""
YES = "y\n" * 10  # answers to apt's and dnf's questions


def the_line(program):
    (line,) = [line for line in run_by("packages") if f"{program} install" in line]
    return line


@pytest.fixture
def bare():
    """A root that has what README requires, and a copy of the project."""
    with Root(BARE) as root:
        root.run(outside=(PROJECT / "packaging/source-tree.sh", f"{root.path}{COPY}"))
        root.run(outside=("cp", "/etc/resolv.conf", f"{root.path}/etc/"))
        yield root


def typed(root, line):
    return root.run("sh", "-euc", f"cd {COPY}\n{line}", input=YES)


def test_these_are_all():
    assert {line.split()[-2 if "apt" in line or "dnf" in line else 1] for line in run_by("packages")} == {"install"}
    assert {the_line(program) for program in ("apt", "dnf", "make")} == {*run_by("packages")}


def test_with_apt(bare):
    typed(bare, the_line("apt"))
    assert bare.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", "traceloop").stdout == "installed"
    assert bare.run("traceloopctl", "--help").stdout.startswith("Usage: traceloopctl")
    assert bare.run("traceloopd", "--help").stdout.startswith("usage: traceloopd")


def test_with_dnf(bare):
    bare.run("apt-get", "update")
    bare.run("apt-get", "install", "--yes", "--no-install-recommends", "createrepo-c", "dnf", "rpm", input=YES)
    bare.run("mkdir", "-p", "/srv/neighbours", "/etc/yum.repos.d")
    bare.run("tee", "/root/neighbours.spec", input=STUB)
    bare.run("rpmbuild", "-bb", "--quiet", "--define", "_rpmdir /srv/neighbours", "/root/neighbours.spec")
    bare.run("createrepo_c", "--quiet", "/srv/neighbours")
    repository = "[neighbours]\nname=neighbours\nbaseurl=file:///srv/neighbours\ngpgcheck=0\n"
    bare.run("tee", "/etc/yum.repos.d/neighbours.repo", input=repository)
    typed(bare, the_line("dnf"))
    assert bare.run("rpm", "--query", "traceloop", "neighbours").stdout.splitlines() == [
        "traceloop-0.1.0-1.x86_64",
        "neighbours-1-1.noarch",
    ]


@pytest.mark.kernel
def test_with_make_and_hooks_by_hand():
    """README's commands for other distributions install it; a container with docs/engines.md's hooks is recorded."""
    hooks = hooks_by_hand()
    with Systemd(root=ROOT) as lab:
        lab.run(PROJECT / "packaging/source-tree.sh", COPY)
        lab.run("sh", "-euc", f"cd {COPY}\n{the_line('make')}", timeout_s=300)
        assert lab.unit("traceloopd.service")["ActiveState"] == "active"
        bundle = make_bundle(
            lab.shared / "bundle",
            make_root(lab.shared / "root"),
            ["sh", "-c", "echo 42"],
            hooks=json.loads(f"{{{hooks}}}")["hooks"],
            cgroup="test-by-hand",
        )
        lab.run("runc", "--root", "/run/runc", "run", "--bundle", bundle, "by-hand")
        frozen = lab.wait_for_journal("MESSAGE_ID=a9c94cfb8f2f4f35803fcf88a53ae5e9", "CONTAINER_ID=by-hand")
        shown = lab.run("traceloopctl", "show", frozen["TRACELOOP_ID"], "-o", "strace").stdout
        assert re.search(r'write\(1, "42\\n", 3\) += 3', shown)
        assert Path(lab.path("/usr/libexec/oci/hooks.d/traceloop-hook")).is_file()
