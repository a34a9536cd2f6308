# SPDX-License-Identifier: Apache-2.0
"""`show --follow` and `wait` of live containers: every call once, until the end, and the container's exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from lab import Daemon, Runc, hooks, make_bundle, make_root

pytestmark = [pytest.mark.kernel, pytest.mark.runtime]

BIN = Path(sys.executable).parent
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A daemon, runc, and a directory with a container's root."""
    directory = tmp_path_factory.mktemp("follow")
    with Daemon(config='node = "n"\n') as daemon, Runc(directory / "runc") as runc:
        make_root(directory / "root")
        yield daemon, runc, directory


class Node:
    """Starts containers, followers and waiters, and ends what a test leaves."""

    def __init__(self, base, stack):
        self.daemon, self.runc, self.directory = base
        self.stack = stack

    def start(self, name, script):
        words = "sh", "-c", script
        hook = hooks(self.daemon.hook_socket)
        bundle = make_bundle(self.directory / name, self.directory / "root", words, hooks=hook)
        process = self.runc.start(bundle, name)
        self.stack.callback(self.end, process, name)
        self.daemon.wait_for_log(lambda line: f"recording n_{name}: " in line)
        return process

    def end(self, process, name):
        if process.poll() is None:
            self.kill(name)
        process.stdin.close()
        process.wait(TIMEOUT_S)
        process.stdout.close()
        process.stderr.close()

    def kill(self, name):
        self.runc("kill", name, "KILL")

    def ctl(self, *words):
        command = [BIN / "traceloopctl", "--address", self.daemon.address, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.stack.enter_context(process)
        self.stack.callback(process.kill)
        return process

    def shown(self, *words):
        return self.daemon.ctl("show", *words).stdout


@pytest.fixture
def node(base):
    with ExitStack() as stack:
        yield Node(base, stack)


def ended(process):
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert err == ""
    return process.returncode, out


def line_with(process, text):
    """Reads lines of a follower up to one that contains a text, and returns them."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"no {text} in {''.join(lines)}")


def test_calls_appear_while_the_container_runs_and_each_once(node):
    script = 'echo ready; while read line; do echo "got $line"; done; exit 4'
    container = node.start("talk", script)
    assert container.stdout.readline() == "ready\n"
    follower = node.ctl("show", "n_talk", "--follow", "-o", "strace")
    lines = line_with(follower, '"ready\\n"')
    lines += line_with(follower, "poll(")  # where it blocks now
    for word in ("one", "two"):
        container.stdin.write(f"{word}\n")
        container.stdin.flush()
        lines += line_with(follower, f'"got {word}\\n"')
    container.stdin.close()
    assert container.wait(TIMEOUT_S) == 4
    code, rest = ended(follower)
    assert code == 0
    assert "exited with 4" in rest
    lines += rest.splitlines(keepends=True)
    whole = node.shown("n_talk", "-o", "strace").splitlines()
    assert sorted(_parts(line.rstrip("\n") for line in lines)) == sorted(_parts(whole))


def _parts(lines):
    # Calls by thread, name and result, whether they are printed in one line or in two.
    for line in lines:
        if "<unfinished ...>" in line and "resumed" not in line:
            continue
        match = re.match(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\().* = (.*)", line)
        yield match.groups() if match else ("", "", line)


def test_a_busy_container_loses_and_repeats_nothing(node):
    script = "read x; n=0; while [ $n -lt 3000 ]; do cd /; cd /tmp; n=$((n+1)); done; exit 0"
    container = node.start("busy", script)
    follower = node.ctl("show", "n_busy", "--follow", "-o", "jsonl", "-e", "chdir")
    container.stdin.write("go\n")
    container.stdin.close()
    assert container.wait(TIMEOUT_S) == 0
    code, out = ended(follower)
    assert code == 0
    events = [json.loads(line) for line in out.splitlines()]
    calls = [event for event in events if event["syscall"] == "chdir" and event["comm"] == "sh"]
    assert len({event["ts_ns"] for event in calls}) == len(calls)
    lost = sum(event["events"] or 0 for event in events if event["event"] == "lost")
    assert lost > 0 or len(calls) == 6000
    whole = [json.loads(line) for line in node.shown("n_busy", "-o", "jsonl", "-e", "chdir").splitlines()]
    present = {event["ts_ns"] for event in whole if event["syscall"] == "chdir"}
    assert present <= {event["ts_ns"] for event in events if event["syscall"] == "chdir"}


def test_the_last_lines_first(node):
    container = node.start("tail", "echo a; echo b; echo c; read x; echo d")
    assert [container.stdout.readline() for _ in "abc"] == ["a\n", "b\n", "c\n"]
    follower = node.ctl("show", "n_tail", "-f", "-n", "2", "-e", "write", "--where", "returned")
    assert len(line_with(follower, '"c\\n"')) == 2
    container.stdin.write("x\n")
    container.stdin.close()
    line_with(follower, '"d\\n"')
    container.wait(TIMEOUT_S)
    assert ended(follower)[0] == 0


def test_a_trace_that_has_ended_is_shown_to_its_end(node):
    container = node.start("over", "true")
    container.stdin.close()
    container.wait(TIMEOUT_S)
    assert ended(node.ctl("wait", "n_over")) == (0, "0\n")
    assert ended(node.ctl("show", "n_over", "-f"))[1] == node.shown("n_over")


@pytest.mark.parametrize(
    ("name", "script", "code", "said"),
    [("code", "read x; exit 17", 17, "17\n"), ("signal", "read x; exec sleep 60", 137, "SIGKILL\n")],
)
def test_wait_ends_as_the_container_does(node, name, script, code, said):
    container = node.start(name, script)
    waiter = node.ctl("wait", f"n_{name}")
    with pytest.raises(subprocess.TimeoutExpired):
        waiter.wait(1)
    container.stdin.write("x\n")
    container.stdin.close()
    if said.startswith("SIG"):
        node.kill(name)
    container.wait(TIMEOUT_S)
    assert ended(waiter) == (code, said)


def test_a_trace_that_is_closed_meanwhile_is_an_error(node):
    container = node.start("closed", "read x")
    waiter, follower = node.ctl("wait", "n_closed"), node.ctl("show", "n_closed", "-f")
    line_with(follower, "poll(")
    assert ended(node.ctl("close", "n_closed"))[0] == 0
    for process in (waiter, follower):
        _, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 1
        assert re.fullmatch(r"traceloopctl: trace n_closed (was closed before its recording ended|is closed.*)\n", err)
    container.stdin.close()
    container.wait(TIMEOUT_S)
