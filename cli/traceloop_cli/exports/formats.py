# SPDX-License-Identifier: Apache-2.0
"""The formats of `export`. A new one is a module in this folder, and a line in the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from traceloop_cli.exports import capabilities, html, jsonl, perfetto, seccomp, strace
from traceloop_cli.sources.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Format:
    """A format. export: yields the file's pieces. several: it takes more than one trace. binary: not for a terminal."""

    export: Callable[[Sequence[Recorded]], Iterable[bytes]]
    several: bool = False
    binary: bool = False


FORMATS: Final = {
    "html": Format(html.export),
    "perfetto": Format(perfetto.export, binary=True),
    "strace": Format(strace.export),
    "jsonl": Format(jsonl.export),
    "seccomp": Format(seccomp.export, several=True),
    "capabilities": Format(capabilities.export, several=True),
}
