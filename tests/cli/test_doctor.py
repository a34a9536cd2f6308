# SPDX-License-Identifier: Apache-2.0
"""The doctor's checks on made-up systems that consist of files below a root."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from traceloop_cli.checks import access, confinement, hooks, kernel, service, storage
from traceloop_cli.checks.model import Machine
from traceloop_cli.commands.doctor import problem, verdict
from traceloop_cli.engines.host import HOOK, Host
from traceloop_cli.errors import Denied, Failed
from traceloop_cli.findings import Finding, Level
from traceloop_proto.traceloop_pb2 import StatsReply

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
        ({"btf": b"text"}, "6.1", Level.ERROR, "/sys/kernel/btf/vmlinux does not hold BTF"),
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


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_an_architecture_that_is_recorded(tmp_path, architecture):
    found = list(kernel.findings(machine(system(tmp_path), architecture=architecture)))
    assert wrong(found) == []
    assert [one.what for one in found if f"architecture is {architecture}, on which" in one.what]


def test_an_architecture_that_is_not_recorded(tmp_path):
    found = wrong(kernel.findings(machine(system(tmp_path), architecture="riscv64")))
    assert found == [(Level.ERROR, "the architecture is riscv64")]


def test_a_locked_down_kernel(tmp_path):
    write(system(tmp_path), "sys/kernel/security/lockdown", "none integrity [confidentiality]\n")
    assert wrong(kernel.findings(machine(tmp_path))) == [(Level.ERROR, "kernel lockdown is in confidentiality mode")]


SCRIPT = b"#!/bin/wrapper -x\n"
PROGRAM = Path("/proc/self/exe").read_bytes()[:4096]
FOREIGN = PROGRAM[:18] + b"\xf3\0" + PROGRAM[20:]  # RISC-V's number, by elf.h


@pytest.mark.parametrize(
    ("content", "mode", "level", "what"),
    [
        (PROGRAM, 0o755, None, ""),
        (SCRIPT, 0o755, None, ""),
        (PROGRAM, 0o644, Level.ERROR, "is not executable"),
        (PROGRAM, 0o757, Level.ERROR, "has mode 0757"),
        (FOREIGN, 0o755, Level.ERROR, "or a program for another architecture"),
        (PROGRAM[:16], 0o755, Level.ERROR, "is truncated, or "),
        (b"", 0o755, Level.ERROR, "is neither an ELF program nor a script with an interpreter; it begins with b''"),
        (b"import sys\n", 0o755, Level.ERROR, "is neither an ELF program nor a script"),
        (b"#!/opt/python\n", 0o755, Level.ERROR, "is a script whose interpreter /opt/python does not exist"),
    ],
)
def test_the_hook(tmp_path, content, mode, level, what):
    write(tmp_path, "bin/wrapper", "", 0o755)
    write(tmp_path, str(HOOK).lstrip("/"), content, mode)
    found = wrong(hooks.program(machine(tmp_path)))
    assert [one[0] for one in found] == ([level] if level else [])
    assert not found or what in found[0][1]


def test_a_hook_that_is_no_file(tmp_path):
    path = tmp_path / str(HOOK).lstrip("/")
    path.mkdir(parents=True)
    for make in (os.mkfifo, Path.mkdir):  # opening a pipe would block until a writer opens it
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)
        assert wrong(hooks.program(machine(tmp_path))) == [(Level.ERROR, f"{HOOK} is not a regular file")]


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
        "/run/traceloop/hook.sock is not a socket",
        "no process listens on /run/traceloop/control.sock",
        "no process listens on /run/traceloop/traceloop.sock",
    ]


def test_a_state_directory_for_everyone_and_one_that_is_not_there(tmp_path):
    assert wrong(storage.findings(machine(tmp_path))) == [(Level.WARNING, "there is no /state")]
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    assert wrong(storage.findings(machine(tmp_path)))[0] == (Level.ERROR, "/state has mode 0755")


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
END
"""


