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
