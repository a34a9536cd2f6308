# SPDX-License-Identifier: Apache-2.0
"""Pages of `export --format html`: their data, and a trace whose text attacks them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from archives import INFO
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.archive_file import pack
from traceloop_decode.snapshot import Snapshot

EVIL = "</script><script>window.evil=1</script><img src=x onerror=window.evil=1><!--&lt;'`${7*7}"
_WHATS = ("files", "network", "process", "memory", "waiting", "other", "signal", "exit", "lost")
_READ, _GETPID, _EXECVE, _EXIT_GROUP, _OPENAT = 0, 39, 59, 231, 257


def page_data(page: str) -> Any:
    """Returns the trace in a page."""
    (data,) = re.findall(r'<script type="application/json" id="trace">(.*?)</script>', page, re.DOTALL)
    return json.loads(data)


def rows(data: Any) -> Iterator[dict[str, Any]]:
    """Yields the items of a page's trace as dicts, with times since the recording began."""
    items, strings, at = data["items"], data["strings"], data["start"]
    for n, passed in enumerate(items["at"]):
        at += passed
        yield {
            "at": at,
            "what": _WHATS[items["what"][n]],
            "lane": items["lane"][n] if items["lane"][n] >= 0 else None,
            **{key: strings[items[key][n]] for key in ("name", "text", "error")},
        }


def evil_file() -> bytes:
    """Returns an archive file in which every text that a container chooses is an attack."""
    ring = RingWriter(1 << 15, 1 << 12)
    ring.name(7, 7, "</script><b>&")
    ring.enter(0, 7, _OPENAT, (1 << 64) - 100, 0x1000, 0, 0, items=item(1, layout.KIND_STRING, EVIL.encode()))
    ring.exit(0, 7, _OPENAT, -2)
    ring.task_exit(0, 7, 1 << 8)
    facts: dict[str, Any] = dict.fromkeys(
        ("trace_id", "image", "pod", "namespace", "container", "node", "container_id"), EVIL
    )
    return pack(replace(INFO, **facts), ring.snapshot().encode())


def large(calls: int, threads: int = 16) -> Snapshot:
    """Returns a snapshot of many calls, with errors, long waits and overwritten ones."""
    ring = RingWriter(1 << 24, 1 << 14)
    for tid in range(100, 100 + threads):
        ring.name(tid, 100 + tid % 2, "worker")
    for n in range(calls):
        tid = 100 + n % threads
        if n % 97 == 0:
            ring.now_ns += 3_000_000
        path = item(1, layout.KIND_STRING, f"/var/lib/app/{n % 5000}".encode())
        number = _OPENAT if n % 3 else _GETPID
        ring.enter(n % 2, tid, number, *((0, 0x1000, 0, 0) if n % 3 else ()), items=path if n % 3 else b"")
        ring.exit(n % 2, tid, number, -2 if n % 11 == 0 else 3)
    ring.enter(0, 100, _EXIT_GROUP, 1)
    ring.task_exit(0, 100, 1 << 8)
    return ring.snapshot()


def _started(ring: RingWriter, *argv: str) -> None:
    # What a runtime does to start a program as process 7.
    ring.name(7, 7, "runc:[2:INIT]")
    words = item(0, layout.KIND_STRING, argv[0].encode())
    words += b"".join(item(1, layout.KIND_STRING, word.encode()) for word in argv)
    ring.enter(0, 7, _EXECVE, 4096, 8192, 0, items=words)
    ring.name(7, 7, argv[0].rpartition("/")[2])
    ring.exit(0, 7, _EXECVE, 0)


def killed_while_it_read(*argv: str) -> Snapshot:
    """Returns a snapshot of a program that waited for its standard input for 30 s, and was then killed from outside."""
    ring = RingWriter(1 << 20, 1 << 14)
    _started(ring, *argv)
    ring.enter(0, 7, _READ, 0, 4096, 1)
    ring.now_ns += 30 * 10**9
    ring.signal_sent(0, 7, 9, 0, sender=77, comm="engine")
    ring.task_exit(0, 7, 9)
    return ring.snapshot()