def test_a_unit_that_was_changed(tmp_path):
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    write(tmp_path, "usr/bin/systemctl", UNIT, 0o755)
    found = list(service.findings(machine(tmp_path, address=f"unix:{tmp_path}/none.sock")))
    assert [what for level, what in wrong(found) if level is Level.WARNING] == [
        "systemd restarted it 3 times",
        "LimitNOFILE=1024 is not above FileDescriptorStoreMax=8192",
    ]
    assert [one.area for one in found if one.level is Level.ERROR] == ["daemon"]


def test_memory_that_is_short_is_told_before_and_after_containers_went_without():
    def told(left_mib: int, refused: int = 0) -> list[tuple[Level, str]]:
        sizes = {"memory_left_bytes": left_mib << 20, "memory_limit_bytes": 1 << 30, "ring_bytes": 1 << 20}
        reply = StatsReply(memory_limit="memory.max of /a\x1b", no_memory=refused, **sizes)
        return [(one.level, one.what) for one in service._memory(reply)]

    of = "more containers of 1.0M each, of 1.0G (memory.max of /a\\33)"
    assert told(900) == [(Level.OK, f"there is memory for 900 {of}")]
    assert told(99) == [(Level.WARNING, f"there is memory for 99 {of}")]
    assert told(900, 7) == [(Level.WARNING, f"there is memory for 900 {of}; 7 were not recorded for lack of memory")]
    assert list(service._memory(StatsReply())) == []  # the reply of an older daemon


# The format that the kernel writes, with auditd and without: AppArmor's wiki, "AppArmor Failures"; ausearch(8). Checked
# only in virtual machines, as no kernel with either was available.
APPARMOR = (
    'audit: type=1400 audit(1700000100.123:45): apparmor="DENIED" operation="connect" class="file" profile="crun-strict" '
    'name="/run/traceloop/hook.sock" pid=4711 comm="traceloop-hook" requested_mask="wr" denied_mask="wr" fsuid=0 ouid=0'
)
SELINUX = (
    'type=AVC msg=audit(1700000100.123:46): avc:  denied  { connectto } for  pid=4712 comm="traceloop-hook" '
    'path="/run/traceloop/hook.sock" scontext=system_u:system_r:container_runtime_t:s0 '
    "tcontext=system_u:system_r:init_t:s0 tclass=unix_stream_socket permissive=0"
)
OTHERS = (
    'audit: type=1400 audit(1700000100.2:47): apparmor="DENIED" operation="open" profile="cups" name="/etc/x" comm="cupsd"',
    'type=AVC msg=audit(1700000100.3:48): avc:  denied  { read } for  pid=1 comm="httpd" name="y" tclass=file permissive=0',
    'audit: type=1400 audit(1700000100.4:49): apparmor="ALLOWED" operation="open" profile="x" comm="traceloop-hook"',
)


