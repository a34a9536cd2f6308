# SPDX-License-Identifier: Apache-2.0
"""Lists and shows traces inside the lab through traceloopctl's own entry point, with one process for many traces.

    check.py LIBRARY        reads a JSON list of containers' ids from stdin, or null, which shows nothing
    -> {"list": [...], "shown": {container id: {"status": …, "stderr": …, "events": …, "lost": …, "calls": [...]}}}

events: number of events shown with their beginning. lost: number of events reported missing. calls: the second arguments
of the lseek calls, as [smallest, largest, count, whether each occurs once].
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from tempfile import TemporaryFile
from typing import Any


def run(*words: str) -> tuple[int, str, str]:
    """Runs a command; returns its exit status, stdout and stderr."""
    from traceloop_cli.main import main

    sys.argv = ["traceloopctl", *words]
    stderr = io.StringIO()
    status: Any = 0
    with TemporaryFile("w+") as stdout:  # traceloopctl needs a stdout with a descriptor
        with redirect_stdout(stdout), redirect_stderr(stderr):
            try:
                main()
            except SystemExit as end:
                status = end.code
        stdout.seek(0)
        return status, stdout.read(), stderr.getvalue()


def show(trace_id: str) -> dict[str, Any]:
    status, stdout, stderr = run("show", trace_id, "--last", "-o", "jsonl")
    events = lost = 0
    calls: list[int] = []
    for line in stdout.splitlines():
        event = json.loads(line)
        if event["event"] == "lost":
            lost += event["events"]
        elif not event.get("entry_lost"):
            events += 1
            if event["syscall"] == "lseek":
                calls.append(event["args"][1]["raw"])
    return {"status": status, "stderr": stderr, "events": events, "lost": lost, "calls": calls}


def main() -> None:
    sys.path.insert(0, sys.argv.pop(1))
    wanted = json.load(sys.stdin)
    status, stdout, stderr = run("list", "-o", "json")
    if status:
        sys.exit(f"list: {status}: {stderr}")
    traces = json.loads(stdout)
    shown = {}
    for trace in traces:
        if trace["container_id"] in (wanted or ()):
            found = show(trace["id"])
            calls = found.pop("calls")
            found["calls"] = [min(calls, default=-1), max(calls, default=-1), len(calls), len(set(calls)) == len(calls)]
            shown.setdefault(trace["container_id"], []).append(found)
    keys = ("id", "container_id", "state", "events", "lost", "exit_code", "started", "ended")
    print(json.dumps({"list": [{key: trace[key] for key in keys} for trace in traces], "shown": shown}))


if __name__ == "__main__":
    main()
