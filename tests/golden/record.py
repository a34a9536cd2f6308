# SPDX-License-Identifier: Apache-2.0
"""Records the snapshots of this directory again, and writes their text in every format.

`make golden` as root records and writes; ``--texts`` writes only the texts, after a change of the decoder. Read the
difference before you commit it.
"""

from __future__ import annotations

import sys
import zlib
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from traceloop_decode.events import events
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import classic, jsonl, short, strace

HERE = Path(__file__).parent
NAMES = ("files_open", "network_sockets", "process_children", "signals_delivery")
FORMATS = {"classic": classic, "jsonl": jsonl, "short": short, "strace": strace}


def read(name: str) -> Snapshot:
    return Snapshot.decode(zlib.decompress((HERE / f"{name}.snapshot").read_bytes()))


def text(name: str, style: str) -> str:
    snapshot = read(name)
    return "".join(f"{line}\n" for line in FORMATS[style].lines(events(snapshot), snapshot))


def record() -> None:
    from strace.programs import Program

    from traceloop_bpf.tracer import Plan, Tracer

    with closing(Tracer.load(Plan(pool_size=1))) as tracer, TemporaryDirectory() as directory:
        for name in NAMES:
            _, snapshot = Program(name, Path(directory)).snapshot(tracer)
            (HERE / f"{name}.snapshot").write_bytes(zlib.compress(snapshot.encode(), 9))


if __name__ == "__main__":
    if "--texts" not in sys.argv:
        record()
    for name in NAMES:
        for style in FORMATS:
            (HERE / f"{name}.{style}").write_text(text(name, style))
