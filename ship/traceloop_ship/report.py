# SPDX-License-Identifier: Apache-2.0
"""Writes what was shipped: counters over all runs as JSON, and as metrics for node_exporter's textfile collector."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from traceloop_ship.shipping import Outcome

_NAME: Final = "state.json"  # the daemon reads it, for its statistics
_TOTALS: Final = ("runs", "failed_runs", "traces", "bytes")
_TIMES: Final = ("last_success_s", "failing_since_s")
_METRICS: Final = (  # key of the state, kind, help
    ("traces", "counter", "Traces that were shipped."),
    ("bytes", "counter", "Bytes that were shipped."),
    ("runs", "counter", "Runs of traceloop-ship."),
    ("failed_runs", "counter", "Runs in which a trace could not be shipped."),
    ("waiting", "gauge", "Traces that wait to be shipped."),
    ("unreadable", "gauge", "Files of the archive that are not shipped because their heads cannot be read."),
    ("last_success_s", "gauge", "Time of the last run after which no trace waited, in seconds since 1970."),
)


def report(directory: Path, textfile: str, outcome: Outcome, now_s: float) -> None:
    """Adds a run to the state in a directory, and writes the metrics if `textfile` is not empty. Raises OSError."""
    path = directory / _NAME
    state: dict[str, Any] = dict.fromkeys((*_TOTALS, *_TIMES), 0)
    with suppress(FileNotFoundError, ValueError):  # the first run, or a damaged file
        found = json.loads(path.read_text())
        if isinstance(found, dict):
            state |= {name: found[name] for name in state if isinstance(found.get(name), int | float)}
    state["runs"] += 1
    state["failed_runs"] += bool(outcome.error)
    state["traces"] += outcome.shipped
    state["bytes"] += outcome.shipped_bytes
    state |= {"waiting": outcome.waiting, "unreadable": outcome.unreadable, "error": outcome.error}
    state["failing_since_s"] = (state["failing_since_s"] or round(now_s, 3)) if outcome.error else 0
    if not outcome.error and not outcome.waiting:
        state["last_success_s"] = round(now_s, 3)
    _replace(path, json.dumps(state, indent=1) + "\n")
    if textfile:
        _replace(Path(textfile), metrics(state))


def metrics(state: dict[str, Any]) -> str:
    """Returns a state in the text format of Prometheus."""
    lines = []
    for name, kind, what in _METRICS:
        full = f"traceloop_ship_{name.removesuffix('_s')}{'_total' if kind == 'counter' else ''}"
        full = f"{full}_timestamp_seconds" if name.endswith("_s") else full
        lines += [f"# HELP {full} {what}", f"# TYPE {full} {kind}", f"{full} {state[name]}"]
    return "".join(f"{line}\n" for line in lines)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    os.chmod(temporary, 0o644)  # noqa: PTH101 - the collector reads it
    temporary.replace(path)
