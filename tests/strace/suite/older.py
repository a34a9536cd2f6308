# SPDX-License-Identifier: Apache-2.0
"""Leaves out the names that strace 6.1 does not know, so that a test fails only for another reason.

Our tables come from newer headers than strace's, and grow with them; its tests print what it lacks as numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from traceloop_decode import constants
from traceloop_decode.printers.families import FAMILIES, module
from traceloop_decode.printers.netlink_groups import groups
from traceloop_decode.values.xlat import XLATS

_WORD = re.compile(r"[A-Za-z_]\w+")


def forget(sources: Path) -> int:
    """Leaves out the names that no source of strace mentions; returns their number. sources: strace's directory."""
    for family in FAMILIES:
        module(family)  # some make names of the tables when they are loaded
    known = {"nlctrl"}  # which strace asks the kernel for
    for path in (sources / "src").rglob("*"):
        if path.suffix in (".c", ".in") or "linux" in path.parts:
            known.update(_WORD.findall(path.read_text("utf-8", "replace") if path.is_file() else ""))
    lost, attributes = 0, groups()  # their values are found by names that are about to go
    for table in map(XLATS.__getitem__, constants.TABLES):  # each is made when it is looked up
        kept = tuple(entry for entry in table.entries if all(word in known for word in _WORD.findall(entry[1])))
        lost += len(table.entries) - len(kept)
        table.entries, table.names = kept, dict(reversed(kept))
    for name, group in attributes.items():
        numbers: Any = group.values
        for number in set(numbers) - set(XLATS.get(name, XLATS["nla_link"]).names):
            del numbers[number]
    return lost
