# SPDX-License-Identifier: Apache-2.0
"""docs/dev/architecture.md lists every room: a new room must state what may be in it, and what it uses."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/dev/architecture.md").read_text()
PACKAGES = sorted({path.parent.name for path in ROOT.glob("*/traceloop_*/__init__.py")})
ROOMS = sorted((path.parts[-4], path.parent.name) for path in ROOT.glob("*/traceloop_*/*/__init__.py"))


@pytest.mark.parametrize(("folder", "room"), ROOMS)
def test_every_room_stands_in_the_table_of_its_package(folder, room):
    table = PAGE.split(f"\nRooms of `{folder}`")[1].split("\nRooms of ")[0]
    assert f"\n| `{room}/` | " in table


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_stands_in_the_table(package):
    assert f"\n| `{package.removeprefix('traceloop_')}/` | " in PAGE
