# SPDX-License-Identifier: Apache-2.0
"""``traceloopctl info``: prints all that is known about a trace."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Final

import click

from traceloop_cli.display.traces import trace_object
from traceloop_cli.errors import Failed
from traceloop_cli.options.common import address_option, check_source, trace_or_file
from traceloop_cli.sources.client import connected
from traceloop_cli.sources.named import named
from traceloop_decode.json_text import dumps
from traceloop_decode.safe_text import printable
from traceloop_proto import traceloop_pb2 as pb

if TYPE_CHECKING:
    from traceloop_cli.sources.explained import Explained

_READABLE: Final = (pb.STATE_RECORDING, pb.STATE_FROZEN, pb.STATE_ARCHIVED)
_OF_FILES: Final = ("arch", "kernel", "boot_id", "boot_offset_ns", "version")


@click.command("info")
@trace_or_file
@address_option()
@click.pass_obj
def command(address: str, trace: str | None, path: str | None) -> None:
    """Print all that is known about a trace, without an ID about the newest.

    Prints lines of `key: value`; `-` stands for a value that is not known. The first lines tell why the container
    failed, as `why` does. A file also tells on what machine the trace was recorded.
    """
    check_source(trace, path)
    why: list[str] = []
    if path is not None:
        from traceloop_cli.sources.archive_files import described, read  # noqa: PLC0415 - needs the decoder

        file = read(path)
        info, message = described(file, path)
        shown = trace_object(message) | {key: getattr(info, key) for key in _OF_FILES}
        if _is_to_explain(message) and message.state == pb.STATE_ARCHIVED:
            why = _causes(lambda explained: explained.of_archive(file, path))
    else:
        with connected(address) as daemon:
            message = named(daemon, trace)
        shown = trace_object(message)
        if _is_to_explain(message) and message.state in _READABLE:
            why = _causes(lambda explained: explained.of_trace(address, message.id))
    for sentence in why:
        print(f"why: {sentence}")
    for key, value in shown.items():
        text = dumps(value) if isinstance(value, dict) else ",".join(value) if isinstance(value, list) else str(value)
        print(f"{key}: {'-' if value in (None, '', {}, []) else printable(text)}")


def _is_to_explain(trace: pb.Trace) -> bool:
    # Also a container that was asked to end, and did: who asked it, and why then, may be the question.
    return bool(trace.exit_code) or trace.HasField("signal")


def _causes(explain: Callable[[ModuleType], Explained]) -> list[str]:
    # The facts of a trace are worth showing also if its calls cannot be read.
    from traceloop_cli.sources import explained  # noqa: PLC0415 - needs the decoder
    from traceloop_decode.causes.verdict import sentences  # noqa: PLC0415 - likewise

    try:
        return sentences(explain(explained).report)
    except Failed as error:
        return [f"not known: {printable(str(error))}"]
