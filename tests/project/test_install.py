# SPDX-License-Identifier: Apache-2.0
"""`make install` and `make uninstall`, below a prefix of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120
HOOK = "libexec/oci/hooks.d/traceloop-hook"


def make(prefix, *words):
    elsewhere = {"PREFIX": prefix, "SYSCONFDIR": prefix / "etc", "HOOKSDIR": prefix / "hooks.d"}
    subprocess.run(
        ["make", "--silent", *words, *(f"{name}={value}" for name, value in elsewhere.items())],
        cwd=ROOT,
        check=True,
        timeout=TIMEOUT_S,
        stdout=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    if not shutil.which("scdoc"):
        pytest.skip("needs scdoc")
    path = tmp_path_factory.mktemp("prefix")
    make(path, "install")
    return path


def test_programs_run_from_there_and_know_nothing_of_the_sources(prefix):
    for name in ("bin/traceloopctl", "sbin/traceloopd", "sbin/traceloop-ship"):
        # Not even if the user's environment points to them
        environment = {**os.environ, "PYTHONPATH": "/nonexistent", "PYTHONHOME": "/nonexistent"}
        ended = subprocess.run(
            [prefix / name, "--help"],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        assert "traceloop" in ended.stdout
        found = subprocess.run(
            ["/usr/bin/python3", "-IBv", prefix / name, "--help"], cwd="/", capture_output=True, text=True, check=True
        )
        ours = re.findall(
            r"code object from '?(\S*/traceloop_\w+/\w+\.py)|matches (\S*/traceloop_\w+/\w+\.py)", found.stderr
        )
        assert ours
        assert all("".join(path).startswith(str(prefix)) for path in ours)


def test_no_file_names_a_path_of_another_installation(prefix):
    for path in (
        *prefix.rglob("*.service"),
        *prefix.rglob("*.socket"),
        *prefix.rglob("hooks.d/*"),
        *prefix.rglob("man?/*"),
    ):
        assert not re.search(rb"/usr/(s?bin|lib|libexec/oci/hooks\.d)/traceloop", path.read_bytes()), path
    service = (prefix / "lib/systemd/system/traceloopd.service").read_text()
    assert f"ExecStart={prefix}/sbin/traceloopd\n" in service
    for path in prefix.glob("hooks.d/*.json"):
        assert json.loads(path.read_text())["hook"]["args"][3] == str(prefix / HOOK)


def test_pages_are_where_others_say(prefix):
    pages = prefix / "share/doc/traceloop"
    config = (prefix / "etc/traceloop/traceloop.toml").read_text()
    named = re.findall(rf"{prefix}/share/doc/traceloop/[a-z]+\.md", config)
    assert len(named) >= 4
    assert all(Path(page).is_file() for page in named)
    links = re.findall(r"\]\(([a-z-]+\.md)", (pages / "README.md").read_text())
    assert {"engines.md", "security.md", "troubleshooting.md"} <= set(links)
    for page in pages.glob("*.md"):
        for name in re.findall(r"\]\(([a-z-]+\.md)", page.read_text()):
            assert (pages / name).is_file(), f"{page.name}: {name}"


def test_the_hook_is_ready_to_run(prefix):
    hook = prefix / HOOK
    assert hook.stat().st_mode & 0o7777 == 0o755
    assert hook.read_bytes() == (ROOT / "build/hook/traceloop-hook").read_bytes()


def test_an_edited_configuration_is_kept_and_all_else_goes(prefix):
    config = prefix / "etc/traceloop/traceloop.toml"
    config.write_text(config.read_text() + "# mine\n")
    make(prefix, "install")
    assert config.read_text().endswith("# mine\n")
    make(prefix, "uninstall")
    assert [path for path in prefix.rglob("*") if not path.is_dir()] == [config]
    make(prefix, "install")
    config.unlink()
    make(prefix, "install")
    make(prefix, "uninstall")
    assert [path for path in prefix.rglob("*") if not path.is_dir()] == []


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """The files that root installs with a narrow umask, for another interpreter."""
    path = tmp_path_factory.mktemp("narrow")
    make(path, "hook")
    stub = tmp_path_factory.mktemp("stub") / "sync"
    stub.write_text(f'#!/bin/sh\ntest -s "$1" && echo "$1" >>{path}/synced\n')
    stub.chmod(0o755)
    elsewhere = {"SYSCONFDIR": path / "etc", "HOOKSDIR": path / "hooks.d", "PYTHON": "/opt/bin/python3.11"}
    search = f"{stub.parent}:{os.environ['PATH']}"
    environment = {"PATH": search, "PREFIX": path / "usr", "COMPILE": "no", **elsewhere}
    subprocess.run(["packaging/install.sh", "install"], cwd=ROOT, check=True, env=environment, umask=0o077)
    return path


def test_a_narrow_umask_hides_nothing_from_other_users(narrow):
    """podman fails the containers of users who may not read a directory of hooks."""
    for path in narrow.rglob("*"):
        assert path.stat().st_mode & 0o055 == (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044), path


def test_units_may_execute_the_interpreter_that_programs_name(narrow):
    for name in ("traceloopd", "traceloop-explain"):
        unit = (narrow / f"usr/lib/systemd/system/{name}.service").read_text()
        assert "/opt/bin/python3.11" in re.search(r"^ExecPaths=(.*)", unit, re.MULTILINE)[1].split()


def test_what_engines_run_is_on_disk_before_it_has_its_name(narrow):
    """A crash would leave an empty file of that name else: an engine fails containers whose runtime is empty.

    It starts none at all while a file of hooks.d is.
    """
    names = [Path(line).name for line in (narrow / "synced").read_text().splitlines()]
    assert names[:3] == ["traceloop-add-hooks.part", "traceloop-runtime.part", "traceloop-hook.part"]
    assert names[3:] == ["traceloop-poststop.json.part", "traceloop-prestart.json.part"]


def test_versions_agree():
    versions = {
        re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1],
        re.search(r"\((.*?)\)", (ROOT / "packaging/debian/changelog").read_text())[1],
        re.search(r"^Version: *(.*)", (ROOT / "packaging/traceloop.spec").read_text(), re.MULTILINE)[1],
    }
    assert len(versions) == 1


def test_every_module_of_ours_is_installed(prefix):
    make(prefix, "install")
    sources = {
        str(path.relative_to(ROOT / folder))
        for folder in ("bpf", "decode", "proto", "daemon", "cli")
        for path in (ROOT / folder / f"traceloop_{folder}").rglob("*")
        if path.suffix in {".py", ".c", ".h"}
    }
    installed = {str(path.relative_to(prefix / "lib/traceloop")) for path in (prefix / "lib/traceloop").rglob("*.*")}
    assert sources <= installed
