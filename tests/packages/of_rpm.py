# SPDX-License-Identifier: Apache-2.0
"""The RPM: its contents, and its scriptlets, run in a root where no other package is an RPM."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from roots import DEB, PROJECT, Root

RPM = PROJECT / "build/rpm/RPMS/x86_64/traceloop-0.1.0-1.x86_64.rpm"
NEXT_RPM = PROJECT / "build/rpm/RPMS/x86_64/traceloop-0.1.0+next-1.x86_64.rpm"
HOOK = "/usr/libexec/oci/hooks.d/traceloop-hook"
# rpmlint 2.4 reports these for any package that is not openSUSE's: tags and folders that others do not use. The hook is
# static on purpose: see docs/decisions/engines.md.
NOT_OURS = ("no-signature", "no-packager-tag", "no-group-tag", "bad-manual-page-folder", "statically-linked-binary")
# Files that Debian puts elsewhere, or names differently
ELSEWHERE = re.compile(
    r"/usr/share/(doc|licenses|man|python3)/|\.pyc$|/__pycache__$|^/lib/systemd|/zsh/|/lintian/|^/usr/share/(licenses|python3)"
)
# Directories that other packages own on RPM-based distributions: `filesystem` and `zsh`
OTHERS = {"/usr/share/licenses", "/usr/share/zsh/site-functions"}


def query(*words):
    return subprocess.run(["rpm", "--query", "--package", *words], capture_output=True, text=True, check=True).stdout


def rpm(root, *words):
    return root.run(outside=("rpm", "--root", root.path, *words))


def test_it_holds_what_the_debian_package_holds():
    ours = set(query("--list", RPM).splitlines())
    listed = subprocess.run(["dpkg-deb", "--contents", DEB], capture_output=True, text=True, check=True).stdout
    debian = {line.split()[5].removeprefix(".") for line in listed.splitlines() if not line.startswith("d")}
    assert {path for path in debian - ours if not ELSEWHERE.search(path)} == set()
    assert {path for path in debian if path.startswith("/lib/systemd")} <= {path.removeprefix("/usr") for path in ours}
    assert query("--configfiles", RPM) == "/etc/traceloop/traceloop.toml\n"


def test_it_holds_what_install_sh_lists():
    """The RPM has exactly the files that install.sh lists, plus compiled Python and licences, which rpmbuild adds."""
    subprocess.run(["make", "--silent", "man"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    words = ["packaging/install.sh", "list"]
    environment = {"PATH": os.environ["PATH"], "PREFIX": "/usr"}
    listed = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    details = query("--queryformat", "[%{FILEMODES:perms} %{FILENAMES}\n]", RPM)
    files = [line.split()[1] for line in details.splitlines() if not line.startswith("d")]
    files = [path for path in files if not path.endswith(".pyc") and "/licenses/" not in path]
    assert sorted(re.sub(r"(/man/.*)\.gz$", r"\1", path) for path in files) == sorted(listed.stdout.split())


def test_rpmlint_finds_no_error_of_ours():
    said = subprocess.run(["rpmlint", RPM], capture_output=True, text=True, check=False).stdout
    errors = [line for line in said.splitlines() if ": E: " in line]
    assert [line for line in errors if not any(f": E: {name}" in line for name in NOT_OURS)] == []


def test_installed_upgraded_and_erased():
    with Root() as root:
        rpm(root, "--initdb")
        before = root.files()
        rpm(root, "--install", "--nodeps", RPM)
        for unit in ("traceloopd.service", "traceloopd-hook.socket"):
            assert root.run("systemctl", "is-enabled", unit).stdout == "enabled\n"  # no preset says otherwise here
        assert root.run("getent", "passwd", "traceloop").stdout
        assert root.run("head", "-c", "4", HOOK).stdout == "\x7fELF"
        assert root.run(HOOK, "start", input="{}").returncode == 0
        assert root.run("traceloopd", "--help").stdout.startswith("usage: traceloopd")
        assert root.run("traceloop-ship", "--help").stdout.startswith("usage: traceloop-ship")
        assert root.run("kubectl-traceloop", "--help").stdout.startswith("Usage: kubectl traceloop")
        assert root.run("traceloopctl", "--help").stdout.startswith("Usage: traceloopctl")
        assert rpm(root, "--verify", "--nodeps", "traceloop").stdout == ""

        root.run("sh", "-c", "echo '# mine' >>/etc/traceloop/traceloop.toml")
        rpm(root, "--upgrade", "--nodeps", NEXT_RPM)
        assert root.run("tail", "-1", "/etc/traceloop/traceloop.toml").stdout == "# mine\n"
        assert root.run("systemctl", "is-enabled", "traceloopd.service").stdout == "enabled\n"

        rpm(root, "--erase", "traceloop")
        left = {path for path in root.files() - before if not path.startswith("/var/lib/rpm/")} - OTHERS
        assert left == {"/etc/traceloop", "/etc/traceloop/traceloop.toml.rpmsave", "/var/lib/traceloop"}


def test_it_stays_while_an_engine_names_its_runtime():
    with Root() as root:
        rpm(root, "--initdb")
        rpm(root, "--install", "--nodeps", RPM)
        runtime = HOOK.rpartition("/")[0] + "/traceloop-runtime"
        root.run("mkdir", "-p", "/etc/docker")
        root.run("tee", "/etc/docker/daemon.json", input=f'{{"runtimes": {{"x": {{"path": "{runtime}"}}}}}}')
        refused = root.run(check=False, outside=("rpm", "--root", root.path, "--erase", "traceloop"))
        assert refused.returncode != 0
        assert "/etc/docker/daemon.json names traceloop-runtime" in refused.stdout + refused.stderr
        assert root.run("head", "-c", "4", HOOK).stdout == "\x7fELF"
        root.run("rm", "/etc/docker/daemon.json")
        rpm(root, "--erase", "traceloop")


@pytest.mark.skipif(not any((PROJECT / "packaging/hooks.d").glob("*.json")), reason="needs packaging/hooks.d")
def test_no_hooks_d_file_is_there_without_the_hook():
    def names(*words):
        log = PROJECT / "build/strace-rpm"
        strace = ("strace", "-f", "-o", log, "-e", "trace=rename,renameat,renameat2,unlink,unlinkat", "-z")
        root.run(outside=(*strace, "rpm", "--root", root.path, *words))
        lines = [line for line in log.read_text().splitlines() if re.search(r"traceloop-(hook|\w+\.json)\b", line)]
        log.unlink()
        return lines

    def last_names(lines):
        return [re.findall(r'"[^"]*/?(traceloop-hook|traceloop-\w+\.json)[^"/]*"', line)[-1] for line in lines]

    with Root() as root:
        rpm(root, "--initdb")
        for words in (("--install", RPM), ("--upgrade", NEXT_RPM)):
            lines = names(words[0], "--nodeps", words[1])
            found = last_names(lines)
            assert found[0] == "traceloop-hook"
            assert set(found) == {"traceloop-hook", "traceloop-prestart.json", "traceloop-poststop.json"}
            assert not any("unlink" in line for line in lines)
        assert last_names(names("--erase", "traceloop"))[-1] == "traceloop-hook"
