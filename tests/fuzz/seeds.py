# SPDX-License-Identifier: Apache-2.0
"""Records the seeds in corpus/: those calls of tests/strace/workloads that reach new code, in small rings.

Needs root and BPF, like the tests that record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha1
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Final

from packing import CHUNK_SIZE, pack
from recorded_cgroups import _ENTER, Container
from strace.programs import WORKLOADS, Program

from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.ring_reader import Record, RingReader
from traceloop_decode.text import jsonl, strace
from traceloop_decode.values.options import Options

_CORPUS: Final = Path(__file__).with_name("corpus")
_THREAD: Final = 7
_BODY_MAX: Final = 640
_BYTES_MAX: Final = CHUNK_SIZE - 2 * (layout.CHUNK.size + layout.BASE.size)
_DECODER: Final = str(Path(layout.__file__).parent)
_VERBOSE: Final = Options(verbose=True)


def main() -> None:
    """Replaces the files in corpus/."""
    for old in _CORPUS.iterdir():
        old.unlink()
    for seed in _seeds(_records()):
        encoded = pack(seed, cpus=1).encode()
        (_CORPUS / sha1(encoded, usedforsecurity=False).hexdigest()[:16]).write_bytes(encoded)


def _records() -> Iterator[Record]:
    with TemporaryDirectory() as directory, closing(Tracer.load(Plan(ring_size=1 << 22))) as tracer:
        for source in sorted(WORKLOADS.glob("*.c")):
            program = Program(source.stem, Path(directory))
            with Container(tracer) as container:
                program._run("sh", "-c", _ENTER, str(container.path))
                container.wait_empty()
                snapshot = container.snapshot()
            yield from (record for record in RingReader(snapshot).records() if isinstance(record, Record))


def _seeds(records: Iterator[Record]) -> Iterator[list[Record]]:
    # A seed has as many calls as fill a chunk.
    reached: set[tuple[object, int]] = set()
    seed: list[Record] = []
    begun: dict[int, Record] = {}
    for record in records:
        if record.type == layout.TYPE_ENTER:
            begun[record.tid] = record
            continue
        call = [begun.pop(record.tid), record] if record.tid in begun else [record]
        call = [one._replace(cpu=0, tid=_THREAD, pid=_THREAD, comm="seed", body=one.body[:_BODY_MAX]) for one in call]
        reaches = _reached(call)
        if reaches <= reached:
            continue
        reached |= reaches
        if sum(len(one.body) + layout.HEADER.size for one in seed + call) > _BYTES_MAX:
            yield seed
            seed = []
        seed += call
    yield seed


def _reached(call: list[Record]) -> set[tuple[object, int]]:
    # Returns the lines of the decoder that run to print a call, and the call's number.
    found: set[tuple[object, int]] = {("number", call[-1].nr & (layout.NR_MASK | layout.NR_COMPAT))}

    def trace(frame: FrameType, _what: str, _value: object) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(_DECODER):
            return None
        found.add((frame.f_code, frame.f_lineno))
        return trace

    snapshot = pack(call, cpus=1)
    sys.settrace(trace)
    try:
        printed = [*jsonl.lines(events(snapshot), snapshot), *strace.lines(events(snapshot), snapshot, _VERBOSE)]
    finally:
        sys.settrace(None)
    assert printed
    return found


if __name__ == "__main__":
    main()