def confined(root, *, journal=(), audit=(), selinux="", apparmor=""):
    (root / "run/systemd/system").mkdir(parents=True)
    lines = "\n".join((*journal, *OTHERS))
    write(root, "usr/bin/journalctl", f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n", 0o755)
    write(root, "proc/stat", "cpu 1 2 3\nbtime 1700000000\n")
    for path, text in {"sys/fs/selinux/enforce": selinux, "sys/module/apparmor/parameters/enabled": apparmor}.items():
        if text:
            write(root, path, text)
    if audit:
        write(root, "var/log/audit/audit.log", "\n".join((*audit, *OTHERS)) + "\n", 0o600)
    return list(confinement.findings(machine(root)))


def test_neither_selinux_nor_apparmor(tmp_path):
    found = confined(tmp_path, journal=[APPARMOR], selinux="0", apparmor="N\n")
    assert [(one.level, one.what) for one in found] == [(Level.OK, "neither SELinux nor AppArmor is enforcing")]


def test_what_apparmor_denied(tmp_path):
    (one,) = confined(tmp_path, journal=[APPARMOR, APPARMOR.replace("4711", "4799")], apparmor="Y\n")
    assert one.level is Level.WARNING
    assert one.what == (
        "AppArmor denied connect of /run/traceloop/hook.sock to traceloop-hook, under the profile crun-strict, 2 times"
    )
    assert "`/run/traceloop/hook.sock wr,`" in one.remedy
    assert "journalctl -k | grep apparmor" in one.remedy


@pytest.mark.parametrize("log", ["journal", "audit"])
def test_what_selinux_denied(tmp_path, log):
    (one,) = confined(tmp_path, **{log: [SELINUX]}, selinux="1")
    assert one.level is Level.WARNING
    assert one.what == (
        "SELinux denied { connectto } of /run/traceloop/hook.sock (unix_stream_socket) to traceloop-hook: "
        "system_u:system_r:container_runtime_t:s0 is not allowed this on system_u:system_r:init_t:s0"
    )
    assert "ausearch -m avc" in one.remedy


def test_what_was_denied_before_the_boot_counts_no_more(tmp_path):
    (one,) = confined(tmp_path, audit=[SELINUX.replace("1700000100", "1699999999")], selinux="1")
    assert one.level is Level.OK


def test_a_guard_that_denied_nothing_says_where_to_look(tmp_path):
    found = confined(tmp_path, selinux="1", apparmor="Y\n")
    assert [one.level for one in found] == [Level.OK, Level.OK]
    assert "ausearch -m avc" in found[0].what
    assert "journalctl -k | grep apparmor" in found[1].what


def test_denials_that_this_user_cannot_see(tmp_path):
    confined(tmp_path, apparmor="Y\n")
    (one,) = confinement.findings(machine(tmp_path, is_root=False))
    assert (one.level, one.remedy) == (Level.UNKNOWN, "journalctl -k | grep apparmor")


OK, WARNING = Finding("kernel", Level.OK, "fine"), Finding("hook", Level.WARNING, "slow")
UNTRIED, ERROR = Finding("self-test", Level.UNKNOWN, "not tried"), Finding("daemon", Level.ERROR, "dead")


@pytest.mark.parametrize(
    ("found", "kind", "says"),
    [
        (
            [OK, UNTRIED],
            Denied,
            "no error was found, but recording could not be tested: run this as root",
        ),
        (
            [OK, WARNING, UNTRIED],
            Denied,
            "1 warning, and recording could not be tested: run this as root",
        ),
        (
            [WARNING, WARNING, UNTRIED],
            Denied,
            "2 warnings, and recording could not be tested: run this as root",
        ),
        ([WARNING, ERROR, UNTRIED], Failed, "recording does not work properly: 1 error, 1 warning"),
        ([ERROR, ERROR], Failed, "recording does not work properly: 2 errors"),
    ],
)
def test_the_last_line_counts_what_the_lines_before_it_say(found, kind, says):
    made = problem(found)
    assert type(made) is kind
    assert str(made) == says


def test_the_last_line_where_recording_works():
    assert problem([OK, WARNING]) is None
    assert verdict([OK]) == "recording works"
    assert verdict([OK, WARNING, WARNING]) == "recording works; 2 warnings"


def test_engines_need_no_hook_where_births_are_recorded(tmp_path):
    """A warning with hooks alone is none once the daemon says that it records births."""
    write(tmp_path, "usr/bin/nerdctl", b"#!/bin/sh\necho nerdctl version 1.7\n", 0o755)
    (engine,) = [one for one in hooks.findings(machine(tmp_path)) if one.area == "engine nerdctl"]
    assert engine.level is Level.WARNING
    write(tmp_path, "run/traceloop/births", b"")
    (engine,) = [one for one in hooks.findings(machine(tmp_path)) if one.area == "engine nerdctl"]
    assert engine.level is Level.OK
    assert "recorded from their cgroups' births" in engine.what


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_what_another_user_may_not_see_is_unknown():
    """The daemon's directory may be closed to this user: doctor goes on, and claims nothing."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        write(root, "usr/bin/nerdctl", b"#!/bin/sh\necho nerdctl version 1.7\n", 0o755)
        write(root, "run/traceloop/births", b"")
        root.joinpath("run/traceloop").chmod(0o700)
        os.seteuid(65534)
        try:
            found = list(hooks.findings(machine(root, is_root=False)))
        finally:
            os.seteuid(0)
    (engine,) = [one for one in found if one.area == "engine nerdctl"]
    assert engine.level is Level.UNKNOWN
    assert "cannot see whether" in engine.what
