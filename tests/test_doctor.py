# SPDX-License-Identifier: Apache-2.0
"""The doctor's checks on systems of files alone: below roots that are made for it."""

import socket
from pathlib import Path

import pytest

from traceloop_cli.checks import access, hooks, kernel, service, storage
from traceloop_cli.checks.model import Level, Machine
from traceloop_cli.engines.host import HOOK, Host

V2 = "24 18 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "25 18 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
TRACEFS = "26 18 0:24 / /sys/kernel/tracing rw - tracefs tracefs rw\n"


def machine(root, **settings):
    given = {"address": "unix:/run/traceloop/traceloop.sock", "state_dir": Path("/state"), "release": "6.1.0"}
    return Machine(Host(root), **(given | {"is_root": True} | settings))


def write(root, path, content, mode=0o644):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)


def system(root, mounts=V2 + TRACEFS, cgroup="0::/x\n", btf=b"\x9f\xeb\1\0"):
    write(root, "proc/self/mountinfo", mounts)
    write(root, "proc/self/cgroup", cgroup)
    if btf:
        write(root, "sys/kernel/btf/vmlinux", btf)
    return root


def wrong(found):
    return [(one.level, one.what) for one in found if one.level is not Level.OK]


def test_a_kernel_that_has_everything(tmp_path):
    found = list(kernel.findings(machine(system(tmp_path))))
    assert wrong(found) == []
    assert "version 2, at /sys/fs/cgroup" in [one.what for one in found]


@pytest.mark.parametrize(
    ("setting", "release", "level", "what"),
    [
        ({}, "5.10.0-30-amd64", Level.ERROR, "Linux 5.10.0-30-amd64 is too old"),
        ({"btf": b""}, "6.1", Level.ERROR, "there is no /sys/kernel/btf/vmlinux"),
        ({"btf": b"text"}, "6.1", Level.ERROR, "/sys/kernel/btf/vmlinux is no BTF"),
        ({"mounts": V1 + TRACEFS}, "6.1", Level.ERROR, "no cgroup2 file system is mounted"),
        ({"cgroup": "4:memory:/x\n"}, "6.1", Level.ERROR, "processes are in no cgroup of version 2"),
        ({"mounts": V2 + V1}, "6.1", Level.WARNING, "tracefs is not mounted at /sys/kernel/tracing"),
    ],
)
def test_what_a_kernel_lacks(tmp_path, setting, release, level, what):
    found = list(kernel.findings(machine(system(tmp_path, **setting), release=release)))
    assert wrong(found) == [(level, what)]
    (bad,) = [one for one in found if one.level is not Level.OK]
    assert bad.why
    assert bad.remedy


def test_a_locked_down_kernel(tmp_path):
    write(system(tmp_path), "sys/kernel/security/lockdown", "none integrity [confidentiality]\n")
    assert wrong(kernel.findings(machine(tmp_path))) == [(Level.ERROR, "lockdown is in the mode confidentiality")]


SCRIPT = "#!/usr/bin/python3 -IS\n"


@pytest.mark.parametrize(
    ("content", "mode", "level", "what"),
    [
        (SCRIPT, 0o755, None, ""),
        (SCRIPT, 0o644, Level.ERROR, "is not executable"),
        ("import sys\n", 0o755, Level.ERROR, "does not begin with #!"),
        ("#!/opt/python\n", 0o755, Level.ERROR, "is a script for /opt/python, which is not there"),
        (SCRIPT, 0o757, Level.ERROR, "has the mode 0757"),
        ("#!/usr/bin/python3\n", 0o755, Level.WARNING, "is run without -IS"),
    ],
)
def test_the_hook(tmp_path, content, mode, level, what):
    write(tmp_path, "usr/bin/python3", "", 0o755)
    write(tmp_path, str(HOOK).lstrip("/"), content, mode)
    found = wrong(hooks.script(machine(tmp_path)))
    assert [one[0] for one in found] == ([level] if level else [])
    assert not found or what in found[0][1]


def test_sockets_that_nobody_serves_and_files_in_their_place(tmp_path):
    run = tmp_path / "run/traceloop"
    run.mkdir(parents=True)
    write(tmp_path, "run/traceloop/hook.sock", "")
    for name in ("control.sock", "traceloop.sock"):
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(run / name))
        (run / name).chmod(0o600)
    found = [what for level, what in wrong(access.findings(machine(tmp_path))) if level is Level.ERROR]
    assert found == [
        "/run/traceloop/hook.sock is no socket",
        "nobody listens at /run/traceloop/control.sock",
        "nobody listens at /run/traceloop/traceloop.sock",
    ]


def test_a_state_directory_for_everyone_and_one_that_is_not_there(tmp_path):
    assert wrong(storage.findings(machine(tmp_path))) == [(Level.WARNING, "there is no /state")]
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    assert wrong(storage.findings(machine(tmp_path)))[0] == (Level.ERROR, "/state has the mode 0755")


UNIT = """\
#!/bin/sh
cat <<END
LoadState=loaded
UnitFileState=enabled
ActiveState=active
NRestarts=3
LimitNOFILE=1024
FileDescriptorStoreMax=8192
NFileDescriptorStore=25
MemoryMax=209715200
END
"""


def test_a_unit_that_was_changed(tmp_path):
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    write(tmp_path, "usr/bin/systemctl", UNIT, 0o755)
    found = list(service.findings(machine(tmp_path, address=f"unix:{tmp_path}/none.sock")))
    assert [what for level, what in wrong(found) if level is Level.WARNING] == [
        "systemd started it again 3 times",
        "LimitNOFILE=1024 is not above FileDescriptorStoreMax=8192",
        "MemoryMax=200 MiB leaves room for 40 containers",
    ]
    assert [one.area for one in found if one.level is Level.ERROR] == ["daemon"]
