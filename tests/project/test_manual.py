# SPDX-License-Identifier: Apache-2.0
"""The manual pages list exactly the existing options, show command lines that parse, and raise no complaints."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from command_lines import commands, parse

pytestmark = pytest.mark.installed

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "docs/man"
BIN = Path(sys.executable).parent
TIMEOUT_S = 60
EVERYWHERE = {"--address", "-h", "--help"}
BEFORE = {"-H", "--host", "--hosts", "--archive"}  # the command
VERBS = [(" ".join(name), command) for name, command in commands() if not isinstance(command, click.Group)]


@pytest.fixture(scope="module")
def pages():
    """The manual pages, built."""
    if not shutil.which("scdoc"):
        pytest.skip("needs scdoc")
    subprocess.run(["make", "--silent", "man"], cwd=ROOT, check=True, timeout=TIMEOUT_S, stdout=subprocess.DEVNULL)
    return sorted((ROOT / "build/man").glob("*.[1-8]"))


def source(page):
    return (SOURCES / f"{page}.scd").read_text()


def sections(text, mark):
    """Returns title -> text of the headings with this mark."""
    parts = re.split(rf"^{mark} (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (re.split(r"^#", part, flags=re.MULTILINE)[0] for part in parts[2::2]), strict=True))


def options(text):
    """Returns the options that have a paragraph of their own."""
    heads = re.findall(r"^(\*-.*)$", text, re.MULTILINE)
    return {option for head in heads for option in re.findall(r"\*(-[\w-]+)\*", head)}


def verb_sections():
    """Returns verb -> its section of traceloopctl(1)."""
    found = sections(source("traceloopctl.1"), "##")
    return {re.match(r"[a-z]+(?: [a-z]+)*", title)[0]: text for title, text in found.items()}


def test_every_verb_has_a_section():
    assert set(verb_sections()) == {name for name, _ in VERBS}


@pytest.mark.parametrize(("name", "command"), VERBS, ids=[name for name, _ in VERBS])
def test_a_section_has_the_options_of_its_verb(name, command):
    text = verb_sections()[name]
    known = [parameter for parameter in command.params if isinstance(parameter, click.Option) and not parameter.hidden]
    assert options(text) == {word for option in known for word in (*option.opts, *option.secondary_opts)} - EVERYWHERE
    for option in known:
        if isinstance(option.type, click.Choice):
            choices = "|".join(f"*{choice}*" for choice in option.type.choices)
            assert re.search(rf"^\*{option.opts[0]}\*.*{re.escape(choices)}$", text, re.MULTILINE)


def test_options_that_go_with_every_verb():
    assert options(sections(source("traceloopctl.1"), "#")["OPTIONS"]) == EVERYWHERE | BEFORE


def test_options_of_the_daemon():
    said = subprocess.run([BIN / "traceloopd", "--help"], capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", said.stdout.partition("options:")[2]))
    assert options(sections(source("traceloopd.8"), "#")["OPTIONS"]) == known


def test_options_of_the_hook():
    hook = (ROOT / "hook/traceloop_hook/traceloop-hook.c").read_text()
    usage = re.search(r'^#define USAGE "(.*)"$', hook, re.MULTILINE)[1]
    assert options(sections(source("traceloop-hook.8"), "#")["OPTIONS"]) == set(re.findall(r"--\w+", usage))


@pytest.mark.parametrize("page", sorted(path.stem for path in SOURCES.glob("*.scd")))
def test_examples_are_command_lines(page):
    for block in re.findall(r"^```\n(.*?)^```", source(page), re.MULTILINE | re.DOTALL):
        for line in re.findall(r"^(?:\$ )?(traceloopctl .*)", block, re.MULTILINE):
            parse(line)


@pytest.mark.parametrize("page", sorted(path.stem for path in SOURCES.glob("*.scd")))
def test_lines_of_examples_fit_a_terminal(page):
    for block in re.findall(r"^```\n(.*?)^```", source(page), re.MULTILINE | re.DOTALL):
        assert max(map(len, block.splitlines())) <= 69  # of 80 columns: man(1) indents by 11


def test_pages_name_pages_that_there_are(pages):
    names = {path.name for path in pages} | {"traceloop.toml.5"}
    for page in pages:
        for name, section in re.findall(r"\\fB(traceloop[\w.\\-]*)\\fR\((\d)\)", page.read_text()):
            assert f"{name.replace(chr(92), '')}.{section}" in names


def test_mandoc_and_man_have_no_complaints(pages):
    for tool in ("mandoc", "man"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    for page in pages:
        lint = subprocess.run(
            ["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert lint.stdout == ""
        shown = subprocess.run(
            ["man", "--warnings", "--local-file", page],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
            env={"MANWIDTH": "80", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )
        assert shown.stderr == ""
        assert max(map(len, shown.stdout.splitlines())) <= 80
