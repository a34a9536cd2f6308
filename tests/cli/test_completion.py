# SPDX-License-Identifier: Apache-2.0
"""Completion in real shells, by a key press, against a real gRPC server; and the examples at the end of each --help."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from command_lines import commands, parse
from fake_daemon import BUSYBOX, KILLED, daemon, path  # noqa: F401 - fixtures

from traceloop_cli.main import cli
from traceloop_cli.options.examples import EXAMPLES
from traceloop_proto import traceloop_pb2 as pb

pytestmark = pytest.mark.installed

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SCRIPTS = ROOT / "packaging/completion"
TIMEOUT_S = 20
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\0\a]")
VERBS = {"add", "close", "doctor", "dump", "info", "list", "show"}


def environment(path):  # noqa: F811
    found = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TRACELOOP_ADDRESS": f"unix:{path}", "TERM": "xterm"}
    return found | {"HOME": str(path.parent), "XDG_DATA_HOME": str(path.parent), "XDG_CONFIG_HOME": str(path.parent)}


class Terminal:
    """A program on its own terminal."""

    def __init__(self, words, **settings):
        self._file, theirs = pty.openpty()
        self._process = subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, **settings
        )
        os.close(theirs)
        self.shown = ""

    def type(self, text):
        self.shown = ""
        os.write(self._file, text.encode())

    def wait_for(self, pattern):
        """Waits until the output since the last `type` matches the pattern."""
        end = time.monotonic() + TIMEOUT_S
        while not re.search(pattern, self.shown):
            ready, _, _ = select.select([self._file], [], [], max(0, end - time.monotonic()))
            assert ready, f"{pattern!r} did not come: {self.shown!r}"
            self.shown += CONTROL.sub("", os.read(self._file, 1 << 16).decode(errors="replace"))

    def close(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._file)


def shell(name):
    if not shutil.which(name):
        pytest.skip(f"needs {name}")
    return name


@contextmanager
def bash(env):
    terminal = Terminal([shell("bash"), "--norc", "--noprofile", "-i"], env=env | {"PS1": "ready> "})
    try:
        terminal.type(f'. {SCRIPTS}/traceloopctl.bash; echo no""w\n')
        terminal.wait_for(r"now[^>]*ready> ")
        yield terminal
    finally:
        terminal.close()


@contextmanager
def zsh(env):
    # zsh finds the script by its name, as where packages install it.
    terminal = Terminal([shell("zsh"), "-f", "-i"], env=env)
    try:
        terminal.type(f"PS1='ready> '; fpath=({SCRIPTS} $fpath); autoload -U compinit; compinit -u -D; echo no\"\"w\n")
        terminal.wait_for(r"now[^>]*ready> ")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize("started", [bash, zsh])
def test_a_key_completes_verbs_options_and_live_ids(started, daemon, path):  # noqa: F811
    with started(environment(path)) as terminal:
        for typed, becomes in {
            "traceloopctl sh": "traceloopctl show ",
            "traceloopctl show --succ": "--successful-only ",
            "traceloopctl show -o strace -e trace=%file node1_default_m": "node1_default_mypod ",
            "traceloopctl info no": "node1_default_",
        }.items():
            terminal.type(f"{typed}\t")
            terminal.wait_for(re.escape(becomes))
            terminal.type("\x15")  # clears the line
        # Two ids match: both are shown, and the daemon is asked each time.
        terminal.type("traceloopctl close node1_default_\t\t")
        terminal.wait_for("node1_default_other")
        terminal.wait_for("node1_default_mypod")
        daemon.traces.remove(KILLED)
        terminal.type("\x15traceloopctl close node1_\t")
        terminal.wait_for("node1_default_mypod ")


def test_fish_completes_with_descriptions(daemon, path):  # noqa: F811
    def offered(line):
        script = f"source {SCRIPTS}/traceloopctl.fish; complete --do-complete {shlex.quote(line)}"
        ended = subprocess.run(
            [shell("fish"), "--no-config", "-c", script],
            env=environment(path),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        return ended.stdout.splitlines()

    assert {line.split("\t")[0] for line in offered("traceloopctl ")} >= VERBS
    assert [re.sub(r"\d+d", "Nd", line) for line in offered("traceloopctl show node1_default_")] == [
        "node1_default_other\trecording (Nd old)",
        "node1_default_mypod\tfrozen (Nd old)",
    ]
    daemon.traces = []
    assert offered("traceloopctl show node1_default_") == []


def completed(path, *words, incomplete=""):  # noqa: F811
    ended = subprocess.run(
        [BIN / "traceloopctl"],
        env=environment(path)
        | {
            "_TRACELOOPCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": shlex.join(("traceloopctl", *words, incomplete)),
            "COMP_CWORD": str(len(words) + 1),
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.stderr == ""
    return [line for line in ended.stdout.splitlines() if line]


def test_no_daemon_is_no_completion_and_no_noise(path):  # noqa: F811
    assert completed(path, "show") == []
    path.touch()
    assert completed(path, "show") == []
    assert completed(path, "--address", "nonsense", "show") == []
    assert {line.partition(",")[2] for line in completed(path)} >= VERBS


def test_ids_that_are_on_the_line_are_not_offered_again(daemon, path):  # noqa: F811
    assert completed(path, "close") == [f"plain,{KILLED.id}", f"plain,{BUSYBOX.id}"]
    assert completed(path, "close", KILLED.id) == [f"plain,{BUSYBOX.id}"]


def test_names_are_offered_once_they_are_begun(daemon, path):  # noqa: F811
    others = [
        pb.Trace(id=f"node1_shop_till_{number}", namespace="shop", pod="till", container="app", started_ns=number)
        for number in (1, 2)
    ]
    daemon.traces = [BUSYBOX, *others]
    for beginning, offered in {
        "m": ["mypod"],
        "default/": ["default/mypod"],
        "t": ["till", "till/app"],
        "shop/till/": ["shop/till/app"],
        "a": ["app"],
        "node1_s": ["node1_shop_till_2", "node1_shop_till_1"],
    }.items():
        assert completed(path, "info", incomplete=beginning) == [f"plain,{word}" for word in offered]


@pytest.mark.parametrize(
    "name", ["x$(id)", "x;id", "x y", "x`id`", "x'", "x\x1b[2J", "x\nplain,rm", "x\\", "x,y", "-x", "~x"]
)
def test_a_name_that_a_shell_would_read_otherwise_is_not_offered(daemon, path, name):  # noqa: F811
    daemon.traces = [pb.Trace(id="node1_x", container=name)]
    assert f"plain,{name.splitlines()[0]}" not in completed(path, "info", incomplete=name[0])


def test_the_address_that_is_on_the_line_is_asked(daemon, path):  # noqa: F811
    elsewhere = path.with_name("nobody.sock")
    assert completed(elsewhere, "show") == []
    assert completed(elsewhere, "--address", f"unix:{path}", "show") != []
    assert completed(elsewhere, "show", "--address", f"unix:{path}") != []


def test_another_machine_is_not_asked_and_this_ones_ids_are_not_offered_for_its(daemon, path, tmp_path, monkeypatch):  # noqa: F811
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("TRACELOOP_SSH", str(ssh))
    assert completed(path, "close") != []
    for words in (("-H", "far"), ("-Hfar",), ("--hosts", "file"), ("--archive", "a:b"), ("--address", "ssh:far")):
        assert completed(path, *words, "close") == []
    assert not (tmp_path / "asked").exists()


def test_what_others_chose_cannot_reach_the_line(daemon, path):  # noqa: F811
    daemon.traces = [pb.Trace(id="node1_default_my\x1b[2Jpod\nplain,rm"), KILLED]
    assert completed(path, "show") == [f"plain,{KILLED.id}"]


def test_verbs_are_the_same_for_click(path):  # noqa: F811
    offered = ShellComplete(cli, {}, "traceloopctl", "_TRACELOOPCTL_COMPLETE").get_completions([], "")
    assert {item.value for item in offered} == {name for name, verb in cli.commands.items() if not verb.hidden}


# --- help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, _ in commands()], ids=" ".join)
def test_help_fits_a_terminal_and_ends_with_examples(name):
    ended = subprocess.run(
        [BIN / "traceloopctl", *name, "--help"],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "  Examples:" in lines
    examples = [line.strip() for line in lines[lines.index("  Examples:") :] if line.startswith("    traceloopctl")]
    assert examples
    assert all(example.startswith(" ".join(("traceloopctl", *name))) for example in examples)


@pytest.mark.parametrize("line", [line for examples in EXAMPLES.values() for line, _ in examples])
def test_examples_are_command_lines(line):
    parse(line)
