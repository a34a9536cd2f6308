# SPDX-License-Identifier: Apache-2.0
"""The modules that programs load: the privileged daemon none that prints what programs did, a verb what it needs alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from traceloop_cli.commands import VERBS, Commands

ROOT = Path(__file__).parents[2]
FOLDERS = ("bpf", "decode", "proto", "daemon")
PRINTING = (
    *("traceloop_decode.printers", "traceloop_decode.text", "traceloop_decode.values", "traceloop_decode.constants"),
    *(f"traceloop_decode.tables.{name}" for name in ("flags", "ioctls", "structs")),
)


RULES = "from traceloop_decode.arguments.capture import calls_table; calls_table(4096, 16384)"


@pytest.mark.parametrize("module", ["traceloop_bpf.tracer", "traceloop_daemon.main"])
def test_the_daemon_loads_nothing_that_prints(module: str) -> None:
    path = os.pathsep.join(str(ROOT / folder) for folder in FOLDERS)
    run = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; {RULES}; print(*sys.modules)"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = run.stdout.split()
    assert {module, "traceloop_decode.layout"} <= {*loaded}
    assert not [name for name in loaded if name.startswith(PRINTING)]


ELSEWHERE = ("traceloop_cli.remote", "traceloop_cli.sources.store", "traceloop_cli.sources.fleet")
"""Modules for daemons of other machines."""
FOR_ASYNCIO = ("asyncio.base_events", "ssl", "grpc.aio._channel")
"""Modules that grpcio loads for programs that use asyncio."""
LOADED = """
import sys
from traceloop_cli.main import cli
sys.argv = ["traceloopctl", *sys.argv[1:]]
try:
    cli(standalone_mode=False)
except Exception as error:
    print(error, file=sys.stderr)
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (
            ["--help"],
            ("grpc", "google", "asyncio", "traceloop_proto", "traceloop_decode", "traceloop_cli.sources.client"),
        ),
        (
            ["list"],
            (
                "traceloop_decode.events",
                "traceloop_decode.printers",
                "traceloop_decode.snapshot",
                "traceloop_cli.checks",
                "traceloop_cli.engines",
                *ELSEWHERE,
                *FOR_ASYNCIO,
            ),
        ),
        (["info"], ("traceloop_decode.printers", "traceloop_cli.checks", "traceloop_cli.engines", *ELSEWHERE)),
        (
            ["show"],
            (
                *("traceloop_cli.checks", "traceloop_cli.engines", "traceloop_cli.options.expressions"),
                *(
                    "traceloop_decode.printers.network",
                    "traceloop_decode.printers.ioctl",
                    "traceloop_decode.tables.flags",
                ),
                *("traceloop_decode.text.jsonl", "traceloop_decode.text.strace"),
                *FOR_ASYNCIO,
            ),
        ),
    ],
)
def test_a_verb_loads_what_it_needs_alone(words: list[str], without: tuple[str, ...]) -> None:
    path = os.pathsep.join(str(ROOT / folder) for folder in ("cli", "decode", "proto"))
    address = [] if words == ["--help"] else ["--address", "unix:/nonexistent/socket"]
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *words, *address],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("no daemon at /nonexistent/socket" in run.stderr) == bool(address)
    loaded = run.stderr.splitlines()[-1].split()
    assert {"click", "traceloop_cli.main"} <= {*loaded}
    assert not [name for name in loaded if any(f"{name}.".startswith(f"{one}.") for one in without)]


def test_help_says_of_each_verb_what_the_verb_says() -> None:
    said = {verb: command.get_short_help_str(1000) for verb, command in Commands().items() if not command.hidden}
    assert said == VERBS


def test_what_grpcio_has_for_asyncio_is_loaded_when_it_is_used() -> None:
    code = """
import sys
from traceloop_cli.sources.grpc_import import grpc
assert "asyncio.base_events" not in sys.modules
import asyncio
from grpc import aio
async def connects():
    async with aio.insecure_channel("unix:/nonexistent") as channel:
        return channel.get_state()
print(asyncio.run(connects()))
"""
    path = os.pathsep.join(str(ROOT / folder) for folder in ("cli", "decode", "proto"))
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert run.stdout == "ChannelConnectivity.IDLE\n"


def test_info_loads_no_decoder() -> None:
    code = """
import sys
from traceloop_cli.display.traces import trace_object
from traceloop_proto.traceloop_pb2 import Trace
assert trace_object(Trace(id="n_a", capabilities_granted=1))["capabilities_granted"] == ["CAP_CHOWN"]
print(*sys.modules)
"""
    path = os.pathsep.join(str(ROOT / folder) for folder in ("cli", "decode", "proto"))
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert not {"traceloop_decode.snapshot", "traceloop_decode.model"} & {*run.stdout.split()}
