# SPDX-License-Identifier: Apache-2.0
"""Compares the lines of strace and of the recorder for the same program. As a command, it shows the lines that differ::

    PYTHONPATH=tests:tests/support .venv/bin/python -m strace.compare files_open [process_fork ...] [-- -v -s 100]

- is strace's line, + is ours. Without names, it runs all workloads and prints only the counts. --here prints our lines,
--strace theirs. --floors prints the FLOORS of tests/node/test_strace.py. Options that both strace and traceloopctl know
follow --. Needs root.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path

from strace.normal import by_thread, is_artefact, workloads
from strace.programs import WORKLOADS, Program
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode.values.options import Options

RING_SIZE = 8 << 20  # in bytes: no call of a workload may be overwritten
_CALL = re.compile(r"(\w+)\(")


@dataclass
class Comparison:
    """The lines of two runs, compared. compared: strace's lines, and ours that strace lacks. equal: in both, in order.

    unequal: the others, as (strace's, ours). calls: names of the calls with at least one equal line.
    """

    compared: int = 0
    equal: int = 0
    unequal: list[tuple[list[str], list[str]]] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)


def compare(theirs: list[str], ours: list[str]) -> Comparison:
    """Compares the lines of two runs, thread by thread."""
    parent, found = os.getpid(), Comparison()
    expected, shown = by_thread(theirs, parent), by_thread(ours, parent)
    for thread in expected | shown:
        left, right = expected.get(thread, []), shown.get(thread, [])
        for what, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            if what == "equal":
                found.equal += b - a
                found.compared += b - a
                found.calls |= {match[1] for line in left[a:b] if (match := _CALL.match(line))}
                continue
            differ = [[line for line in lines if not is_artefact(line)] for lines in (left[a:b], right[c:d])]
            if differ[0] or differ[1]:
                found.compared += max(map(len, differ))
                found.unequal.append((differ[0], differ[1]))
    return found


def run(name: str, tracer: Tracer, directory: Path, flags: tuple[str, ...] = ()) -> Comparison:
    """Runs a workload both ways and compares the lines. flags: strace's options; `options_of` gives ours."""
    program = Program(name, directory)
    return compare(program.under_strace(*flags), program.recorded(tracer, options_of(flags)))


def options_of(flags: tuple[str, ...]) -> Options:
    """Converts strace's -s N, -v, -x, -xx, -X FORM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", dest="string_max", type=int, default=32)
    parser.add_argument("-v", dest="verbose", action="store_true")
    parser.add_argument("-x", dest="escape", action="count", default=0)
    parser.add_argument("-X", dest="constants", default="abbrev")
    return Options(**vars(parser.parse_args(flags)))


def main(arguments: list[str]) -> None:
    """Runs the command."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    flags = tuple(arguments[at + 1 :])
    names = [name for name in arguments[:at] if not name.startswith("--")]
    equal, compared, calls = 0, 0, set()
    with (
        closing(Tracer.load(Plan(ring_size=RING_SIZE, pool_size=1))) as tracer,
        tempfile.TemporaryDirectory() as directory,
    ):
        for name in names or workloads(WORKLOADS):
            program = Program(name, Path(directory))
            theirs, ours = program.under_strace(*flags), program.recorded(tracer, options_of(flags))
            found = compare(theirs, ours)
            for option, lines in (("--strace", theirs), ("--here", ours)):
                if option in arguments:
                    print(*lines, sep="\n")
            for left, right in found.unequal if names else []:
                for pair in zip_longest(left, right):
                    print(
                        *(f"{sign} {line}" for sign, line in zip("-+", pair, strict=True) if line is not None), sep="\n"
                    )
            if "--floors" in arguments:
                print(f'    "{name}": ({found.equal}, {found.compared - found.equal}),')
            else:
                print(f"{name}: {found.equal} of {found.compared} lines equal, {len(found.calls)} calls")
            equal, compared = equal + found.equal, compared + found.compared
            calls |= found.calls
    print(f"all: {equal} of {compared} lines equal, {len(calls)} distinct calls")


if __name__ == "__main__":
    main(sys.argv[1:])
