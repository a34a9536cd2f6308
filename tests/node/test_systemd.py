# SPDX-License-Identifier: Apache-2.0
"""traceloopd as an installed service of a real systemd: its sandbox, sockets, users, journal, watchdog, and its end."""

import re
from pathlib import Path

import pytest
from lab import hooks, make_bundle, make_root, pod_annotations
from lab.installed import HOOK, add_users, install
from lab.kernel_objects import held_by, wait_until_gone
from lab.service import RECORDING_STARTED, SERVICE, SOCKET, TRACE_FROZEN, Service, running
from lab.systemd import Systemd

from traceloop_bpf import btf, capabilities, io_uring
from traceloop_bpf.compiler import programs_of
from traceloop_bpf.loader import SHARED
from traceloop_bpf.programs import Plan

pytestmark = [pytest.mark.kernel, pytest.mark.systemd]

EXPOSURE_MAX = 1.5
HOOK_REFUSED, CANNOT_START = "7e59dbea684e46149d324ade05abf368", "0e2b5ff7a577462f8cb095bde9df61a4"


@pytest.fixture(scope="module")
def lab():
    with Systemd() as lab:
        install(lab, compiled=False)
        add_users(lab)
        lab.run("systemctl", "enable", "--now", "--quiet", SERVICE)
        yield lab


@pytest.fixture
def service(lab):
    return running(lab)


def test_the_units_are_well_formed(lab):
    checked = lab.run("systemd-analyze", "verify", "--man=no", SERVICE, SOCKET)
    assert checked.stdout + checked.stderr == ""
    assert lab.run("systemctl", "is-enabled", SERVICE, SOCKET).stdout.split() == ["enabled", "enabled"]


def test_the_sandbox_is_tight(lab):
    verdict = lab.run("systemd-analyze", "security", "--no-pager", SERVICE).stdout
    assert float(re.search(rf"level for {SERVICE}: ([0-9.]+) ", verdict)[1]) <= EXPOSURE_MAX


def test_the_limits_are_what_the_unit_says(service):
    unit = service.lab.unit(SERVICE)
    limits = {name: unit[name] for name in ("MemoryMax", "MemoryHigh", "TasksMax", "LimitCORE", "OOMScoreAdjust")}
    assert limits == {
        "MemoryMax": str(1 << 30),
        "MemoryHigh": "infinity",
        "TasksMax": "512",
        "LimitCORE": "0",
        "OOMScoreAdjust": "-250",
    }
    text = service.lab.run("cat", f"/proc/{unit['MainPID']}/limits").stdout
    assert re.search(r"Max core file size +0 +0 ", text)


def test_the_sandbox_lets_everything_work(service):
    with service.container("first"):
        pass
    service.lab.wait_for_journal("CONTAINER_ID=first", f"MESSAGE_ID={TRACE_FROZEN}")
    assert service.lab.journal("SYSLOG_IDENTIFIER=traceloopd", "--priority=warning") == []


def test_a_later_start_does_not_compile(service):
    """The unit's second start takes the programs from its cache directory, which its first start has filled."""
    lab = service.lab
    show = ("stat", "--format=%a %U %F", "/var/cache/traceloop")
    assert lab.run(*show).stdout == "700 traceloop directory\n"
    (before,) = lab.run("sh", "-c", "stat --format='%i %n' /var/cache/traceloop/*").stdout.splitlines()
    with service.drop_in("[Service]\nInaccessiblePaths=/usr/lib/python3/dist-packages/bcc\n"):
        lab.run("systemctl", "stop", SERVICE)  # which empties the descriptor store
        lab.run("systemctl", "start", SERVICE)
        with service.container("cached"):
            pass
        lab.wait_for_journal("CONTAINER_ID=cached", f"MESSAGE_ID={TRACE_FROZEN}")
    lab.run("systemctl", "restart", SERVICE)
    assert lab.run("sh", "-c", "stat --format='%i %n' /var/cache/traceloop/*").stdout.splitlines() == [before]


def test_users_and_modes(service):
    shown = service.lab.run("stat", "--format=%a %U:%G %n", "/run/traceloop", "/var/lib/traceloop").stdout
    assert shown.splitlines() == [
        "755 traceloop:traceloop /run/traceloop",
        "750 traceloop:traceloop /var/lib/traceloop",
    ]
    sockets = service.lab.run("sh", "-c", "cd /run/traceloop && stat --format='%a %U:%G %n' *.sock").stdout
    assert sockets.splitlines() == [
        "600 traceloop:traceloop control.sock",
        "600 traceloop:traceloop explain.sock",
        "600 root:root hook.sock",
        "660 traceloop:traceloop traceloop.sock",
    ]
    assert service.lab.run("stat", "--format=%U", f"/proc/{service.property('MainPID')}").stdout == "traceloop\n"


