# SPDX-License-Identifier: Apache-2.0
"""`python -m traceloop_bpf.check` tries to load the recorder, and with -v prints the verifier's whole log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from traceloop_bpf import bpfcalls, btf, capabilities, compiler, io_uring, loader
from traceloop_bpf.errors import LoadError
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join(str(ROOT / folder) for folder in ("bpf", "decode"))


ENVIRONMENT = os.environ | {"PYTHONPATH": PATH, "BCC_KERNEL_SOURCE": str(ROOT / "bpf/traceloop_bpf/headers")}


def programs_here() -> tuple[str, ...]:
    """Returns the functions that have a tracepoint on this kernel."""
    with btf.opened() as types:
        return tuple(compiler.programs_of(io_uring.find(types), btf.read(types) | capabilities.find(types)))


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *argv], env=ENVIRONMENT, capture_output=True, text=True, check=False)


@dataclass
class Said:
    """The output about one program: the kernel's answer, and the size, first line and last lines of its log."""

    answer: str
    lines: int = 0
    first: str = ""
    last: deque[str] = field(default_factory=lambda: deque(maxlen=8))

    def add(self, line: str) -> None:
        self.lines += 1
        self.first = self.first or line
        self.last.append(line)


def logged(*argv: str) -> tuple[dict[str, Said], str, str]:
    """Runs a command; returns its output by program, its last line, and its stderr, as the whole log is too large."""
    found: dict[str, Said] = {}
    said, line = Said(""), ""
    with subprocess.Popen(
        [sys.executable, "-m", *argv], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if line.startswith("== "):
                name, _, answer = line.removeprefix("== ").rstrip().partition(": ")
                said = found[name] = Said(answer)
            else:
                said.add(line)
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    return found, line, errors


def test_the_verifier_s_whole_log_comes_before_the_result() -> None:
    wanted = ("on_process_fork", "on_signal_deliver")
    found, result, errors = logged("traceloop_bpf.check", "-v", *wanted)
    assert errors == ""
    assert json.loads(result).keys() == {"bcc", "took_s", "io_uring", "capabilities"}
    assert {name: said.answer for name, said in found.items()} == dict.fromkeys(wanted, "accepted")
    tracer = Tracer.load(Plan(pool_size=1))
    try:
        with tracer._programs.held() as programs:
            counts = {name: int(bpfcalls.about(fd)["verified_insns"]) for name, fd in programs.items()}
    finally:
        tracer.close()
    for name, said in found.items():  # each visit of each instruction, up to the summary
        assert said.first == "func#0 @0\n"
        assert said.lines > counts[name]
        assert f"processed {counts[name]} insns" in "".join(said.last)


def test_a_program_that_is_refused_says_why() -> None:
    # With -3 as the maximum, no length exceeds it, so none is limited.
    values = loader.values_of(Plan(pool_size=1).about().geometry, {"TL_ITEM_MAX": -3})
    found, _, errors = logged("traceloop_bpf.compiler", json.dumps(values), "log")
    answers = {name: said.answer for name, said in found.items()}
    capturing = ("on_sys_enter", "on_sys_exit", "on_seccomp_end", *io_uring.TRACEPOINTS)
    refused = dict.fromkeys((name for name in capturing if name in answers), "Permission denied")
    assert answers == dict.fromkeys(programs_here(), "accepted") | refused
    why = "R2 unbounded memory access"  # R2 is the length
    assert all(any(line.startswith(why) for line in found[name].last) for name in refused)
    assert errors == ""


def test_a_recorder_that_is_refused_is_one_line_and_its_log_apart() -> None:
    """The verifier's log is longer than a pipe holds, and its end is kept."""
    with pytest.raises(LoadError) as refusal:
        loader.load(Plan(pool_size=1).about(), 1, {"TL_ITEM_MAX": -3})
    name, why = "(on_io_uring_submit|on_sys_enter|on_seccomp_end|on_sys_exit)", "Permission denied: please report it"
    assert re.fullmatch(rf"the kernel refuses the program {name}: {why}[ -~]*", str(refusal.value))
    assert any("R2 unbounded memory access" in line for line in refusal.value.log)


def test_a_recorder_that_does_not_compile_is_one_line_too() -> None:
    with pytest.raises(LoadError, match=r"\Atracer\.bpf\.c does not compile: please report it[ -~]*\Z") as refusal:
        loader.load(Plan(pool_size=1).about(), 1, {"TL_SLACK": 8})
    assert any("TL_DATA_OFFSET" in line for line in refusal.value.log)


def test_a_program_that_there_is_not() -> None:
    said = json.loads(run("traceloop_bpf.check", "-v", "on_nothing").stdout)["error"]
    assert said == f"there is no program on_nothing on this kernel: there are {', '.join(programs_here())}"


def test_an_option_that_there_is_not() -> None:
    ended = run("traceloop_bpf.check", "--verbos")
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == "python -m traceloop_bpf.check: error: unrecognized arguments: --verbos"


def test_without_it_there_is_the_result_alone() -> None:
    ended = run("traceloop_bpf.check")
    assert json.loads(ended.stdout).keys() == {"bcc", "took_s", "io_uring", "capabilities"}
