# SPDX-License-Identifier: Apache-2.0
"""The families of printers: the index that says which one to load is theirs, and a trace loads those of its calls."""

from __future__ import annotations

import os
import subprocess
import sys

import generate_families

PRINTS = """
import sys
from traceloop_decode.printers import families
families.VALUES[sys.argv[1]]
print(*(name.rpartition(".")[2] for name in sys.modules if name.startswith("traceloop_decode.printers.")))
"""


def test_the_index_is_that_of_the_modules() -> None:
    assert generate_families.OUTPUT.read_text() == generate_families.generated(), "run `make tables`"


def test_a_family_is_loaded_when_a_word_of_it_is_looked_up() -> None:
    def loaded(word: str) -> set[str]:
        command = [sys.executable, "-c", PRINTS, word]
        environment = os.environ | {"PYTHONPATH": ":".join(sys.path)}
        ended = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return {*ended.stdout.split()}

    assert "ioctl" in loaded("ioctl_command")
    assert not {"ioctl", "network", "ptrace", "quotas"} & loaded("fd")