@pytest.mark.runtime
def test_a_real_container_is_recorded_and_found_in_the_journal(service):
    lab = service.lab
    root = make_root(lab.shared / "root")
    bundle = make_bundle(
        lab.shared / "bundle",
        root,
        ["sh", "-c", "echo 42 >/tmp/result; cat </tmp/result"],
        hooks=hooks("/run/traceloop/hook.sock", hook=Path(HOOK)),
        annotations=pod_annotations("mypod", namespace="shop"),
        cgroup="test-runc",
    )
    assert lab.run("runc", "--root", "/run/runc", "run", "--bundle", bundle, "runc-1").stdout == "42\n"
    frozen = lab.wait_for_journal("POD=mypod", f"MESSAGE_ID={TRACE_FROZEN}")
    trace = frozen["TRACELOOP_ID"]
    lines = service.ctl("show", trace, "-o", "strace", "-y").stdout
    assert re.search(r'write\(1</tmp/result>, "42\\n", 3\) += 3', lines)

    started, frozen = lab.journal(f"TRACELOOP_ID={trace}")
    assert (started["MESSAGE_ID"], frozen["MESSAGE_ID"]) == (RECORDING_STARTED, TRACE_FROZEN)
    for entry in (started, frozen):
        assert (entry["CONTAINER_ID"], entry["NAMESPACE"], entry["POD"]) == ("runc-1", "shop", "mypod")
        assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("6", "traceloopd")
        assert entry["_SYSTEMD_UNIT"] == SERVICE
        assert "\n" not in entry["MESSAGE"]
    assert "EVENTS" not in started
    (listed,) = [each for each in service.traces() if each["id"] == trace]
    assert (int(frozen["EVENTS"]), int(frozen["LOST"])) == (listed["events"], listed["lost"])

    explained = lab.run("journalctl", "--no-pager", "-x", f"TRACELOOP_ID={trace}").stdout
    assert "Subject: A container has ended, and its trace is complete" in explained
    assert f"traceloopctl show {trace}" in explained


def test_names_are_read_from_files_of_root_alone(service):
    config = "/var/lib/docker/containers/of-docker/config.v2.json"
    service.lab.write(config, '{"Name": "/named-by-docker"}', mode=0o600)
    service.lab.run("chmod", "700", Path(config).parent)
    with service.container("of-docker"):
        (trace,) = [each for each in service.traces() if each["container_id"] == "of-docker"]
    assert trace["container"] == "named-by-docker"


def test_the_status_line_counts_traces(service):
    before = sum(trace["state"] == "recording" for trace in service.traces())
    assert before == 0
    with service.container("counted"):
        service.wait_for_property("StatusText", lambda text: re.fullmatch(r"recording 1, archived \d+", text))
    service.wait_for_property("StatusText", lambda text: re.fullmatch(r"recording 0, archived \d+", text))


def test_members_ask_and_root_alone_changes(service):
    with service.container("asked") as process:
        (trace,) = [each["id"] for each in service.traces() if each["container_id"] == "asked"]
        for words in (["list"], ["info", trace], ["show", trace]):
            assert service.ctl(*words, user="member").stdout
            denied = service.ctl(*words, user="stranger", check=False)
            assert (denied.returncode, denied.stdout) == (4, "")
            assert denied.stderr == (
                "traceloopctl: cannot use /run/traceloop/traceloop.sock: Permission denied; "
                "run this as root or as a member of the group traceloop\n"
            )
        for words in (["close", trace], ["add", "--cgroup", "/init.scope", "--name", "x"]):
            denied = service.ctl(*words, user="member", check=False)
            assert (denied.returncode, denied.stdout) == (4, "")
            assert denied.stderr == (
                "traceloopctl: cannot use /run/traceloop/control.sock: Permission denied; run this as root\n"
            )
        assert process.poll() is None
        assert service.ctl("close", trace, user="traceloop").stdout == "closed\n"


CALL = """
import sys
sys.path.insert(0, "/usr/lib/traceloop")
import grpc
from traceloop_proto.traceloop_pb2 import AddRequest, TraceRequest
from traceloop_proto.traceloop_pb2_grpc import RecorderStub
stub = RecorderStub(grpc.insecure_channel("unix:/run/traceloop/traceloop.sock"))
for call, request in ((stub.Close, TraceRequest(id="x")), (stub.Add, AddRequest(cgroup="/init.scope", name="x"))):
    try:
        call(request, timeout=30)
    except grpc.RpcError as error:
        print(error.code().name, error.details())
"""


