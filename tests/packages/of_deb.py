# SPDX-License-Identifier: Apache-2.0
"""The Debian package: installed, used, upgraded, removed and purged, with a real systemd and without one."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from lab import hooks, make_bundle, make_root, pod_annotations
from lab.systemd import Systemd
from roots import DEB, NEXT_DEB, PROJECT, ROOT, Root, files

SERVICE, SOCKET = "traceloopd.service", "traceloopd-hook.socket"
HOOK = "/usr/libexec/oci/hooks.d/traceloop-hook"
FIRST_LINES = {
    "/usr/libexec/oci/hooks.d/traceloop-add-hooks": "#!/usr/bin/python3 -IS",
    "/usr/libexec/oci/hooks.d/traceloop-runtime": "#!/bin/sh",
}
TRACE_FROZEN = "a9c94cfb8f2f4f35803fcf88a53ae5e9"


def contents(deb):
    listed = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True)
    return [line.split()[5].removeprefix(".") for line in listed.stdout.splitlines()]


def test_lintian_has_neither_errors_nor_warnings():
    changes = DEB.with_suffix(".changes")
    said = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error,warning", changes], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, "")


def test_hooks_keep_their_first_line():
    with Root() as root:
        root.run("dpkg", "--unpack", DEB)
        for path, first in FIRST_LINES.items():
            assert root.run("head", "-1", path).stdout == f"{first}\n"
            assert root.run("stat", "-c", "%a %U", path).stdout == "755 root\n"
        assert root.run("stat", "-c", "%a %U", HOOK).stdout == "755 root\n"
        headers = root.run(outside=("readelf", "-lSW", f"{root.path}{HOOK}")).stdout
        assert "GNU_RELRO" in headers
        assert "INTERP" not in headers
        assert ".symtab" not in headers  # dh_strip


def test_without_a_systemd_that_runs():
    with Root() as root:
        before = root.files()
        root.run("dpkg", "--install", DEB)
        for unit in (SERVICE, SOCKET):
            assert root.run("systemctl", "is-enabled", unit).stdout == "enabled\n"
        assert root.run("getent", "passwd", "traceloop").stdout.endswith(":/var/lib/traceloop:/usr/sbin/nologin\n")
        assert root.run("traceloopd", "--help").stdout.startswith("usage: traceloopd")
        assert root.run("traceloop-ship", "--help").stdout.startswith("usage: traceloop-ship")
        assert root.run("kubectl-traceloop", "--help").stdout.startswith("Usage: kubectl traceloop")
        assert root.run("traceloopctl", check=False).returncode == 3  # no daemon
        assert root.run(HOOK, "start", input="{}").returncode == 0
        compiled = root.run("find", "/usr/lib/traceloop", "-name", "*.pyc").stdout.splitlines()
        assert len(compiled) == sum(path.endswith(".py") for path in contents(DEB))

        root.run("dpkg", "--install", NEXT_DEB)
        root.run("dpkg", "--remove", "traceloop")
        left = root.files() - before
        assert all(path.startswith(("/etc/", "/var/lib/traceloop")) for path in left), left
        root.run("dpkg", "--purge", "traceloop")
        assert root.files() == before


def test_manual_pages_and_completion_are_where_they_are_looked_for():
    with Root() as root:
        root.run("dpkg", "--install", DEB)
        for page in [path for path in contents(DEB) if "/man/man" in path and path.endswith(".gz")]:
            name, section = Path(page).name.removesuffix(".gz").rsplit(".", 1)
            assert root.run("man", "--where", section, name).stdout == f"{page}\n"
        load = ". /usr/share/bash-completion/bash_completion; _completion_loader traceloopctl; complete -p traceloopctl"
        assert root.run("bash", "-c", load, check=False).stdout.endswith("-F _traceloopctl traceloopctl\n")
        load = "autoload -U compinit; compinit -u -D; print $_comps[traceloopctl]"
        assert root.run("zsh", "-f", "-c", load).stdout == "_traceloopctl\n"
        offered = root.run("fish", "-c", "complete --do-complete 'traceloopctl sh'").stdout
        assert offered.startswith("show\t")


def changes_of_names(root, *words):
    """Returns what a command does to the names of the hook and its hooks.d files, in order."""
    log = f"{PROJECT}/build/strace-{words[1].strip('-')}"
    root.run(*words, outside=("strace", "-f", "-o", log, "-e", "trace=rename,unlink,rmdir", "-e", "status=successful"))
    lines = [line.split(" ", 1)[1] for line in Path(log).read_text().splitlines() if "oci/hooks.d/" in line]
    Path(log).unlink()
    return lines


@pytest.mark.skipif(not any((PROJECT / "packaging/hooks.d").glob("*.json")), reason="needs packaging/hooks.d")
def test_no_hooks_d_file_is_there_without_the_hook():
    def first(lines, pattern):
        return next(n for n, line in enumerate(lines) if re.search(pattern, line))

    with Root() as root:
        for deb in (DEB, NEXT_DEB):
            lines = changes_of_names(root, "dpkg", "--install", deb)
            hook = first(lines, r'rename.*traceloop-hook\.dpkg-new"')
            assert hook < first(lines, r'rename.*\.json\.dpkg-new"')
            # Each file is replaced atomically, and never missing in between.
            assert not any(re.search(r'unlink\("[^"]*(traceloop-hook|\.json)"', line) for line in lines)
        lines = changes_of_names(root, "dpkg", "--remove", "traceloop")
        gone = [n for n, line in enumerate(lines) if re.search(r'unlink\("[^"]*\.json"', line)]
        assert len(gone) == 2
        assert max(gone) < first(lines, r'unlink\("[^"]*traceloop-hook"')


# --- with a systemd -------------------------------------------------------------------------------------------------


@pytest.fixture
def lab():
    with Systemd(root=ROOT) as lab:
        yield lab


def traces(lab):
    return json.loads(lab.run("traceloopctl", "list", "-o", "json").stdout)


def run_container(lab, name, script):
    """Runs a container to its end with the installed hook; returns its trace in strace's format."""
    bundle = make_bundle(
        lab.shared / name,
        lab.shared / "root",
        ["sh", "-c", script],
        hooks=hooks("/run/traceloop/hook.sock", hook=Path(HOOK)),
        annotations=pod_annotations(name),
        cgroup=f"test-{name}",
    )
    lab.run("runc", "--root", "/run/runc", "run", "--bundle", bundle, name)
    frozen = lab.wait_for_journal(f"POD={name}", f"MESSAGE_ID={TRACE_FROZEN}")
    return lab.run("traceloopctl", "show", frozen["TRACELOOP_ID"], "-o", "strace").stdout


