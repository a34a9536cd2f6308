# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""`traceloopctl engine` on hosts that tests make: what it changes, shows, keeps and undoes. Needs no engine."""

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
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_host import HOOK, Made, host

from traceloop_cli.engines import dockerd, guard
from traceloop_cli.engines.cri import base_runtime_specs
from traceloop_cli.engines.host import Host
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Level

# -- any engine: docker stands for engines whose own configuration file is changed

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
    (docker.root / "etc/docker/daemon.json").write_text(DAEMON_JSON)  # as if interrupted before this
    docker("disable", "docker")
    assert docker.files() == before


def test_a_damaged_record_is_told(docker) -> None:
    docker("enable", "docker")
    docker.write("etc/traceloop/engines/docker.json", "{")
    assert re.match(r"/etc/traceloop/engines/docker.json is damaged", docker("disable", "docker", fails=True))


def test_without_the_hook_nothing_is_enabled(docker) -> None:
    (docker.root / HOOK).unlink()
    before = docker.files()
    assert "there is no executable hook at /usr/libexec" in docker("enable", "docker", fails=True)
    assert docker.files() == before


def test_the_status_of_engines_that_are_not_there(host) -> None:
    hint = "`traceloopctl engine list` shows what is"
    assert host("status", "crio", fails=True) == f"crio is not installed here: {hint}"
    assert host("status", "crio", "docker", fails=True) == f"crio and docker are not installed here: {hint}"


@pytest.mark.parametrize("output", ["", "x", r"version\377\n", r"version \033[2J\n", r"a\nb version\n"])
def test_engines_that_say_odd_things_of_their_version(host, output) -> None:
    for name in ("podman", "crio", "dockerd", "nerdctl", "ctr", "containerd"):
        host.write(f"usr/bin/{name}", f"#!/bin/sh\nprintf '{output}'\n", 0o755)
    lines = host("list").splitlines()
    assert [line.split()[0] for line in lines[1:7]] == ["podman", "crio", "containerd", "docker", "nerdctl", "ctr"]
    assert "".join(lines).isprintable()
    assert {one.area for one in host.findings()} >= {"podman", "crio", "docker", "nerdctl", "ctr"}


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
    assert re.fullmatch(r"traceloopctl: cannot (create|write) .*: Read-only file system.*\n", ended.stderr)


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
    assert "has --default-runtime: dockerd accepts" in docker("enable", "docker", fails=True)


# -- nerdctl, ctr


def test_engines_without_settings_say_which_flag(host) -> None:
    host.program("nerdctl")
    host.program("ctr")
    assert "nerdctl run --runtime /usr/libexec/oci/hooks.d/traceloop-runtime" in host("enable", "nerdctl", fails=True)
    assert "ctr run --runc-binary /usr/libexec" in host("enable", "ctr", fails=True)
    assert [line.split()[0::2] for line in host("list").splitlines()[1:]] == [["nerdctl", "by"], ["ctr", "by"]]


# -- containerd: its own program checks configurations that tests make

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
    'version = 1\n[plugins.cri]\n  sandbox_image = "x"\n': "has the unsupported version 1",
    'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n': "the CRI plugin is disabled",
    'disabled_plugins = ["cri"]\n': "the CRI plugin is disabled",
    'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd]\n'
    '  runtimes = { runc = { runtime_type = "io.containerd.runc.v2" } }\n': "cannot add",
    f'{CRI}{RUNC}  base_runtime_spec = "/nonexistent"\n': "does not exist",
    f'{CRI}{RUNC}  base_runtime_spec = "/etc/containerd/config.toml"\n': "is not JSON",
    f"{CRI}{RUNC.replace('runc.v2', 'other.v2')}": "has no runtime of type",
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


WRITTEN = {
    "dotted": 'version = 2\nplugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.runtime_type = "io.containerd.runc.v2"\n',
    "inline": f'{CRI}  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes]\n'
    '    runc = { runtime_type = "io.containerd.runc.v2", options = {SystemdCgroup = true} } # ours\n',
    "CRLF": f"{CRI}{RUNC}".replace("\n", "\r\n"),
    "others between": f'{CRI}[timeouts]\n  "io.containerd.timeout.x" = "1s"\n{RUNC}[ttrpc]\n  uid = 0\n',
}


@pytest.mark.engine("containerd")
@pytest.mark.parametrize("name", WRITTEN)
def test_containerd_sees_ours_however_its_table_is_written_and_disable_leaves_no_trace(containerd, name) -> None:
    config = containerd.write("etc/containerd/config.toml", WRITTEN[name])
    before = containerd.files()
    containerd("enable", "containerd")  # asks containerd what it sees, and undoes all unless that is ours
    assert b"/etc/containerd/traceloop-runc.json" in config.read_bytes()
    containerd("disable", "containerd")
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


@pytest.mark.engine("containerd")
def test_a_specification_of_an_earlier_version_is_known_renewed_and_undone(containerd, monkeypatch) -> None:
    containerd.write("etc/containerd/config.toml", CRI + RUNC)
    before = containerd.files()
    with monkeypatch.context() as earlier:
        earlier.setattr(guard, "GUARD", '"$0" "$@" || while read -r _; do :; done; exit 0')
        containerd("enable", "containerd")
    spec = containerd.root / "etc/containerd/traceloop-runc.json"
    written = spec.read_text()
    assert {finding.level for finding in containerd.findings()} == {Level.OK, Level.BY_FLAG}
    containerd("enable", "containerd")
    assert spec.read_text() != written
    assert spec.read_text().count("traceloop-hook") == 2
    containerd("disable", "containerd")
    assert containerd.files() == before


# -- a dockerd that is queried


def listening(path: Path, answer: bytes) -> socket.socket:
    """Accepts one connection in a thread, and sends the answer."""
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
    with listening(tmp_path / "x.sock", answer), pytest.raises(Failed, match="does not tell which runtimes"):
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
    """The path of a socket that only root may use, for a test that runs as another user."""
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
