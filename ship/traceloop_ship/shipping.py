# SPDX-License-Identifier: Apache-2.0
"""Ships the archive's files that were not shipped yet, oldest first.

A file's key is `PREFIX/CLUSTER/DATE/NODE/BOOT/FILE`: the day (UTC) on which the container ended, and names from the
file's head. Several failures in a row end a run; the next run continues. The last of these is the newest file's: if the
store accepts that one, the others' failures are their own, and the run goes on.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from traceloop_decode.archive_file import HEAD_READ_BYTES, TraceInfo, head_size, read_head
from traceloop_decode.file_names import SUFFIX, object_tail, part
from traceloop_decode.model import DecodeError
from traceloop_ship.errors import ShipError
from traceloop_ship.ledger import Ledger, Stamp
from traceloop_ship.settings import Settings

_FAILURES_MAX: Final = 3
_NS: Final = 1_000_000_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The effect of a run. waiting: traces that are still to be shipped. unreadable: files that are no archives.

    error: the last failure; empty if there was none.
    """

    shipped: int
    shipped_bytes: int
    waiting: int
    unreadable: int
    error: str


def ship(settings: Settings, ledger: Ledger, upload: Callable[[Path, str, str], None]) -> Outcome:
    """Ships what waits. Raises OSError, ShipError.

    upload: copies a file to REMOTE:KEY at a bandwidth, or raises ShipError, which leaves the file to the next run.
    """
    archive = Path(settings.archive)
    ledger.keep({name for name, _, _ in _stamps(archive)})
    shipped = shipped_bytes = unreadable = 0
    failures: list[str] = []  # in a row
    error = ""
    for stamp in _unshipped(archive, ledger, failures):
        path = archive / stamp[0]
        if _stamp(path) != stamp:
            continue  # removed, or replaced, and then found again
        try:
            upload(path, f"{settings.to.rstrip('/')}/{key(settings.cluster, _info(path), stamp)}", settings.bandwidth)
        except FileNotFoundError:
            continue
        except (DecodeError, OSError, OverflowError, ValueError) as problem:  # the others are shipped
            _log.warning("%s is not shipped: %s", path, problem)
            unreadable += 1
        except ShipError as problem:
            if _stamp(path) != stamp:
                continue  # as above, during the upload
            error = f"{path.name}: {problem}"
            failures.append(error)
            _log.error("cannot ship %s", error)
            if len(failures) == _FAILURES_MAX:
                break
        else:
            failures.clear()
            if _stamp(path) == stamp:  # otherwise the daemon replaced it meanwhile
                ledger.add(stamp)
                shipped, shipped_bytes = shipped + 1, shipped_bytes + stamp[2]
    waiting = sum(stamp not in ledger for stamp in _stamps(archive)) - unreadable
    return Outcome(shipped, shipped_bytes, waiting, unreadable, error)


def _unshipped(archive: Path, ledger: Ledger, failures: list[str]) -> Iterator[Stamp]:
    # Each file once. The directory is read again until it has no other, since systemd does not watch it meanwhile.
    seen: set[Stamp] = set()
    while todo := deque(stamp for stamp in _stamps(archive) if stamp not in ledger and stamp not in seen):
        while todo:
            stamp = todo.pop() if len(failures) == _FAILURES_MAX - 1 else todo.popleft()
            seen.add(stamp)
            yield stamp


def key(cluster: str, info: TraceInfo, stamp: Stamp) -> str:
    """Returns the key of a trace's object, without the prefix."""
    ended = datetime.fromtimestamp((info.ended_ns or stamp[1]) // _NS, UTC)
    return f"{part(cluster)}/{ended:%Y-%m-%d}/{object_tail(info.node, info.boot_id, info.trace_id)}"


def _info(path: Path) -> TraceInfo:
    with path.open("rb") as file:
        start = file.read(HEAD_READ_BYTES)
        start += file.read(max(0, head_size(start) - len(start)))
    return read_head(start).info


def _stamps(archive: Path) -> Iterator[Stamp]:
    with os.scandir(archive) as entries:
        names = [
            entry.name for entry in entries if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False)
        ]
    found = [stamp for name in names if (stamp := _stamp(archive / name)) is not None]  # else it was removed meanwhile
    yield from sorted(found, key=lambda stamp: stamp[1])


def _stamp(path: Path) -> Stamp | None:
    try:
        return path.name, *_times(path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return None


def _times(found: os.stat_result) -> tuple[int, int]:
    return found.st_mtime_ns, found.st_size
