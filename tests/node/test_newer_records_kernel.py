# SPDX-License-Identifier: Apache-2.0
"""An archive of a recorder that is newer than the reader, which says so: what it does not know is not damaged."""

from __future__ import annotations

import json
import math
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from lab import Daemon
from lab.daemon import BIN

from traceloop_decode import layout
from traceloop_decode.archive_file import pack, unpack
from traceloop_decode.areas import found_in
from traceloop_decode.ring_reader import NEWEST_TYPE, RingReader
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.text import records

pytestmark = [pytest.mark.kernel, pytest.mark.installed]

CALL = re.compile(r"0x([0-9a-f]{8,}) \d+ call ")
NOTE = re.compile(r"--- (\d+) records? of cpu#\d+ of kinds that this version does not know: the recorder is newer")
TYPE = layout.HEADER.size - 2


def ctl(*words: str | Path) -> str:
    return subprocess.run([BIN / "traceloopctl", *words], capture_output=True, text=True, check=True).stdout


def of_later_type(data: bytearray, header: int) -> None:
    """Makes a record at an offset one of the next type that there will be."""
    bits = layout.LENGTH_BITS
    length = int.from_bytes(data[header + TYPE : header + TYPE + 2], "little") & (1 << bits) - 1
    data[header + TYPE : header + TYPE + 2] = (length | NEWEST_TYPE + 1 << bits).to_bytes(2, "little")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """A real archive; the number of its ring's calls that became of a later type, and of those of its firsts alone."""
    file = tmp_path_factory.mktemp("newer") / "recorded.trace"
    with Daemon() as daemon:
        daemon.ctl("run", "--", "python3", "-S", "-c", "for n in range(20_000): open('/etc/hosts').close()")
        daemon.ctl("dump", "--file", str(file))
    info, encoded = unpack(file.read_bytes())
    recorded = Snapshot.decode(encoded)
    data, ring = bytearray(recorded.data), RingReader(recorded)
    calls = [int(found[1], 16) for found in map(CALL.match, records.lines(recorded)) if found][5::1000]
    for place in calls:
        of_later_type(data, place % recorded.ring_size)
    (area,) = (one for one in recorded.areas if one.name == "firsts")
    since_ns = ring.begins_ns()
    begin = recorded.ring_length + sum(one.length for one in recorded.areas[: recorded.areas.index(area)])
    firsts = [
        found.at
        for found in found_in(area, recorded.data, begin, ring.headers.cookie)
        if found.type == layout.TYPE_CALL and found.ts_ns < since_ns.get(found.cpu, math.inf)
    ][3:7]
    for header in firsts:
        of_later_type(data, header)
    file.write_bytes(pack(info, replace(recorded, data=bytes(data)).encode()))
    assert len(calls) > 1
    assert len(firsts) > 1
    return file, len(calls), len(firsts)


@pytest.mark.parametrize("style", ["short", "strace", "classic"])
def test_text_counts_them(archive: tuple[Path, int, int], style: str) -> None:
    file, in_ring, in_firsts = archive
    for words, expected in ((("--last",), in_ring), (("--firsts",), in_firsts), ((), in_ring + in_firsts)):
        lines = ctl("show", "--file", file, "-o", style, *words).splitlines()
        assert sum(int(found[1]) for found in map(NOTE.search, lines) if found) == expected
        assert not [line for line in lines if "damaged" in line]
        assert len(lines) > 2 * expected


def test_json_counts_them(archive: tuple[Path, int, int]) -> None:
    file, in_ring, in_firsts = archive
    found = [json.loads(line) for line in ctl("show", "--file", file, "-o", "jsonl").splitlines()]
    lost = [one for one in found if one["event"] == "lost"]
    assert sum(one["records"] for one in lost if one["reason"] == "newer") == in_ring + in_firsts
    assert not [one for one in lost if one["reason"] == "rejected"]
    assert "Traceback" not in ctl("why", "--file", file)
