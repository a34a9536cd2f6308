# SPDX-License-Identifier: Apache-2.0
"""Changes of the kernel side: which need new rings, and which only new programs on the existing rings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from traceloop_bpf import identity
from traceloop_bpf.geometry import Geometry

SOURCES = sorted(path.name for path in Path(identity.__file__).parent.glob("*.[ch]"))
NEW_RINGS = ("record.h", "layout.bpf.h", "births.h")
GEOMETRY = Geometry.fit(1 << 20, 256, 1024, 2)


def digests() -> tuple[str, str]:
    layout = identity.layout_digest(GEOMETRY, {"slots": 4096})
    return layout, identity.program_digest("", b"", {})


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sources, to be changed."""
    for name in SOURCES:
        shutil.copy(Path(identity.__file__).parent / name, tmp_path)
    monkeypatch.setattr(identity, "_HERE", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SOURCES)
def test_a_line_of_code(copy: Path, name: str) -> None:
    before = digests()
    with (copy / name).open("a") as source:
        source.write("static int of_the_next_version;\n")
    after = digests()
    assert (after[0] != before[0]) == (name in NEW_RINGS)
    assert after[1] != before[1]


@pytest.mark.parametrize("name", SOURCES)
def test_a_comment(copy: Path, name: str) -> None:
    before = digests()
    with (copy / name).open("a") as source:
        source.write("\n/* More\n   words. */ // and these\n")
    assert digests() == before


def test_sizes_mean_new_rings() -> None:
    assert identity.layout_digest(Geometry.fit(1 << 21, 256, 1024, 2), {"slots": 4096}) != digests()[0]
    assert identity.layout_digest(GEOMETRY, {"slots": 2048}) != digests()[0]
