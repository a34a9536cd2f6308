# SPDX-License-Identifier: Apache-2.0
"""docs/ and the other pages: links have targets, command lines parse, and settings exist."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from command_lines import parse

from traceloop_daemon.settings.files import load, tables_of
from traceloop_daemon.settings.keys import Config, name_of
from traceloop_decode.model import Lost
from traceloop_decode.text.notes import lost_note

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "docs/*", "bench", "packaging", "tests/*", "bpf/*/*")
    for path in ROOT.glob(f"{folder}/*.md")
)
SECTIONS = tables_of(Config)


def anchor(heading):
    """Returns a heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", path.read_text()):
        there = path.parent / target if target else path
        assert there.exists(), target
        if heading:
            assert heading in map(anchor, re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)), heading


@pytest.mark.parametrize("page", PAGES)
def test_command_lines_are_right(page):
    for block in re.findall(r"^```\w*\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL):
        for line in re.findall(r"^(?:\$ )?(traceloopctl .*)", block, re.MULTILINE):
            parse(line.split("#")[0].replace("ENGINE", "podman"))


@pytest.mark.parametrize("page", PAGES)
def test_settings_are_those_that_there_are(page, tmp_path):
    text = (ROOT / page).read_text()
    for section, key in re.findall(rf"(?<=[ `(])({'|'.join(SECTIONS)})\.(?!bpf\b|h\b|md\b|py\b)([a-z_]+)", text):
        assert key in {name_of(field) for field in fields(SECTIONS[section])}, f"{section}.{key}"
    for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)):
        if re.match(rf"\[({'|'.join(SECTIONS)})\]", block):
            (tmp_path / f"{number}.toml").write_text(block)
            load(tmp_path / f"{number}.toml")


@pytest.mark.parametrize("reason", ["overwritten", "rejected"])
def test_what_helps_against_losses_is_a_setting(reason):
    ((section, key),) = re.findall(r"\((\w+)\.(\w+) in traceloop\.toml\)", lost_note(Lost(0, 0, 1, 1, reason)))
    assert key in {field.name for field in fields(SECTIONS[section])}