def test_the_socket_of_those_who_ask_refuses_changes_from_anyone(service):
    for user in ("member", ""):
        said = service.lab.run("python3", "-c", CALL, user=user).stdout.splitlines()
        assert said == [
            f"PERMISSION_DENIED {method} is for root alone: members of the group traceloop may only ask; run this as root"
            for method in ("Close", "Add")
        ]
    assert not [trace for trace in service.traces() if trace["cgroup"] == "/init.scope"]


@pytest.mark.parametrize("user", ["member", "stranger", "traceloop"])
def test_only_root_registers(service, user):
    before = service.traces()
    ended = service.lab.run(HOOK, "start", "--wait", user=user, stdin='{"id": "x", "pid": 1}')
    assert re.fullmatch(
        r"traceloop-hook: cannot connect to /run/traceloop/hook.sock: Permission denied; .*\n", ended.stderr
    )
    assert service.traces() == before


def test_names_that_want_to_be_entries_stay_names(service):
    evil = "p\nPRIORITY=0\nMESSAGE=forged\n\x1b[2J\udcff"
    annotations = {
        "io.kubernetes.cri.sandbox-name": evil,
        "io.kubernetes.cri.sandbox-namespace": "n\nMESSAGE_ID=forged",
        "io.kubernetes.cri.container-name": evil,
        "io.kubernetes.cri.container-type": "container",
    }
    since = service.lab.since_now()
    with service.container("evil", **annotations):
        pass
    service.lab.wait_for_journal("CONTAINER_ID=evil", f"MESSAGE_ID={TRACE_FROZEN}")
    entries = service.lab.journal(since, "SYSLOG_IDENTIFIER=traceloopd")
    assert [entry["MESSAGE_ID"] for entry in entries] == [RECORDING_STARTED, TRACE_FROZEN]
    for entry in entries:
        # journalctl prints unprintable text as numbers.
        assert bytes(entry["POD"]) == evil.encode(errors="backslashreplace")
        assert entry["PRIORITY"] == "6"
        assert re.fullmatch(r"[ -~]+", entry["MESSAGE"])


def test_a_refused_hook_is_one_warning_that_is_explained(service):
    since = service.lab.since_now()
    service.lab.run(HOOK, "start", "--wait", stdin='{"id": "x", "pid": 4194305}')
    entry = service.lab.wait_for_journal(since, f"MESSAGE_ID={HOOK_REFUSED}")
    assert (entry["PRIORITY"], "is gone" in entry["MESSAGE"]) == ("4", True)
    explained = service.lab.run("journalctl", "--no-pager", "-x", f"MESSAGE_ID={HOOK_REFUSED}").stdout
    assert "Subject: A container could not be registered" in explained


def test_a_loop_that_is_stuck_is_killed_and_started_again(service):
    lab = service.lab
    with service.drop_in("[Service]\nWatchdogSec=2\n"):
        lab.run("systemctl", "restart", SERVICE)
        before, since = service.property("MainPID"), lab.since_now()
        for _ in range(2):
            pinged = service.property("WatchdogTimestampMonotonic")
            service.wait_for_property("WatchdogTimestampMonotonic", lambda now, pinged=pinged: now != pinged)
        assert service.property("MainPID") == before
        lab.run("kill", "-STOP", before)
        killed = lab.wait_for_journal(since, f"UNIT={SERVICE}", "UNIT_RESULT=watchdog")
        assert killed
        lab.wait_for_journal(since, f"UNIT={SERVICE}", "JOB_RESULT=done", "JOB_TYPE=start")
        assert service.property("MainPID") not in (before, "0")
        assert service.ctl("list").returncode == 0
    lab.run("systemctl", "stop", SERVICE)


def test_a_hook_starts_a_daemon_that_is_stopped(lab):
    service = Service(lab)
    inode = socket_inode(lab)
    lab.run("systemctl", "stop", SERVICE)
    assert service.property("ActiveState") == "inactive"
    assert socket_inode(lab) == inode
    # The hook is served within its deadline or lets the container go; its message is read in any case.
    with service.container("early", hook_says=r"0 (|traceloop-hook: gave up after 2 s .*)"):
        lab.wait_for_journal("CONTAINER_ID=early", f"MESSAGE_ID={RECORDING_STARTED}")
    lab.wait_for_journal("CONTAINER_ID=early", f"MESSAGE_ID={TRACE_FROZEN}")
    assert service.property("ActiveState") == "active"
    assert socket_inode(lab) == inode


