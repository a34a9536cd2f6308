# SPDX-License-Identifier: Apache-2.0
"""The commands in README.md, and the test that runs each.

python3 tests/support/readme.py bare        prints the commands that tests/bare/run.sh runs
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
ENGINES = (ROOT / "docs/engines.md").read_text()

RUNNERS = {
    # pattern of the commands, by the test that runs them exactly as written
    "bare": re.compile(r"make (demo|test)"),  # tests/bare/run.sh, on a Debian where nothing is installed
    "packages": re.compile(r".*\binstall .*"),  # tests/packages/of_readme.py, in clean roots
    "lab": re.compile(
        r"(traceloopctl|systemctl|journalctl) .*"
    ),  # tests/project/test_readme.py, where all is installed
}


def blocks(kind: str, text: str = TEXT) -> list[str]:
    """Returns the code blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def hooks_by_hand() -> str:
    """Returns the hooks that docs/engines.md shows for a bundle, as a member of a JSON object."""
    (found,) = [block for block in blocks("json", ENGINES) if block.startswith('"hooks"')]
    return found


def kinds() -> set[str]:
    """Returns the kinds of code blocks in the file."""
    return set(re.findall(r"^```(\w*)\n.*?^```$", TEXT, re.MULTILINE | re.DOTALL))


def commands() -> list[str]:
    """Returns each line of the shell blocks, without its comment."""
    return [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]


def run_by(runner: str) -> list[str]:
    """Returns the commands that one of RUNNERS has to run."""
    return [command for command in commands() if runners_of(command) == [runner]]


def runners_of(command: str) -> list[str]:
    """Returns the runners that match a command; there must be exactly one."""
    return [name for name, pattern in RUNNERS.items() if pattern.fullmatch(command)]


if __name__ == "__main__":
    print(*run_by(sys.argv[1]), sep="\n")
