# SPDX-License-Identifier: Apache-2.0
"""Names of traced programs, pods and cgroups never reach a terminal raw: every byte value, every command.

Runs the real daemon and recorder; traceloopctl has a pseudo-terminal for input and output, as from a shell.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess

import pytest
from lab import Daemon
from lab.daemon import BIN
from recorded_cgroups import TIMEOUT_S, Cgroup
from test_daemon import HOOK, inside, listed, send, start, trace_of

pytestmark = pytest.mark.kernel

OBEYED = ["\x1b[2J", "\x1b]0;title\x07", "\x1bc", "\x9b2J", "a\rb", "a\bb", "a\x7fb", "\u202ertl", "a\nb", "\ud800"]
OF_CGROUPS = "".join(OBEYED[:-2]) + "a\x85b\x1cb"  # the kernel refuses newlines in their names
NOT_UTF_8 = "\udc9b2J"
EVERY = [chr(code) for code in range(1, 256)]
ALLOWED = set(range(0x20, 0x7F)) | {ord("\n"), ord("\r")}
SHOW = [
    *(["-o", form] for form in ("short", "strace", "classic", "json", "jsonl")),
    *(["-x"], ["-xx"], ["-v"], ["-y"], ["-yy"], ["-X", "verbose"], ["-X", "raw"], ["-s", "1000"], ["-s", "0"], ["-c"]),
    *(["-o", "strace", "-yy", "-v", "-t", "-T", "-xx"], ["-o", "strace", "-ttt", "--relative-timestamps"]),
    *(["-e", "trace=open,write"], ["-e", "\x1b[2J"], ["-P", "\x1b[2J"], ["-e", "trace=\x1b[2J"], ["-o", "\x1b[2J"]),
]


@pytest.fixture(scope="module")
def daemon():
    with Daemon(config='node = "node1"\n') as daemon:
        yield daemon


@pytest.fixture(scope="module")
def trace(daemon, workload, tmp_path_factory):
    """The trace of a pod whose names are all terminal controls, and whose program uses every byte."""
    names = {
        f"io.kubernetes.cri.{key}": "".join(OBEYED)
        for key in ("sandbox-name", "sandbox-namespace", "sandbox-uid", "container-name", "image-name")
    }
    directory = tmp_path_factory.mktemp("escapes")
    program = ("sh", "-c", 'read x; exec "$0" "$1"', workload("escapes"), str(directory))
    with Cgroup() as cgroup, inside(cgroup, *program) as process:
        assert start(daemon, "escapes", process.pid, **names) == "ok\n"
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.stdout.read() == bytes(range(256)) + b"\0"
        process.wait(TIMEOUT_S)
    return trace_of(daemon, "escapes")["id"]


def seen(daemon, *words, **env):
    """Returns traceloopctl's output on a terminal, without its own colours unless `env` sets them."""
    ours, theirs = pty.openpty()
    plain = {"TERM": "xterm-256color", "SYSTEMD_PAGER": "", "NO_COLOR": "1"}
    env = os.environ | {"TRACELOOP_ADDRESS": daemon.address} | plain | env
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            process = subprocess.Popen(
                [os.fsencode(BIN / "traceloopctl"), *(word.encode("utf-8", "surrogatepass") for word in words)],
                stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(theirs)
        output = b""
        try:
            while part := terminal.read(1 << 16):
                output += part
        except OSError:  # EIO: no process has the terminal open any more
            pass
        process.wait(TIMEOUT_S)
    return output


def assert_plain(output):
    assert output
    raw = {byte for byte in output if byte not in ALLOWED}
    assert not raw, f"raw: {sorted(raw)}"
    assert b"\r" not in output.replace(b"\r\n", b"")


@pytest.mark.parametrize("options", SHOW, ids=ascii)
def test_show(daemon, trace, options):
    assert_plain(seen(daemon, "show", trace, *options))


@pytest.mark.parametrize("options", [[], ["-y"], ["-o", "strace", "-T"], ["-o", "classic"], ["-o", "jsonl"]], ids=ascii)
def test_colour_adds_its_codes_and_nothing_else(daemon, trace, options):
    plain = seen(daemon, "show", trace, *options)
    coloured = seen(daemon, "show", trace, *options, NO_COLOR="")
    assert re.sub(rb"\x1b\[(0|1|31|33)m", b"", coloured) == plain
    assert (coloured != plain) == (options[1:] not in (["classic"], ["jsonl"]))  # these print no error names


def test_what_was_written_was_recorded(daemon, trace):
    """The trace has the bytes; otherwise the tests above would prove little."""
    shown = [json.loads(line) for line in seen(daemon, "show", trace, "-o", "jsonl").splitlines()]
    names = {event["comm"].encode("latin-1", "replace")[:1] for event in shown if event["comm"]}
    assert len(names) > 60
    opened = {event["args"][0].get("data") for event in shown if event["syscall"] in ("mkdir", "rmdir")}
    assert {f"{chr(code)}x" for code in range(1, 128) if chr(code) != "/"} <= opened
    assert "\x1b[2J" in opened


@pytest.mark.parametrize("words", [["list"], ["list", "-o", "json"], ["info"], ["show"]], ids=" ".join)
def test_names(daemon, trace, words):
    assert_plain(seen(daemon, *words, *([trace] if words[0] in ("info", "show") else [])))


@pytest.mark.parametrize("name", ["".join(OBEYED), "".join(EVERY)], ids=["obeyed", "every"])
@pytest.mark.parametrize("verb", ["add", "close", "info", "show", "list"])
def test_words_of_the_command_line_come_back_escaped(daemon, trace, verb, name):
    words = {"add": ["--cgroup", f"/no/{name}", "--name", name], "list": [f"--{name}"]}.get(verb, [name])
    assert_plain(seen(daemon, verb, *words))


def test_an_added_cgroup_of_that_name(daemon):
    name = OF_CGROUPS
    with Cgroup(suffix=name) as cgroup:
        added, again = (seen(daemon, "add", "--cgroup", str(cgroup.path), "--name", name) for _ in range(2))
        assert_plain(added)
        assert b"recorded already" in again
        assert_plain(again)
        trace_id = added.decode().strip()
        for words in (["info", trace_id], ["list"], ["list", "-o", "json"], ["close", trace_id]):
            assert_plain(seen(daemon, *words))


@pytest.mark.parametrize("name", [OF_CGROUPS, NOT_UTF_8], ids=["obeyed", "not UTF-8"])
def test_what_hooks_print_of_the_daemons_answer(daemon, name):
    with Cgroup(suffix=name) as cgroup, inside(cgroup, "cat") as process:
        for container_id in ("first", "second"):
            state = {"id": f"{container_id}-{cgroup.id}", "pid": process.pid, "annotations": {"a": name}}
            command = [HOOK, "start", "--socket", daemon.hook_socket]
            text = json.dumps(state).encode()
            said = subprocess.run(command, input=text, capture_output=True, check=True, timeout=TIMEOUT_S).stderr
        assert b"is being recorded already" in said
        assert_plain(said)
        for words in (["list"], ["list", "-o", "json"], ["info", f"first-{cgroup.id}"]):
            assert_plain(seen(daemon, *words))


def test_the_daemons_log(daemon, trace):
    """The log is plain after all that the tests above made the daemon write."""
    annotations = {"io.kubernetes.cri.sandbox-name": "\x1b[2J", "io.kubernetes.cri.container-type": "sandbox"}
    send(daemon, b"start\n" + json.dumps({"id": "p", "pid": os.getpid(), "annotations": annotations}).encode())
    send(daemon, b"start\n" + json.dumps({"id": "\x1b[2J", "pid": 1}).encode())
    send(daemon, "\x1b[2J\u202e\n{}".encode())
    assert listed(daemon)
    assert_plain(daemon.log.encode())
