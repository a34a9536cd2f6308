# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""`traceloopctl engine` with podman and CRI-O: files in hooks.d, also a package's, and the settings that mask them."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest
from engine_host import HOOK, HOOKS_D, OUR_FILES, PACKAGED, Made, host

from traceloop_cli.engines import hooksd
from traceloop_cli.findings import Level


@pytest.mark.parametrize("name", ["podman", "crio"])
def test_hooks_d(host, name) -> None:
    host.program(name)
    before = host.files()
    host("enable", name)
    assert sorted(host.files().keys() - before.keys() - {f"etc/traceloop/engines/{name}.json"}) == OUR_FILES
    for path in OUR_FILES:
        data = (host.root / path).read_bytes()
        assert hooksd.problem(data) is None
        assert json.loads(data) == json.loads((PACKAGED / Path(path).name).read_text())
    assert {finding.level for finding in host.findings()} == {Level.OK}
    assert host("list").splitlines()[1].split()[0::2] == [name, "yes"]
    host("disable", name)
    assert host.files() == before


def test_files_of_a_package_are_as_good_as_ours(host) -> None:
    host.program("podman")
    for name in hooksd.FILES:
        host.write(f"{HOOKS_D}/{name}", (PACKAGED / name).read_text())
    assert host("enable", "podman") == "nothing to change\n"
    assert {finding.level for finding in host.findings()} == {Level.OK}


def unguarded(name: str) -> str:
    """Returns a file as earlier versions wrote it, with which the engine runs the hook directly."""
    value = json.loads((PACKAGED / name).read_text())
    hook, stage = value["hook"]["args"][3:]
    return json.dumps({**value, "hook": {"path": hook, "args": ["traceloop-hook", stage]}})


def test_files_of_an_earlier_version_are_known_and_brought_up_to_date(host) -> None:
    host.program("podman")
    for name in hooksd.FILES:
        host.write(f"{HOOKS_D}/{name}", unguarded(name))
    before = host.files()
    assert {finding.level for finding in host.findings()} == {Level.OK}
    host("enable", "podman")
    for name in hooksd.FILES:
        assert json.loads((host.root / HOOKS_D / name).read_text()) == json.loads((PACKAGED / name).read_text())
    host("disable", "podman")
    assert {path: host.files().get(path) for path in before} == before


def test_two_engines_share_their_files(host) -> None:
    host.program("podman")
    host.program("crio")
    before = host.files()
    host("enable", "podman")
    host("enable", "crio")
    assert "stays: crio uses it too" in host("disable", "podman")
    assert set(OUR_FILES) <= host.files().keys()
    assert wired(host) == {"podman": "no", "crio": "yes"}
    host("disable", "crio")
    host("disable", "podman", "--uninstall")
    assert host.files() == before


def wired(host) -> dict[str, str]:
    return {line.split()[0]: line.split()[2] for line in host("list").splitlines()[1:]}


MASKS = {
    "podman": ("etc/containers/containers.conf.d/zz-traceloop-off.conf", "engine"),
    "crio": ("etc/crio/crio.conf.d/zz-traceloop-off.conf", "crio.runtime"),
}


@pytest.fixture(params=["podman", "crio"])
def packaged(host, request) -> tuple[Made, str]:
    """A host with two engines that both follow a package's files, and the name of one of them."""
    for name in MASKS:
        host.program(name)
    for name in hooksd.FILES:
        host.write(f"{HOOKS_D}/{name}", (PACKAGED / name).read_text())
    (host.root / "etc").mkdir()
    return host, request.param


def test_a_packages_files_are_masked_for_one_engine_and_stay(packaged) -> None:
    host, name = packaged
    before, directories = host.files(), {path for path in host.root.rglob("*") if path.is_dir()}
    output = host("disable", name)
    assert f"+++ b/{MASKS[name][0]}\n" in output
    assert ("now run: systemctl restart crio\n" in output) == (name == "crio")
    assert host.files().items() >= before.items()
    assert wired(host) == {other: "no" if other == name else "yes" for other in MASKS}
    (off,) = [finding for finding in host.findings() if finding.area == name]
    assert (off.level, off.remedy) == (Level.WARNING, f"traceloopctl engine enable {name}")
    assert host("disable", name) == "nothing to change\n"

    host("enable", name)
    assert wired(host) == dict.fromkeys(MASKS, "yes")
    host("disable", name)
    host("disable", name, "--uninstall")
    assert host.files() == before
    assert {path for path in host.root.rglob("*") if path.is_dir()} == directories


