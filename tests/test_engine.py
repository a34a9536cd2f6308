# SPDX-License-Identifier: Apache-2.0
"""`traceloopctl engine` on hosts that tests make: what it changes, shows, keeps and undoes. No engine is needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from traceloop_cli.engine import command
from traceloop_cli.engines import dockerd, findings, hooksd
from traceloop_cli.engines.cri import base_runtime_specs
from traceloop_cli.engines.host import Host
from traceloop_cli.errors import CliError, Failed
from traceloop_cli.findings import Finding, Level

HOOK = "usr/libexec/oci/hooks.d/traceloop-hook"
HOOKS_D = "usr/share/containers/oci/hooks.d"
OUR_FILES = [f"{HOOKS_D}/traceloop-poststop.json", f"{HOOKS_D}/traceloop-prestart.json"]
PACKAGED = Path(__file__).parents[1] / "packaging/hooks.d"
VERSIONS = {  # as these programs say it
    "podman": "podman version 4.3.1",
    "crio": "crio version 1.29.1\nVersion:        1.29.1\nGoVersion:      go1.21.1",
    "dockerd": "Docker version 20.10.24+dfsg1, build 5d6db84",
    "nerdctl": "nerdctl version 1.7.6",
    "ctr": "ctr github.com/containerd/containerd 1.6.20~ds1",
}


@dataclass
class Made:
    """A host below a directory, with our hook and wrapper in it."""

    root: Path

    def write(self, path: str, content: str, mode: int = 0o644) -> Path:
        made = self.root / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(content)
        made.chmod(mode)
        return made

    def program(self, name: str) -> None:
        self.write(f"usr/bin/{name}", f"#!/bin/sh\ncat <<'END'\n{VERSIONS[name]}\nEND\n", 0o755)

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.root)): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file()}

    def __call__(self, *words: str, fails: bool = False) -> str:
        """Runs a verb; its output, or the message of its failure."""
        result = CliRunner().invoke(command, [*words, "--root", str(self.root)])
        if fails:
            assert isinstance(result.exception, CliError), result.output
            return str(result.exception)
        assert result.exception is None, result.output + repr(result.exception)
        return result.output

    def findings(self) -> list[Finding]:
        return [*findings(Host(self.root))]


@pytest.fixture
def host(tmp_path) -> Made:
    made = Made(tmp_path / "host")
    for name in ("traceloop-hook", "traceloop-runtime"):
        made.write(f"{HOOK.rpartition('/')[0]}/{name}", "#!/bin/sh\n", 0o755)
    return made


# -- any engine: docker stands for those that have a file of their own to be changed

DAEMON_JSON = '{\n\t"data-root": "/srv/docker",\n\t"log-opts": {"max-size": "10m"}\n}\n'


@pytest.fixture
def docker(host) -> Made:
    host.program("dockerd")
    host.write("etc/docker/daemon.json", DAEMON_JSON, 0o600)
    return host


def test_enabling_shows_the_change_and_makes_it(docker) -> None:
    output = docker("enable", "docker")
    assert "+++ b/etc/docker/daemon.json\n" in output
    assert '+\t"runtimes": {\n' in output
    assert "now run: systemctl reload docker\n" in output
    config = json.loads((docker.root / "etc/docker/daemon.json").read_text())
    wrapper = "/usr/libexec/oci/hooks.d/traceloop-runtime"
    assert config == {**json.loads(DAEMON_JSON), "runtimes": {"traceloop": {"path": wrapper}}}
    assert [(finding.area, finding.level) for finding in docker.findings()] == [("docker", Level.BY_FLAG)]


def test_a_dry_run_shows_the_same_and_changes_nothing(docker) -> None:
    before = docker.files()
    shown = docker("enable", "docker", "--dry-run")
    assert docker.files() == before
    assert docker("enable", "docker").startswith(shown)


def test_disabling_gives_back_every_byte_and_leaves_nothing(docker) -> None:
    before, directories = docker.files(), {path for path in docker.root.rglob("*") if path.is_dir()}
    docker("enable", "docker", "--default")
    assert docker.files() != before
    output = docker("disable", "docker")
    assert "--- a/etc/docker/daemon.json\n" in output
    assert "now run: systemctl restart docker  (no reload" in output
    assert docker.files() == before
    assert {path for path in docker.root.rglob("*") if path.is_dir()} == directories
    assert docker("disable", "docker") == "nothing to change\n"


def test_a_file_that_was_not_there_goes(host) -> None:
    host.program("dockerd")
    (host.root / "etc").mkdir()
    before = host.files()
    host("enable", "docker")
    assert stat.S_IMODE((host.root / "etc/docker/daemon.json").stat().st_mode) == 0o644
    host("disable", "docker")
    assert host.files() == before
    assert [*(host.root / "etc").iterdir()] == []


def test_twice_is_once(docker) -> None:
    before = docker.files()
    docker("enable", "docker")
    enabled = docker.files()
    assert docker("enable", "docker").startswith("nothing to change\n")
    assert docker.files() == enabled
    docker("enable", "docker", "--default")
    docker("disable", "docker")
    assert docker.files() == before


def test_mode_and_owner_stay(docker) -> None:
    config = docker.root / "etc/docker/daemon.json"
    if os.geteuid() == 0:
        os.chown(config, 12, 34)
    before = config.stat()
    for verb in ("enable", "disable"):
        docker(verb, "docker")
        after = config.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_what_a_link_leads_to_is_changed(docker) -> None:
    config = docker.root / "etc/docker/daemon.json"
    target = config.rename(docker.root / "daemon.json")
    config.symlink_to("../../daemon.json")
    docker("enable", "docker")
    assert config.is_symlink()
    assert "traceloop" in target.read_text()


def test_what_others_changed_since_stays(docker) -> None:
    docker("enable", "docker", "--default")
    config = docker.root / "etc/docker/daemon.json"
    config.write_text(config.read_text().replace("10m", "20m"))
    docker("disable", "docker")
    assert config.read_text() == DAEMON_JSON.replace("10m", "20m")


def test_an_engine_that_is_enabled_again_after_others_changed_it_is_undone_to_theirs(docker) -> None:
    docker("enable", "docker")
    config = docker.root / "etc/docker/daemon.json"
    config.write_text(config.read_text().replace("10m", "20m"))
    docker("enable", "docker", "--default")
    docker("disable", "docker")
    assert config.read_text() == DAEMON_JSON.replace("10m", "20m")


def test_what_was_interrupted_is_undone(docker) -> None:
    before = docker.files()
    docker("enable", "docker")
    (docker.root / "etc/docker/daemon.json").write_text(DAEMON_JSON)  # as if it had not come so far
    docker("disable", "docker")
    assert docker.files() == before


def test_a_damaged_record_is_told(docker) -> None:
    docker("enable", "docker")
    docker.write("etc/traceloop/engines/docker.json", "{")
    assert re.match(r"/etc/traceloop/engines/docker.json is damaged", docker("disable", "docker", fails=True))


def test_without_the_hook_nothing_is_enabled(docker) -> None:
    (docker.root / HOOK).unlink()
    before = docker.files()
    assert "there is no hook to be run at /usr/libexec" in docker("enable", "docker", fails=True)
    assert docker.files() == before


def test_the_status_of_engines_that_are_not_there(host) -> None:
    hint = "`traceloopctl engine list` shows what is"
    assert host("status", "crio", fails=True) == f"crio is not installed here: {hint}"
    assert host("status", "crio", "docker", fails=True) == f"crio and docker are not installed here: {hint}"


def test_an_engine_that_is_not_there(host) -> None:
    for name in ("podman", "crio", "containerd", "docker", "nerdctl", "ctr"):
        assert f"{name} is not installed here" in host("enable", name, fails=True)
    assert host("status") == "no container engine is installed here\n"


@pytest.mark.kernel
def test_on_a_read_only_system_one_line_says_why(docker) -> None:
    script = 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; exec "$2" engine enable docker --root "$1"'
    ctl = Path(sys.executable).with_name("traceloopctl")
    command_line = ["unshare", "-m", "--propagation", "private", "sh", "-ec", script, "sh", str(docker.root), str(ctl)]
    ended = subprocess.run(command_line, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert re.fullmatch(r"traceloopctl: cannot (make|write) .*: Read-only file system.*\n", ended.stderr)


# -- docker


def test_all_of_dockers_containers(docker) -> None:
    docker("enable", "docker", "--default", "--socket", "/run/x/hook.sock")
    config = json.loads((docker.root / "etc/docker/daemon.json").read_text())
    assert config["default-runtime"] == "traceloop"
    assert config["runtimes"]["traceloop"]["runtimeArgs"] == ["--traceloop-socket=/run/x/hook.sock"]
    assert [finding.level for finding in docker.findings()] == [Level.OK]


def test_a_default_runtime_that_is_not_runc_is_run_by_ours(host) -> None:
    host.program("dockerd")
    theirs = {"runtimes": {"nvidia": {"path": "/usr/bin/nvidia"}}, "default-runtime": "nvidia"}
    config = host.write("etc/docker/daemon.json", json.dumps(theirs))
    host("enable", "docker", "--default")
    changed = json.loads(config.read_text())
    assert changed["default-runtime"] == "traceloop"
    assert changed["runtimes"]["traceloop"]["runtimeArgs"] == ["--traceloop-runtime=/usr/bin/nvidia"]
    assert host("enable", "docker", "--default").startswith("nothing to change")
    config.write_text(json.dumps({**changed, "debug": True}))
    host("disable", "docker")
    assert json.loads(config.read_text()) == {**theirs, "debug": True}


@pytest.mark.parametrize("text", ["{", "[]", '{"runtimes": 5}', "\x00"])
def test_a_daemon_json_that_dockerd_could_not_read(host, text) -> None:
    host.program("dockerd")
    config = host.write("etc/docker/daemon.json", text)
    assert host("enable", "docker", fails=True).startswith("/etc/docker/daemon.json is not ")
    assert config.read_text() == text
    assert [finding.level for finding in host.findings()] == [Level.WARNING]


def test_runtimes_on_dockerds_command_line(docker) -> None:
    docker.write("etc/systemd/system/docker.service.d/x.conf", "[Service]\nExecStart=dockerd --default-runtime=crun\n")
    assert "has --default-runtime: dockerd takes" in docker("enable", "docker", fails=True)


# -- podman, CRI-O


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
    """Two engines and the files of a package, which both follow. The name is one's."""
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
        assert (host.root / value["hook"]["path"].lstrip("/")).is_file()  # or it would be passed over, and mask nothing
    host("enable", name)
    assert not masks.exists()
    assert theirs.is_file()