@pytest.mark.kernel
def test_installed_used_upgraded_and_purged(lab):
    make_root(lab.shared / "root")
    before = files(lab)
    lab.run("dpkg", "--install", DEB, timeout_s=300)
    for unit in (SERVICE, SOCKET):
        assert lab.run("systemctl", "is-enabled", unit).stdout == "enabled\n"
        assert lab.unit(unit)["ActiveState"] == "active"
    assert 'write(1, "42\\n", 3)' in run_container(lab, "first", "echo 42")

    # A container that runs during the upgrade is recorded throughout; the hook's socket stays.
    lab.run("mkdir", "/sys/fs/cgroup/lasting")
    lab.run("traceloopctl", "add", "--cgroup", "/sys/fs/cgroup/lasting", "--name", "lasting")
    socket = lab.run("stat", "-c", "%i", "/run/traceloop/hook.sock").stdout
    daemon = lab.unit(SERVICE)["MainPID"]
    join = (
        "echo $$ >/sys/fs/cgroup/lasting/cgroup.procs; echo; read -r _; echo before >/dev/null; read -r _; echo after"
    )
    with lab.start("sh", "-c", join) as process:
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        lab.run("dpkg", "--install", NEXT_DEB, timeout_s=300)
        assert lab.unit(SERVICE)["MainPID"] != daemon
        assert lab.run("stat", "-c", "%i", "/run/traceloop/hook.sock").stdout == socket
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "after\n"
    (lasting,) = [trace["id"] for trace in traces(lab) if "lasting" in trace["id"]]
    text = lab.run("traceloopctl", "show", lasting, "-o", "strace").stdout
    assert text.index('write(1, "before\\n", 7)') < text.index('write(1, "after\\n", 6)')
    assert 'write(1, "43\\n", 3)' in run_container(lab, "second", "echo 43")
    lab.run("rmdir", "/sys/fs/cgroup/lasting")

    lab.run("dpkg", "--remove", "traceloop", timeout_s=300)
    for unit in (SERVICE, SOCKET):
        assert lab.unit(unit)["LoadState"] == "not-found"
    assert lab.run("pgrep", "traceloopd", check=False).stdout == ""
    lab.run("dpkg", "--purge", "traceloop", timeout_s=300)
    assert files(lab) == before
    assert lab.run("find", "/run", "-name", "*traceloop*").stdout == ""
    locked = lab.run("getent", "shadow", "traceloop").stdout
    assert locked.split(":")[1].startswith("!")
