# SPDX-License-Identifier: Apache-2.0
"""Counts of all calls of a container's life, whatever its ring still holds: struct tl_totals, added up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Final, Self

from traceloop_decode import layout
from traceloop_decode.model import DecodeError

if TYPE_CHECKING:
    from traceloop_decode.syscalls import Abi

_SET: Final = Struct(f"<{layout.TOTAL_CALLS}Q{layout.TOTAL_CALLS}IQQ")
_TEXT_MAX: Final = 1 << 16
_OTHERS: Final = layout.TOTAL_CALLS - 1
UNNAMED: Final = "others without a name"
"""The name of the calls whose numbers no table has: they are counted together."""
_COUNTS: Final = re.compile(r"(?:\d{1,4}:\d{1,20}:\d{1,10}(?: |$))*")


@dataclass(frozen=True, slots=True)
class Total:
    """Number of times that a call was made, and that it failed."""

    calls: int
    failed: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts by number. native, compat: of the two tables. read_bytes, written_bytes: as the calls returned them."""

    native: dict[int, Total]
    compat: dict[int, Total]
    read_bytes: int
    written_bytes: int

    def facts(self) -> dict[str, int]:
        """Returns the sums, by their names in `TraceFacts`."""
        its = (self.calls, self.failed, self.read_bytes, self.written_bytes)
        return dict(zip(("calls", "errors", "read_bytes", "written_bytes"), its, strict=True))

    @property
    def calls(self) -> int:
        """Number of calls that were made."""
        return sum(total.calls for its in (self.native, self.compat) for total in its.values())

    @property
    def failed(self) -> int:
        """Number of them that failed."""
        return sum(total.failed for its in (self.native, self.compat) for total in its.values())

    def named(self, native: Abi, compat: Abi) -> Iterator[tuple[bool, str, int, Total]]:
        """Yields each count: of the 32-bit table? the call's name, the number, the count."""
        for is_compat, abi, counts in ((False, native, self.native), (True, compat, self.compat)):
            for number, total in counts.items():
                yield is_compat, UNNAMED if number >= _OTHERS else abi.call_name(number), number, total

    @classmethod
    def read(cls, sets: bytes) -> Self:
        """Reads an array of struct tl_totals: the sets of the native table, then as many of the other."""
        found = list(_SET.iter_unpack(sets))
        half = len(found) // 2
        tables = [_sum(its) for its in (found[:half], found[half:])]
        return cls(tables[0], tables[1], sum(one[-2] for one in found), sum(one[-1] for one in found))

    def fields(self) -> list[object]:
        """Returns the counts as JSON values."""
        return [_text(self.native), _text(self.compat), self.read_bytes, self.written_bytes]

    @classmethod
    def of_fields(cls, found: object) -> Self:
        """Parses what `fields` returned. Raises DecodeError for anything else."""
        match found:
            case [str(native), str(compat), int(read_bytes), int(written_bytes)]:
                return cls(_counts(native), _counts(compat), read_bytes, written_bytes)
        raise DecodeError("damaged snapshot: its totals are no counts")


def place_of(number: int) -> int:
    """Returns the number under which a call is counted."""
    return number if 0 <= number < _OTHERS else _OTHERS


def _sum(sets: Iterable[tuple[int, ...]]) -> dict[int, Total]:
    # The daemon does this for each trace that it lists.
    sums = [sum(counts) for counts in zip(*sets, strict=True)]
    calls, failed = sums[: layout.TOTAL_CALLS], sums[layout.TOTAL_CALLS : 2 * layout.TOTAL_CALLS]
    found = enumerate(zip(calls, failed, strict=True))
    return {nr: Total(made, errors) for nr, (made, errors) in found if made or errors}


def _text(counts: dict[int, Total]) -> str:
    return " ".join(f"{nr}:{total.calls}:{total.failed}" for nr, total in counts.items())


def _counts(text: str) -> dict[int, Total]:
    if len(text) > _TEXT_MAX or not _COUNTS.fullmatch(text):
        raise DecodeError("damaged snapshot: its totals are no counts")
    numbers = (one.split(":") for one in text.split())
    return {int(nr): Total(int(calls), int(failed)) for nr, calls, failed in numbers}