def test_a_hook_is_heard_by_the_daemon_that_follows_one_that_was_killed(service):
    lab = service.lab
    inode, before = socket_inode(lab), service.property("MainPID")
    lab.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", SERVICE)
    with service.container("between", hook_says=r"0 (|traceloop-hook: gave up after 2 s .*)"):
        lab.wait_for_journal("CONTAINER_ID=between", f"MESSAGE_ID={RECORDING_STARTED}")
    assert service.property("MainPID") not in (before, "0")
    assert socket_inode(lab) == inode
    assert service.ctl("list").returncode == 0


def test_a_hook_socket_that_was_removed_is_put_back_and_survives_restarts(service):
    lab = service.lab
    since = lab.since_now()
    lab.run("rm", "/run/traceloop/hook.sock")
    lab.wait_for_journal(since, "MESSAGE=/run/traceloop/hook.sock had been removed: listening there again")
    inode = socket_inode(lab)
    for number, signal in enumerate(("KILL", "TERM", "KILL")):
        before = service.property("MainPID")
        lab.run("kill", f"-{signal}", before)
        lab.run("tail", f"--pid={before}", "--sleep-interval=0.05", "--follow", "/dev/null")  # until it has ended
        # The socket exists throughout: systemd keeps it, and a hook waits for the next daemon.
        with service.container(f"mended-{number}", hook_says=r"0 (|traceloop-hook: gave up after 2 s .*)"):
            lab.wait_for_journal(f"CONTAINER_ID=mended-{number}", f"MESSAGE_ID={RECORDING_STARTED}")
        assert service.property("MainPID") not in (before, "0")
        assert socket_inode(lab) == inode
    since = lab.since_now()
    lab.run("rm", "/run/traceloop/hook.sock")
    lab.wait_for_journal(since, "MESSAGE=/run/traceloop/hook.sock had been removed: listening there again")
    with service.container("mended-again"):
        pass
    lab.run("systemctl", "stop", SOCKET, SERVICE)
    lab.run("systemctl", "start", SERVICE)
    assert lab.run("stat", "--format=%a %U", "/run/traceloop/hook.sock").stdout == "600 root\n"
    with btf.opened() as types:
        programs = len(programs_of(io_uring.find(types), btf.read(types) | capabilities.find(types)))
    assert service.property("NFileDescriptorStore") == str(len(SHARED) + 2 * programs + 1 + Plan().pool_size)
    with service.container("after-all"):
        pass


def test_stop_ends_well_and_leaves_nothing_in_the_kernel(service):
    lab = service.lab
    with service.container("last"):
        held = held_by(service.pid())
        assert {kind for kind, _ in held} == {"prog", "map", "link"}
        lab.run("systemctl", "stop", SOCKET, SERVICE)
        wait_until_gone(held)
    _, kept = lab.journal("CONTAINER_ID=last")
    assert "as it is now" in kept["MESSAGE"]
    shown = lab.unit(SERVICE)
    assert (shown["Result"], shown["ExecMainStatus"], shown["ActiveState"]) == ("success", "0", "inactive")
    assert lab.run("ls", "/run/traceloop").stdout == "live\n"


def test_a_daemon_that_cannot_start_says_why_and_turns_hooks_away(service):
    lab = service.lab
    lab.run("systemctl", "stop", SOCKET, SERVICE)
    lab.write("/etc/wrong.toml", "[ring]\nsise = 1\n")
    with service.drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/traceloopd --config /etc/wrong.toml\n"):
        lab.run("systemctl", "start", "--no-block", SERVICE)
        entry = lab.wait_for_journal(f"MESSAGE_ID={CANNOT_START}")
        service.wait_for_property("StatusText", lambda text: "did you mean ring.size?" in text)
        said = lab.run(HOOK, "start", "--wait", stdin='{"id": "x", "pid": 1}').stderr
        lab.run("systemctl", "stop", SOCKET, SERVICE)
    assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("3", "traceloopd")
    assert "did you mean ring.size?" in entry["MESSAGE"]
    reason = r"traceloopd cannot start: .* did you mean ring\.size\?"
    assert re.fullmatch(f"traceloop-hook: traceloopd refused this start: {reason}\n", said)
    explained = lab.run("journalctl", "--no-pager", "-x", f"MESSAGE_ID={CANNOT_START}").stdout
    assert "systemctl stop traceloopd-hook.socket traceloopd.service" in explained


def socket_inode(lab):
    return lab.run("stat", "--format=%i", "/run/traceloop/hook.sock").stdout
