# SPDX-License-Identifier: Apache-2.0
"""What a shell offers for an ID that is being typed: the ids of the traces that there are now."""

from __future__ import annotations

import time
from typing import Final

from click.shell_completion import CompletionItem

from traceloop_cli.display.traces import age, state
from traceloop_cli.errors import CliError
from traceloop_cli.sources.client import recorder
from traceloop_decode.safe_text import printable
from traceloop_proto import recorder_pb2 as pb

_DEADLINE_S: Final = 0.5


def trace_ids(address: str, beginning: str) -> list[CompletionItem]:
    """The ids that begin so, newest first, each with its state as help; none if the daemon does not answer in time."""
    try:
        with recorder(address) as daemon:
            traces = daemon.List(pb.ListRequest(), timeout=_DEADLINE_S).traces
    except (CliError, ValueError):
        return []  # whoever presses a key wants no error text in the line that is being typed
    now_ns = time.time_ns()
    return [
        CompletionItem(trace.id, help=_help(trace, now_ns))
        for trace in reversed(traces)
        if trace.id.startswith(beginning) and printable(trace.id) == trace.id
    ]


def _help(trace: pb.Trace, now_ns: int) -> str:
    return f"{state(trace)} ({age(now_ns - trace.started_ns)} old)" if trace.started_ns else state(trace)
