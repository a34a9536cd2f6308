# SPDX-License-Identifier: Apache-2.0
"""Completion of traces' ids and names for shells."""

from __future__ import annotations

import re
import time
from typing import Final

from click.shell_completion import CompletionItem

from traceloop_cli.display.traces import age, state
from traceloop_cli.errors import CliError
from traceloop_cli.sources.addresses import Local, parsed
from traceloop_cli.sources.client import connected
from traceloop_decode.names import names
from traceloop_proto import traceloop_pb2 as pb

_DEADLINE_S: Final = 0.5
_PLAIN: Final = re.compile(r"[A-Za-z0-9][\w.:@+/-]*", re.ASCII)  # others chose the names: a shell must not run them


def trace_words(address: str, beginning: str) -> list[CompletionItem]:
    """Returns the ids and names with this beginning, newest first, with states as help.

    Returns ids alone for an empty beginning, because each trace has one; nothing if the daemon does not answer, or is
    on another machine.
    """
    try:
        if not isinstance(parsed(address), Local):  # ssh could ask for a password, or wait for minutes
            return []
        with connected(address) as daemon:
            traces = daemon.List(pb.ListRequest(), timeout=_DEADLINE_S).traces
    except (CliError, ValueError):
        return []  # an error message would garble the command line that the user is typing
    now_ns = time.time_ns()
    newest: dict[str, pb.Trace] = {}
    for trace in reversed(traces):
        for word in (trace.id, *(names(trace.namespace, trace.pod, trace.container) if beginning else ())):
            if word.startswith(beginning) and _PLAIN.fullmatch(word):
                newest.setdefault(word, trace)
    return [CompletionItem(word, help=_help(trace, now_ns)) for word, trace in newest.items()]


def _help(trace: pb.Trace, now_ns: int) -> str:
    return f"{state(trace)} ({age(now_ns - trace.started_ns)} old)" if trace.started_ns else state(trace)
