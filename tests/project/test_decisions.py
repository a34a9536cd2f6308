# SPDX-License-Identifier: Apache-2.0
"""Each entry in docs/decisions/ has its own number, a date, a status and existing files, and stands in the index."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/decisions"
INDEX = re.findall(
    r"^\| (\d+) \| \[(.*)\]\((\w+\.md)#\S+\) \| (\S+) \| (.*) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
)


class Entry(NamedTuple):
    page: str
    number: int
    title: str
    about: str

    @property
    def date(self) -> str:
        return self.about.split(" · ")[0]

    @property
    def status(self) -> str:
        return self.about.split(" · ")[1]


def _entries() -> list[Entry]:
    found = []
    for page in sorted(FOLDER.glob("*.md")):
        if page.name != "README.md":
            for heading, about in re.findall(r"^## (.*)\n(.*)", page.read_text(), re.MULTILINE):
                number, _, title = heading.partition(". ")
                found.append(Entry(page.name, int(number), title, about))
    return found


ENTRIES = _entries()


@cache
def _files() -> set[str]:
    # The files that git tracks, or in a tree without git all files: package, room and name, without traceloop_* between.
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    paths = [Path(name) for name in names if name] or [path.relative_to(ROOT) for path in ROOT.rglob("*")]
    return {re.sub(r"^(\w+)/traceloop_\1/", r"\1/", str(path)) for path in paths if (ROOT / path).is_file()}


def test_numbers_are_unique_and_without_gaps():
    assert sorted(entry.number for entry in ENTRIES) == list(range(1, len(ENTRIES) + 1))


def test_numbers_follow_dates():
    in_order = sorted(ENTRIES, key=lambda entry: entry.number)
    assert all(one.date <= other.date for one, other in pairwise(in_order))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.number))
def test_the_line_below_a_title_says_when_whether_and_where(entry):
    about = re.fullmatch(
        r"20\d\d-\d\d-\d\d · (?:replaced by \d+|in force)(?:, replaces \d+)? · (`[^`]+`(?:, `[^`]+`)*)", entry.about
    )
    assert about, entry.about
    for named in re.findall(r"`([^`]+)`", about[1]):
        assert named in _files(), f"{entry.page}: {named} does not exist"


def test_replaced_entries_name_the_one_that_replaces_them_and_it_names_them():
    by = {entry.number: int(m[1]) for entry in ENTRIES if (m := re.search(r"replaced by (\d+)", entry.status))}
    replaces = {int(m[1]): entry.number for entry in ENTRIES if (m := re.search(r"replaces (\d+)", entry.status))}
    assert by
    assert by == replaces


def test_the_index_has_each_entry_as_it_is():
    indexed = [(page, int(number), title, date, status) for number, title, page, date, status in INDEX]
    assert sorted(indexed) == sorted((e.page, e.number, e.title, e.date, e.status) for e in ENTRIES)
