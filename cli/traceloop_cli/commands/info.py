# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl info``: all that is known of a trace."""

from __future__ import annotations

from typing import Final

import click

from traceloop_cli.display.traces import trace_object
from traceloop_cli.options.common import address_option, check_source, trace_or_file
from traceloop_cli.sources.archive_files import described, read
from traceloop_cli.sources.client import DEADLINE_S, recorder
from traceloop_decode.safe_text import printable
from traceloop_decode.text.jsonl import dumps
from traceloop_proto.recorder_pb2 import TraceRequest

_OF_FILES: Final = ("arch", "kernel", "boot_id", "boot_offset_ns", "version")


@click.command("info")
@trace_or_file
@address_option()
@click.pass_obj
def command(address: str, trace: str | None, path: str | None) -> None:
    """Print what is known of a trace.

    Lines of `key: value`; what is not known is `-`. A file tells in addition what machine the trace is of.
    """
    check_source(trace, path)
    if path is not None:
        info, trace_message = described(read(path), path)
        shown = trace_object(trace_message) | {key: getattr(info, key) for key in _OF_FILES}
    else:
        with recorder(address) as daemon:
            shown = trace_object(daemon.Get(TraceRequest(id=trace), timeout=DEADLINE_S))
    for key, value in shown.items():
        text = dumps(value) if value and isinstance(value, dict) else str(value)
        print(f"{key}: {'-' if value in (None, '', {}) else printable(text)}")
