# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401, F811 - fixtures
"""traceloopctl -H: daemons of other machines, by a real ssh and sshd."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest
from fake_daemon import BIN, FakeDaemon, ctl, daemon, path, serving
from lab.sshd import Sshd

from traceloop_cli.bridge import GREETING
from traceloop_proto import traceloop_pb2 as pb

pytestmark = [pytest.mark.installed, pytest.mark.engine("sshd")]
HOSTS = ("alpha", "beta", "gamma")
TIMEOUT_S = 60


@pytest.fixture
def sshd(tmp_path):
    with Sshd(tmp_path, HOSTS) as sshd:
        yield sshd


@pytest.fixture
def second(path):
    """Another daemon, at another socket."""
    second = FakeDaemon()
    second.node = "node2"
    with serving(second, path.with_name("second.sock")):
        yield second


@pytest.fixture
def far(sshd, path):
    """Runs traceloopctl -H; returns how it ended."""

    def run(*words, env=sshd.env, **settings):
        command = [BIN, "--address", f"unix:{path}", *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=env, **settings
        )

    return run


def test_each_verb_is_answered_as_on_the_machine_itself(daemon, ctl, far, tmp_path):
    for words in (
        ("list", "--no-legend"),
        ("info", "node1_default_mypod"),
        ("show", "node1_default_my"),
        ("show", "-o", "jsonl", "0123456789"),
        *(("why", "node1_default_mypod", *how) for how in ((), ("-v",), ("-o", "json"))),
        *((view, "node1_default_mypod") for view in ("stdio", "files", "net", "processes", "slow", "summary")),
    ):
        ended = far("-H", "alpha", *words)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout == ctl(*words)
    assert far("-H", "alpha").stdout == ctl("list")  # no verb is `list` here too
    assert far("-Halpha", "dump", "node1_default_mypod", "--file", str(tmp_path / "f")).returncode == 0
    assert (tmp_path / "f").read_bytes() == daemon.file
    assert far("-H", "alpha", "close", "node1_default_mypod").stdout == "closed\n"
    assert "mypod" not in ctl("list")


def test_a_large_answer_arrives_whole(daemon, far):
    daemon.snapshot = daemon.snapshot + bytes(8 << 20)  # many windows of ssh, and more than any pipe holds
    daemon.file = b"not an archive" * (1 << 19)
    ended = far("-H", "alpha", "dump", "node1_default_mypod", "--file", "-")
    assert ended.returncode == 1
    assert (
        ended.stderr
        == "traceloopctl: trace node1_default_mypod: not a traceloop archive: it does not begin with TLTRACE\n"
    )


def test_nothing_of_the_way_is_left(daemon, far, tmp_path, sshd):
    places = {**sshd.env, "TMPDIR": str(tmp_path / "t")}
    (tmp_path / "t").mkdir()
    assert far("-H", "alpha", "list", env=places).returncode == 0
    assert far("-H", "alpha", "show", "nosuch", env=places).returncode == 1
    assert list((tmp_path / "t").iterdir()) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path / "config") not in running


def test_several_hosts_have_a_row_each_and_a_failure_fails_only_its_own(daemon, far):
    ended = far("-H", "alpha", "-H", "nosuch.invalid", "-H", "beta", "list")
    assert ended.returncode == 1
    assert ended.stderr == "traceloopctl: 1 of 3 hosts did not answer: nosuch.invalid\n"
    lines = ended.stdout.splitlines()
    assert lines[0].split() == ["NODE", "TRACE", "STATE", "EXIT", "AGE", "EVENTS", "LOST", "SIZE", "ENDED", "REASON"]
    assert [line.split()[0] for line in lines[1:]] == ["node1", "node1", "nosuch.invalid", "node1", "node1"]
    assert re.fullmatch(r"nosuch\.invalid +\(.*resolve.*; try `ssh nosuch\.invalid`\)", lines[3])
    assert lines[0].index("TRACE") == lines[3].index("(")
    assert lines[1].index("frozen") < 50  # the remark has not widened the column below it


def test_several_hosts_as_json(daemon, far):
    ended = far("-H", "alpha", "-H", "nosuch.invalid", "list", "-o", "json")
    assert ended.returncode == 1
    assert [one["id"] for one in json.loads(ended.stdout)] == ["node1_default_mypod", "node1_default_other"]
    assert ended.stderr.startswith("traceloopctl: 1 of 2 hosts did not answer: nosuch.invalid: ")


def test_hosts_of_a_file(daemon, far, tmp_path):
    (tmp_path / "hosts").write_text("# the data bases\nalpha\n\n  beta # the second\nalpha\n")
    ended = far("--hosts", str(tmp_path / "hosts"), "list", "--no-legend")
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 4)
    (tmp_path / "hosts").write_text("# none\n")
    assert far("--hosts", str(tmp_path / "hosts"), "list").returncode == 2
    assert "cannot read /nonexistent" in far("--hosts", "/nonexistent", "list").stderr


def test_an_id_is_looked_for_on_all_hosts(daemon, far):
    assert "fits traces of 2 hosts" in far("-H", "alpha", "-H", "beta", "show", "node1_default_mypod").stderr
    ended = far("-H", "alpha", "-H", "nosuch.invalid", "show", "node1_default_mypod")
    assert ended.returncode == 0
    assert "+++ exited with 1 +++" in ended.stdout
    assert ended.stderr.startswith("traceloopctl: 1 of 2 hosts did not answer: nosuch.invalid: ")
    ended = far("-H", "alpha", "-H", "beta", "show", "xyz")
    assert (ended.returncode, ended.stderr) == (
        1,
        "traceloopctl: no trace xyz on any of 2 hosts: `traceloopctl list` shows all traces\n",
    )


def test_what_goes_wrong_is_told_in_one_line_with_the_host(sshd, far):
    cases = {
        ("-H", "alpha", "list"): (3, r"alpha: no daemon at \S+: No such file or directory; start it .*"),
        ("-H", "nosuch.invalid", "list"): (3, r"nosuch\.invalid: .*; try `ssh nosuch\.invalid`"),
        ("-H", "-oProxyCommand=x", "list"): (2, r"'-oProxyCommand=x' is not of the form .*"),
        ("-H", "alpha", "doctor"): (2, r"doctor concerns the machine that it runs on: .*"),
        ("-H", "alpha", "-H", "beta", "stats"): (1, r"this asks one daemon, not several: give one HOST"),
    }
    for words, (status, line) in cases.items():
        ended = far(*words)
        assert ended.returncode == status, ended
        assert re.fullmatch(rf"traceloopctl: {line}\n", ended.stderr), ended.stderr


def test_ssh_that_is_missing_or_refused(far, sshd, tmp_path):
    assert "install ssh here" in far("-H", "alpha", "list", env={**sshd.env, "TRACELOOP_SSH": "/nonexistent"}).stderr
    (tmp_path / "user.pub").write_text("")
    assert "Permission denied" in far("-H", "alpha", "-H", "beta", "list").stdout


def test_a_login_that_prints_and_a_forced_command(daemon, ctl, path, tmp_path):
    forced = f"ForceCommand echo Welcome; echo; exec {BIN} --address unix:{path} bridge"
    with Sshd(tmp_path, HOSTS, server=forced) as sshd:
        words = [BIN, "-H", "alpha", "list"]
        ended = subprocess.run(words, env=sshd.env, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    assert ended.stdout == ctl("list")


def test_a_shared_connection_is_used(daemon, ctl, path, tmp_path):
    shared = f"ControlMaster auto\nControlPath {tmp_path}/shared\nControlPersist 60"
    with Sshd(tmp_path, HOSTS, client=shared) as sshd:

        def run(*words):
            return subprocess.run(words, env=sshd.env, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)

        # Not run(): the process that keeps the connection open would keep its pipes open as well.
        subprocess.run([sshd.ssh, "alpha", "true"], check=True, timeout=TIMEOUT_S, stderr=subprocess.DEVNULL)
        try:
            (tmp_path / "user").unlink()  # so a connection of its own would be refused
            assert run(BIN, "--address", f"unix:{path}", "-H", "alpha", "list").stdout == ctl("list")
            run(sshd.ssh, "-O", "check", "alpha")  # it is still there
        finally:
            run(sshd.ssh, "-O", "exit", "alpha")


def test_a_host_that_hangs_is_given_up(daemon, far, tmp_path, sshd):
    hangs = tmp_path / "hangs"
    hangs.write_text(f'#!/bin/sh\ncase "$*" in *beta*) exec sleep 600 ;; esac\nexec {sshd.ssh} "$@"\n')
    hangs.chmod(0o755)
    ended = far("-H", "alpha", "-H", "beta", "list", env={**sshd.env, "TRACELOOP_SSH": str(hangs)})
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-1].split(maxsplit=1) == ["beta", "(no answer in 20 s; try `ssh beta`)"]


def test_the_bridge_ends_with_its_input_and_with_the_daemon(daemon, path):
    words = [BIN, "--address", f"unix:{path}", "bridge"]
    ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=TIMEOUT_S)
    assert ended.stdout.startswith(GREETING)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bridge:
        assert bridge.stdout.readline() == GREETING
        bridge.stdin.write(b"this is no HTTP/2 request, so the server closes the connection\r\n\r\n" * 4)
        bridge.stdin.flush()
        assert bridge.wait(TIMEOUT_S) == 0


def test_the_host_that_has_a_trace_answers_for_it(daemon, path, sshd, second):
    second.traces = [pb.Trace(id="node2_default_web", node="node2", state=pb.STATE_ARCHIVED)]
    address = f"ssh:alpha{path},ssh:beta{path.with_name('second.sock')}"

    def run(*words):
        env = {**sshd.env, "TRACELOOP_ADDRESS": address}
        return subprocess.run([BIN, *words], capture_output=True, text=True, timeout=TIMEOUT_S, check=True, env=env)

    assert [line.split()[1] for line in run("list", "--no-legend").stdout.splitlines()] == [
        *("node1_default_mypod", "node1_default_other", "node2_default_web")
    ]
    assert run("info", "node2_").stdout.startswith("id: node2_default_web\n")
    second.traces = []
    assert run("list", "--no-legend").stdout.splitlines()[-1] == "node2"


def test_changes_of_all_hosts_are_followed(daemon, path, sshd, second):
    second.traces = []
    for one in (daemon, second):
        one.changes = one.changes_of_queue
    address = f"ssh:alpha{path},ssh:beta{path.with_name('second.sock')},ssh:nosuch.invalid"
    words = ["env", "--default-signal=INT", BIN, "list", "--follow", "-o", "json"]
    with subprocess.Popen(
        words, env={**sshd.env, "TRACELOOP_ADDRESS": address}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as follow:
        try:
            listed = [json.loads(follow.stdout.readline()) for _ in range(2)]
            assert [(one["change"], one["id"]) for one in listed] == [
                ("listed", "node1_default_mypod"),
                ("listed", "node1_default_other"),
            ]
            for one, name in ((second, "node2_default_web"), (daemon, "node1_default_mypod")):
                one.queued.put(pb.Change(kind=pb.CHANGE_KIND_STARTED, trace=pb.Trace(id=name)))
                change = json.loads(follow.stdout.readline())
                assert (change["change"], change["id"]) == ("started", name)
            follow.send_signal(signal.SIGINT)
            assert follow.wait(TIMEOUT_S) == 128 + signal.SIGINT
            said = follow.stderr.read()
        finally:
            follow.kill()
            for one in (daemon, second):
                one.queued.put(None)
    assert "1 of 3 hosts did not answer: nosuch.invalid: " in said
    assert said.endswith("traceloopctl: interrupted\n")
