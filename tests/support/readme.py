# SPDX-License-Identifier: Apache-2.0
"""The commands that README.md tells its readers to type, and which test runs each.

python3 tests/support/readme.py bare        prints those that tests/bare/run.sh runs
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()

RUNNERS = {
    # what a command has to look like: which of these tests runs it, just as it stands
    "bare": re.compile(r"make (demo|test)"),  # tests/bare/run.sh, on a Debian where nothing is installed
    "packages": re.compile(r".*\binstall .*"),  # tests/packages/of_readme.py, in clean roots
    "lab": re.compile(
        r"(traceloopctl|systemctl|journalctl) .*"
    ),  # tests/project/test_readme.py, where all is installed
}


def blocks(kind: str) -> list[str]:
    """The code blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def kinds() -> set[str]:
    """Which kinds of blocks there are."""
    return set(re.findall(r"^```(\w*)\n.*?^```$", TEXT, re.MULTILINE | re.DOTALL))


def commands() -> list[str]:
    """Each line of the blocks that are shell, without its comment."""
    return [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]


def run_by(runner: str) -> list[str]:
    """The commands that one of RUNNERS has to run."""
    return [command for command in commands() if runners_of(command) == [runner]]


def runners_of(command: str) -> list[str]:
    """All that would; it is to be one."""
    return [name for name, pattern in RUNNERS.items() if pattern.fullmatch(command)]


if __name__ == "__main__":
    print(*run_by(sys.argv[1]), sep="\n")
