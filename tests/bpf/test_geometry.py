# SPDX-License-Identifier: Apache-2.0
"""The sizes of a ring: its parts fit, whatever is requested, on every machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", minversion="6.100")

from hypothesis import given
from hypothesis import strategies as st

from traceloop_bpf.geometry import Geometry, possible_cpus
from traceloop_bpf.kept_fds import About
from traceloop_decode import layout


def test_the_default_on_two_cpus() -> None:
    geometry = Geometry.fit(1 << 20, 256, 1024, cpus=2)
    assert (geometry.ring_size, geometry.chunk_size, geometry.cpus) == (1 << 20, 16 << 10, 2)


@given(st.integers(1, 1 << 28), st.integers(16, 4096), st.integers(0, 12288), st.integers(1, 512))
def test_fit(ring_size: int, item_max: int, more: int, cpus: int) -> None:
    geometry = Geometry.fit(ring_size, item_max, item_max + more, cpus)
    for size in (geometry.ring_size, geometry.chunk_size, geometry.cpus):
        assert size & (size - 1) == 0
    assert geometry.ring_size >= ring_size
    assert geometry.cpus >= cpus
    assert geometry.chunk_size * geometry.cpus <= geometry.ring_size // 4
    assert layout.CHUNK.size + layout.BASE.size + geometry.record_max <= geometry.chunk_size
    assert geometry.record_max <= min(layout.RECORD_MAX_BYTES, geometry.slack)
    assert geometry.data_offset % layout.POSITION_UNIT == 0


@pytest.mark.parametrize(
    ("text", "count"), [("0\n", 1), ("0-1\n", 2), ("0-127\n", 128), ("0-3,8-11\n", 12), ("0,5\n", 6)]
)
def test_possible_cpus(tmp_path: Path, text: str, count: int) -> None:
    (tmp_path / "devices/system/cpu").mkdir(parents=True)
    (tmp_path / "devices/system/cpu/possible").write_text(text)
    assert possible_cpus(tmp_path) == count


@pytest.mark.parametrize(
    ("fields", "data_offset", "value_size"),
    [
        ((2, 1 << 20, 16 << 10, 256, 1024), 5888, 1_058_560),
        ((64, 8 << 20, 32 << 10, 4096, 16384), 57_472, 8_470_656),
        ((256, 4 << 20, 4 << 10, 16, 16), 217_216, 4_415_616),
    ],
)
def test_a_recorder_of_record_version_1_says_no_more_than_this(
    fields: tuple[int, ...], data_offset: int, value_size: int
) -> None:
    """The rings of the version before have the sizes that it computed, by the description that it left in its memfd."""
    names = ("cpus", "ring_size", "chunk_size", "item_max", "call_max")
    about = {"layout": "a", "program": "b", "geometry": dict(zip(names, fields, strict=True))}
    with os.fdopen(os.memfd_create("about"), "r+b", buffering=0) as memory:
        memory.write(json.dumps(about).encode())
        geometry = About.read(memory.fileno()).geometry
    assert (geometry.version, geometry.areas()) == (1, [])
    assert (geometry.data_offset, geometry.value_size) == (data_offset, value_size)


def test_a_container_takes_little_more_than_its_ring() -> None:
    """The default sizes on two CPUs."""
    assert Geometry.fit(1 << 20, 256, 1024, cpus=2).value_size <= 1.15 * (1 << 20)
