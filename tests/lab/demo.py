# SPDX-License-Identifier: Apache-2.0
"""Plays the two demos: recovers what a deleted container computed, and lists files that its output did not show.

A shell runs each line after a `$` exactly as shown. Exits with status 1 if a demo did not show what it promises.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from patience import PATIENCE

from lab import Daemon, Runc, hooks, make_bundle, make_root, pod_annotations
from lab.daemon import BIN

MULTIPLICATION = 'RANDOM=output ; echo "3*7*2" | bc > /tmp/file-$RANDOM ; cat /tmp/file-$RANDOM'
_POD = "mypod"
LISTING = "ls -l /bin | grep wget"


class Stage:
    """A directory with a bundle for each demo, and a shell whose runc and traceloopctl are the lab's."""

    def __init__(self, directory: Path, daemon: Daemon, runc: Runc) -> None:
        self._directory = directory
        self._daemon = daemon
        root = make_root(directory / "root")
        for name, script in {"multiplication": MULTIPLICATION, "listing": LISTING}.items():
            make_bundle(
                directory / name,
                root,
                ["sh", "-c", script],
                hooks=hooks(daemon.hook_socket),
                annotations=pod_annotations(_POD),
            )
        programs = directory / "bin"
        programs.mkdir()
        state = shlex.quote(str(runc.state))
        (programs / "runc").write_text(f'#!/bin/sh\nPATH=${{PATH#*:}} exec runc --root {state} "$@"\n')
        (programs / "runc").chmod(0o755)
        (programs / "traceloopctl").symlink_to(BIN / "traceloopctl")
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "TRACELOOP_ADDRESS": daemon.address,
        }

    def play(self, line: str) -> str:
        """Runs a command line, shows it with its output, and returns the output."""
        print(f"\033[1m$ {line}\033[0m" if sys.stdout.isatty() else f"$ {line}", flush=True)
        ended = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
        )
        print(ended.stdout, flush=True)
        return ended.stdout

    def trace_id(self) -> str:
        """Returns the id that a person would read off the list."""
        traces = json.loads(self._daemon.ctl("list", "-o", "json").stdout)
        match [trace for trace in traces if trace["pod"] == _POD]:  # the machine may run other containers
            case [{"id": trace_id}]:
                return str(trace_id)
        sys.exit(f"demo: the container was not recorded. The daemon wrote:\n{self._daemon.log}")


def multiplication(stage: Stage) -> bool:
    print(f"A container computes an important multiplication:\n\n    sh -c '{MULTIPLICATION}'\n")
    failure = stage.play("runc run --keep --bundle multiplication mypod")
    stage.play("runc delete mypod")
    print("Oh no: the shell script opened the wrong file. Is the result lost for ever? Its flight recorder knows.\n")
    stage.play("traceloopctl list")
    shown = stage.play(f"traceloopctl show {stage.trace_id()} | grep -E 'write|/tmp/file'")
    result = re.search(r'\[bc\] write\(.*"(\d+)\\n"', shown)
    written = re.search(r'\[sh\] open\w*\(.*"(/tmp/file-\d+)"', shown)
    opened = re.search(r"can't open '(/tmp/file-\d+)'", failure)
    if not (result and written and opened):
        return False
    print(f"The result was {result[1]}. It was saved in {written[1]}, but the script opened {opened[1]}.\n")
    closed = stage.play(f"traceloopctl close {stage.trace_id()}")
    return result[1] == "42" and written[1] != opened[1] and closed == "closed\n"


def listing(stage: Stage) -> bool:
    print(f"Another one lists the programs in /bin, and filters what it prints:\n\n    sh -c '{LISTING}'\n")
    stage.play("runc run --keep --bundle listing mypod")
    stage.play("runc delete mypod")
    print("Because of the grep, only one is to be seen. But the others can be recovered:\n")
    stage.play("traceloopctl list")
    shown = stage.play(f"traceloopctl show {stage.trace_id()} | grep /bin/w")
    found = {*re.findall(r'"/bin/(w\w*)"', shown)}
    closed = stage.play(f"traceloopctl close {stage.trace_id()}")
    return found >= {"w", "watch", "wc", "wget", "which", "who", "whoami"} and closed == "closed\n"


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # exits in a way that cleans up
    with TemporaryDirectory(prefix="traceloop-demo-") as name, Daemon() as daemon, Runc(Path(name) / "runc") as runc:
        stage = Stage(Path(name), daemon, runc)
        failed = [demo.__name__ for demo in (multiplication, listing) if not demo(stage)]
        if failed:
            print(
                f"demo: {' and '.join(failed)}: not what was promised. The daemon wrote:\n{daemon.log}", file=sys.stderr
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
