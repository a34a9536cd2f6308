# SPDX-License-Identifier: Apache-2.0
"""traceloopctl doctor on an installed system with a real systemd finds nothing wrong, and then each inflicted fault."""

import json
from contextlib import contextmanager

import pytest
from lab.installed import HOOK, add_users, install
from lab.service import SERVICE, SOCKET
from lab.systemd import Systemd

pytestmark = [pytest.mark.kernel, pytest.mark.systemd]

HOOKSD = "/usr/share/containers/oci/hooks.d"
STATE = "/var/lib/traceloop"


@pytest.fixture(scope="module")
def lab():
    with Systemd() as lab:
        install(lab)
        add_users(lab)
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        # Hides the machine's engines, which the doctor would find; the test needs one that reads hooks.d.
        lab.run("sh", "-c", "rm -f /usr/bin/podman /usr/bin/containerd /usr/bin/ctr /usr/*bin/dockerd")
        lab.write("/usr/bin/podman", "#!/bin/sh\necho podman version 4.3.1\n", mode=0o755)
        yield lab


def asked(lab, *words, user=""):
    ended = lab.run("traceloopctl", "doctor", "-o", "json", *words, user=user, check=False, timeout_s=180)
    assert ended.stdout, ended.stderr
    return ended, json.loads(ended.stdout)


def errors(said):
    return [(one["area"], one["what"]) for one in said["findings"] if one["level"] == "error"]


def cgroups(lab):
    return lab.run("find", "/sys/fs/cgroup", "-name", "traceloop-doctor-*").stdout


def test_it_is_content_and_leaves_nothing_behind(lab):
    before = lab.run("traceloopctl", "list").stdout
    ended, said = asked(lab)
    assert (ended.returncode, ended.stderr, said["recording_works"]) == (0, "", True)
    assert [one for one in said["findings"] if one["level"] != "ok"] == []
    (test,) = [one["what"] for one in said["findings"] if one["area"] == "self-test"]
    assert "registered by the hook" in test
    assert "openat(" in test
    assert any("live recordings survive a restart" in one["what"] for one in said["findings"])
    assert lab.run("traceloopctl", "list").stdout == before
    assert cgroups(lab) == ""


@pytest.mark.parametrize("user", ["member", "stranger"])
def test_others_than_root_are_told_what_could_not_be_seen(lab, user):
    ended, said = asked(lab, user=user)
    assert (ended.returncode, said["recording_works"]) == (4, False)
    assert errors(said) == []
    unknown = {one["area"] for one in said["findings"] if one["level"] == "unknown"}
    assert unknown == {"recorder", "reasons", "self-test"} | ({"daemon", "losses"} if user == "stranger" else set())
    assert "run this as root" in ended.stderr


def test_a_missing_hook(lab):
    lab.run("mv", HOOK, "/root/hook")
    try:
        ended, said = asked(lab)
    finally:
        lab.run("mv", "/root/hook", HOOK)
    assert ended.returncode == 1
    assert errors(said) == [("hook", f"there is no {HOOK}")]
    assert "registered by traceloopctl add" in json.dumps(said)


def test_a_hook_whose_first_line_was_changed(lab):
    lab.run("sh", "-c", f"cp -p {HOOK} /root/hook && sed -i '1s|.*|#!/opt/python -IS|' {HOOK}")
    try:
        _, said = asked(lab, "--no-self-test")
    finally:
        lab.run("mv", "/root/hook", HOOK)
    assert errors(said) == [("hook", f"{HOOK} is a script whose interpreter /opt/python does not exist")]


def test_a_daemon_that_is_stopped_and_stays_so(lab):
    lab.run("systemctl", "stop", SERVICE)
    try:
        ended, said = asked(lab)
        assert lab.unit(SERVICE)["ActiveState"] == "inactive"
    finally:
        lab.run("systemctl", "start", SERVICE)
    assert ended.returncode == 1
    units = [(one["level"], one["what"]) for one in said["findings"] if one["area"] == "unit"]
    assert units == [("error", f"{SERVICE} is inactive")]
    (daemon,) = [one for one in said["findings"] if one["area"] == "daemon"]
    assert daemon["what"].startswith("no daemon at /run/traceloop/traceloop.sock")
    assert "systemctl start traceloopd" in daemon["remedy"]


def test_a_socket_of_another_user(lab):
    path = "/run/traceloop/hook.sock"
    lab.run("chown", "stranger", path)
    try:
        ended, said = asked(lab)
    finally:
        lab.run("chown", "root", path)
    assert ended.returncode == 1
    ((area, what),) = errors(said)
    assert (area, what.startswith(f"{path} has mode 0600, user ")) == ("sockets", True)


def test_a_hook_that_podman_cannot_read(lab):
    lab.write(f"{HOOKSD}/broken.json", "{")
    try:
        ended, said = asked(lab)
    finally:
        lab.run("rm", f"{HOOKSD}/broken.json")
    assert ended.returncode == 1
    ((area, what),) = errors(said)
    assert area == "engine podman"
    assert what.startswith(f"{HOOKSD}/broken.json is not a hook of schema 1.0.0")
    (remedy,) = [one["remedy"] for one in said["findings"] if one["level"] == "error"]
    assert remedy == f"rm {HOOKSD}/broken.json"


@contextmanager
def other_state_directory(lab, options):
    """Runs the daemon with another file system for its traces, mounted with these options."""
    lab.run("systemctl", "stop", SOCKET, SERVICE)
    lab.run("mount", "-t", "tmpfs", "-o", options, "none", STATE)
    try:
        lab.run("chown", "traceloop:traceloop", STATE)
        lab.run("systemctl", "start", SOCKET, SERVICE)
        yield
    finally:
        lab.run("systemctl", "stop", SOCKET, SERVICE)
        lab.run("umount", STATE)
        lab.run("systemctl", "start", SOCKET, SERVICE)


def test_a_state_directory_that_is_full(lab):
    with other_state_directory(lab, "size=4m,mode=0750"):
        lab.run("sh", "-c", f"cat /dev/zero >{STATE}/filler", check=False)
        ended, said = asked(lab)
    assert ended.returncode == 1
    assert errors(said) == [("storage", f"{STATE} is full: 0.0 MiB free")]
    assert any(one["area"] == "self-test" and one["level"] == "ok" for one in said["findings"])


def test_a_state_directory_that_is_read_only(lab):
    with other_state_directory(lab, "mode=0750"):
        lab.run("mount", "-o", "remount,ro", STATE)
        ended, said = asked(lab)
    assert ended.returncode == 1
    assert errors(said) == [("storage", f"{STATE} is on a read-only file system")]
    (test,) = [one for one in said["findings"] if one["area"] == "self-test"]
    assert test["level"] == "ok"  # its trace was only in memory, and could be closed


def test_a_daemon_older_than_what_is_installed(lab):
    lab.run("touch", "/usr/lib/traceloop/traceloop_daemon/archive/directory.py")
    _, said = asked(lab, "--no-self-test")
    lab.run("systemctl", "restart", SERVICE)
    (found,) = [one for one in said["findings"] if one["area"] == "daemon" and one["level"] == "warning"]
    assert "started before" in found["what"]
