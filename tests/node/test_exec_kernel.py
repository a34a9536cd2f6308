# SPDX-License-Identifier: Apache-2.0
"""The arguments of an execve that are read only from the new program's memory."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from recorded_cgroups import Container, Workloads, only, raw, text

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.text import classic, jsonl, short, strace
from traceloop_decode.values.options import Options

pytestmark = pytest.mark.kernel

PAGE = 4096
AT_FDCWD = 0xFFFF_FF9C


def test_names_on_pages_that_were_not_touched(container: Container, workload: Workloads, tmp_path: Path) -> None:
    """A caller's argv[0] never passes for the file, and only names that the call was given are shown."""
    program, script, cold = tmp_path / "program", tmp_path / "script", tmp_path / "cold"
    shutil.copy(shutil.which("true") or "", program)
    script.write_text(f"#!{program} -x\n")
    script.chmod(0o755)
    strings = bytes(program), b"program", bytes(script), b"cold0\0cold1"
    cold.write_bytes(b"".join(string.ljust(PAGE, b"\0") for string in strings))
    children = container.run(workload("execveat"), str(program), str(script), str(cold), str(tmp_path))
    calls = {call.tid: call for call in container.calls("execve", "execveat")}
    absolute, relative, empty, by_script = (calls[int(line)] for line in children)
    for call, name in ((absolute, bytes(program)), (relative, b"program"), (empty, b"")):
        assert (call.name, call.result, only(call.args[1].items).data) == ("execveat", 0, name)
        assert [(item.kind, item.data) for item in call.args[2].items] == [
            (layout.KIND_STRING, b"cold0"),
            (layout.KIND_STRING, b"cold1"),
            (layout.KIND_ARGV, b""),
        ]
    assert raw(absolute)[0] & 0xFFFF_FFFF == AT_FDCWD
    # A script's interpreter takes the place of argv[0], which nothing keeps.
    assert (by_script.name, only(by_script.args[0].items).data) == ("execve", bytes(script))
    first, second, end = by_script.args[1].items
    assert (first.data, first.fault, second.data, end.size) == (b"", True, b"cold1", 2)
    (line,) = short.lines([absolute], container.snapshot())
    assert f', filename="{program}", argv=["cold0", "cold1"], envp=' in line
    (line,) = short.lines([by_script], container.snapshot())
    assert f'execve(filename="{script}", argv=[..., "cold1"], envp=' in line


def test_an_environment_is_recorded_if_that_is_wanted(workload: Workloads) -> None:
    with closing(Tracer.load(Plan(pool_size=1, environment=True))) as tracer, Container(tracer) as container:
        container.run("/usr/bin/env", "-i", "ONE=1", "TWO=2", "/bin/true")
        container.run(workload("environments"), "3", "20")
        snapshot, found = container.snapshot(), container.calls("execve")
    true = next(call for call in found if text(call, 0) == b"/bin/true")
    usual, verbose = (next(strace.lines([true], snapshot, options)) for options in (Options(), Options(verbose=True)))
    assert f"{true.args[2].raw:#x} /* 2 vars */) = 0" in usual
    assert '["/bin/true"], ["ONE=1", "TWO=2"]) = 0' in verbose
    (shown,) = jsonl.lines([true], snapshot)
    assert [one["data"] for one in json.loads(shown)["args"][2]["list"]] == ["ONE=1", "TWO=2"]
    three, twenty = (next(strace.lines([call], snapshot, Options(verbose=True))) for call in found[-2:])
    assert three.count('"NAME=value"') == 3
    assert '"NAME=value", ...]) = -1 ENOENT' in twenty


# Number of variables, negative without a null pointer -> what is said of them. 31 pointers are counted at a time.
ENVIRONMENTS = {
    0: " /* 0 vars */",
    1: " /* 1 var */",
    30: " /* 30 vars */",
    31: " /* 31 vars */",
    32: " /* 32 vars */",
    300: " /* 300 vars */",
    480: " /* 480 vars */",
    512: " /* 466 or more vars */",  # of an array that begins with one pointer before a page
    2000: " /* 496 or more vars */",
    -1: " /* 1 var, unterminated */",
    -40: " /* 40 vars, unterminated */",
}


def test_an_environment_is_counted_and_not_recorded(container: Container, workload: Workloads) -> None:
    container.run(workload("environments"), *map(str, ENVIRONMENTS))
    found = container.calls("execve")[-len(ENVIRONMENTS) :]
    lines = list(strace.lines(found, container.snapshot()))
    shown = [line.partition("], 0x")[2].partition(") = -1")[0].partition(" ")[2] for line in lines]
    assert [f" {text}" for text in shown] == list(ENVIRONMENTS.values())
    assert all(not item.data for call in found for item in call.args[2].items)
    for line, call in zip(classic.lines(found, container.snapshot()), found, strict=True):
        assert line.partition("envp=")[2] == f"{call.args[2].raw}) = {(1 << 64) - 2}"
    for line in jsonl.lines(found, container.snapshot()):
        assert {"data", "list"}.isdisjoint(json.loads(line)["args"][2])