def test_a_mask_that_would_not_count_is_not_made(packaged) -> None:
    host, name = packaged
    path, table = MASKS[name]
    host.write(f"{Path(path).parent}/zzz.conf", f'[{table}]\nhooks_dir = ["/{HOOKS_D}"]\n')
    before = host.files()
    assert "another file of" in host("disable", name, fails=True)
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
    assert (Level.ERROR, f"/{HOOKS_D}/broken.json is no hook of schema 1.0.0") in found
    skipped = [finding for finding in host.findings() if "which is not there" in finding.what]
    assert [finding.level for finding in skipped] == [Level.WARNING] * 2
    assert all(finding.why and finding.remedy for finding in host.findings())


# -- nerdctl, ctr


def test_engines_without_settings_say_which_flag(host) -> None:
    host.program("nerdctl")
    host.program("ctr")
    assert "nerdctl run --runtime /usr/libexec/oci/hooks.d/traceloop-runtime" in host("enable", "nerdctl", fails=True)
    assert "ctr run --runc-binary /usr/libexec" in host("enable", "ctr", fails=True)
    assert [line.split()[0::2] for line in host("list").splitlines()[1:]] == [["nerdctl", "by"], ["ctr", "by"]]


# -- containerd: its own program is the judge, on configurations that tests make