def test_a_mask_stands_behind_all_directories_and_is_seen_by_all_users(packaged) -> None:
    host, name = packaged
    path, table = MASKS[name]
    theirs = host.write(f"{Path(path).parent}/10-mine.conf", f'[{table}]\nhooks_dir = ["/{HOOKS_D}", "/ä"]\n')
    umask = os.umask(0o077)
    try:
        host("disable", name)
    finally:
        os.umask(umask)
    masks = host.root / f"etc/containers/oci/traceloop-off-{name}.d"
    value = tomllib.loads((host.root / path).read_text())
    for part in table.split("."):
        value = value[part]
    assert value["hooks_dir"] == [f"/{HOOKS_D}", "/ä", f"/{masks.relative_to(host.root)}"]
    for file in (masks, *masks.iterdir(), host.root / path):
        assert file.stat().st_mode & 0o055 == (0o055 if file.is_dir() else 0o044)
    for file in masks.iterdir():
        value = json.loads(file.read_text())
        assert (hooksd.problem(file.read_bytes()), value["when"]) == (None, {"always": False})
        assert (host.root / value["hook"]["path"].lstrip("/")).is_file()  # else it would be skipped, and mask nothing
    host("enable", name)
    assert not masks.exists()
    assert theirs.is_file()


def test_a_mask_that_would_not_count_is_not_made(packaged) -> None:
    host, name = packaged
    path, table = MASKS[name]
    host.write(f"{Path(path).parent}/zzz.conf", f'[{table}]\nhooks_dir = ["/{HOOKS_D}"]\n')
    before = host.files()
    assert "a later file of" in host("disable", name, fails=True)
    assert host.files() == before


@pytest.mark.parametrize(
    ("name", "path", "text", "place"),
    [
        ("podman", "etc/containers/containers.conf", '[engine]\nhooks_dir = ["/a", "/b"]', "b"),
        (
            "podman",
            "etc/containers/containers.conf",
            '[engine]\nhooks_dir = ["/usr/share/containers/oci/hooks.d", "/b"]',
            HOOKS_D,
        ),
        ("podman", "etc/containers/containers.conf.d/1.conf", '[engine]\nhooks_dir = ["/etc/h"]', "etc/h"),
        ("crio", "etc/crio/crio.conf", '[crio.runtime]\nhooks_dir = ["/etc/h"]', "etc/h"),
        ("crio", "etc/crio/crio.conf.d/10-x.conf", '[crio.runtime]\nhooks_dir = ["/x", "/etc/h"]', "etc/h"),
        ("crio", "etc/crio/crio.conf", '[crio]\nroot = "/x"', HOOKS_D),
    ],
)
def test_a_directory_that_the_configuration_names(host, name, path, text, place) -> None:
    host.program(name)
    host.write("etc/containers/containers.conf", '[engine]\nhooks_dir = ["/first"]') if path.endswith(
        "1.conf"
    ) else None
    host.write(path, text)
    host("enable", name)
    assert (host.root / place / "traceloop-prestart.json").is_file()


@pytest.mark.parametrize(
    "text", ["[engine", '[engine]\nhooks_dir = "x"', "[engine]\nhooks_dir = []", '[engine]\nhooks_dir = ["x"]']
)
def test_a_configuration_that_is_broken(host, text) -> None:
    host.program("podman")
    host.write("etc/containers/containers.conf", text)
    assert "hooks_dir" in (message := host("enable", "podman", fails=True)) or "is not TOML" in message
    assert "\n" not in message


def test_what_would_stop_containers_is_found(host) -> None:
    host.program("podman")
    host("enable", "podman")
    host.write(f"{HOOKS_D}/broken.json", "{")
    (host.root / HOOK).unlink()
    found = {(finding.level, finding.what.partition(":")[0]) for finding in host.findings()}
    assert (Level.ERROR, f"/{HOOKS_D}/broken.json is not a hook of schema 1.0.0") in found
    skipped = [finding for finding in host.findings() if "which does not exist" in finding.what]
    assert [finding.level for finding in skipped] == [Level.WARNING] * 2
    assert all(finding.why and finding.remedy for finding in host.findings())