CRI = 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "x"\n'
RUNC = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n'


@pytest.fixture
def containerd(host) -> Made:
    (host.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    for name in ("containerd", "ctr"):
        (host.root / "usr/bin" / name).symlink_to(shutil.which(name))
    return host


REFUSED = {
    "[plugins": "unclosed table key",
    'version = 1\n[plugins.cri]\n  sandbox_image = "x"\n': "is of version 1",
    'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n': "the CRI plugin is disabled",
    'disabled_plugins = ["cri"]\n': "the CRI plugin is disabled",
    'version = 2\nplugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.runtime_type = "io.containerd.runc.v2"\n': "cannot add",
    f'{CRI}{RUNC}  base_runtime_spec = "/nonexistent"\n': "is not there",
    f'{CRI}{RUNC}  base_runtime_spec = "/etc/containerd/config.toml"\n': "is not JSON",
    f"{CRI}{RUNC.replace('runc.v2', 'other.v2')}": "has no runtime of the types",
}


@pytest.mark.engine("containerd")
@pytest.mark.parametrize("text", REFUSED)
def test_what_containerd_cannot_be_told_is_refused_and_nothing_changed(containerd, text) -> None:
    containerd.write("etc/containerd/config.toml", text)
    before = containerd.files()
    message = containerd("enable", "containerd", fails=True)
    assert REFUSED[text] in message
    assert "\n" not in message
    assert containerd.files() == before


@pytest.mark.engine("containerd")
def test_of_a_configuration_that_was_changed_since_ours_alone_goes(containerd) -> None:
    config = containerd.write("etc/containerd/config.toml", CRI + RUNC)
    before = containerd.files()
    containerd("enable", "containerd")
    config.write_text(config.read_text().replace('sandbox_image = "x"', 'sandbox_image = "y"'))
    containerd("disable", "containerd")
    assert containerd.files() == {**before, "etc/containerd/config.toml": (CRI + RUNC).replace('"x"', '"y"').encode()}


@pytest.mark.engine("containerd")
def test_a_hook_that_someone_wired_by_hand_is_not_run_twice(containerd) -> None:
    theirs = {"process": {}, "hooks": {"prestart": [{"path": "/opt/traceloop-hook"}, {"path": "/bin/other"}]}}
    containerd.write("etc/containerd/theirs.json", json.dumps(theirs))
    containerd.write("etc/containerd/config.toml", f'{CRI}{RUNC}  base_runtime_spec = "/etc/containerd/theirs.json"\n')
    containerd("enable", "containerd")
    made = json.loads((containerd.root / "etc/containerd/traceloop-runc.json").read_text())
    assert [hook["path"] for hook in made["hooks"]["prestart"]] == ["/bin/other", "/bin/sh"]
    assert (containerd.root / "etc/containerd/theirs.json").read_text() == json.dumps(theirs)


# -- a dockerd that is to be asked


def listening(path: Path, answer: bytes) -> socket.socket:
    """Takes one connection in a thread, and answers so."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 500 no\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n{}", b"ssh-2\r\n\r\n"])
def test_an_answer_that_is_not_dockerds_is_said_to_be_none(tmp_path, answer) -> None:
    with listening(tmp_path / "x.sock", answer), pytest.raises(Failed, match="does not say which runtimes"):
        dockerd.ask(Host(tmp_path), ["tcp://localhost:1", "unix:///x.sock"])


def test_a_dockerd_that_is_not_there(tmp_path) -> None:
    assert dockerd.ask(Host(tmp_path), None) is None
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "x.sock"))
    assert dockerd.ask(Host(tmp_path), ["unix:///x.sock"]) is None


def test_a_containerd_that_is_not_there(tmp_path) -> None:
    assert base_runtime_specs(tmp_path / "x.sock") is None


@pytest.fixture
def nobody(tmp_path) -> Iterator[Path]:
    """The path of a socket that is root's alone, for a test that is run by another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can be someone else")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "x.sock"))
        listener.listen()
        os.seteuid(65534)
        try:
            yield tmp_path / "x.sock"
        finally:
            os.seteuid(0)


def test_others_than_root_may_not_ask(nobody) -> None:
    with pytest.raises(PermissionError):
        dockerd.ask(Host(nobody.parent), ["unix:///x.sock"])
    with pytest.raises(PermissionError):
        base_runtime_specs(nobody)
