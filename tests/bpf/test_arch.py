# SPDX-License-Identifier: Apache-2.0
"""An architecture is a header and a module of its name; nothing else of the recorder asks for it."""

from __future__ import annotations

import errno
import platform
import re
from pathlib import Path

import pytest

from traceloop_bpf import arch
from traceloop_decode.syscalls import ABIS

HERE = Path(arch.__file__).parent
NAMES = sorted(path.stem.removeprefix("arch_") for path in HERE.glob("arch_*.h"))


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch):
    """Makes this machine one of another architecture."""

    def become(name: str) -> None:
        monkeypatch.setattr(platform, "machine", lambda: name)

    return become


@pytest.mark.parametrize("name", NAMES)
def test_its_header_is_there_and_uses_the_offsets_that_its_module_asks_for(on, name) -> None:
    on(name)
    text = (HERE / arch.header()).read_text()
    assert set(re.findall(r"\bTL_OFFSET_(\w+)", text)) == set(arch.architecture().fields)


@pytest.mark.parametrize("name", NAMES)
def test_its_calls_are_in_tables(on, name) -> None:
    on(name)
    (native,) = (abi for abi in ABIS if abi.arch == name and not abi.compat)
    numbers = arch.architecture().bpf, arch.architecture().perf_event_open
    assert [native.call_name(number) for number in numbers] == ["bpf", "perf_event_open"]


def test_what_is_recorded_can_be_read() -> None:
    assert {abi.arch for abi in ABIS} == set(NAMES)


def test_headers_of_all_architectures_define_the_same() -> None:
    def defined(name: str) -> set[str]:
        return set(re.findall(r"\b(?:tl_\w+(?=\()|TL_[A-Z_]+(?=\())", (HERE / f"arch_{name}.h").read_text()))

    assert {name: defined(name) for name in NAMES} == {name: defined("x86_64") for name in NAMES}


def test_another_architecture_is_refused_in_a_line_that_names_those_that_are_known(on) -> None:
    on("riscv64")
    with pytest.raises(OSError, match="the recorder runs on aarch64 and x86_64, not on riscv64") as refusal:
        arch.architecture()
    assert refusal.value.errno == errno.EOPNOTSUPP


def test_nothing_else_asks_for_the_architecture() -> None:
    asking = re.compile("|".join((*NAMES, "__x86_64__", "__aarch64__")))
    files = (
        path for path in HERE.glob("*.*") if path.suffix in (".py", ".h", ".c") and not path.stem.startswith("arch")
    )
    assert [path.name for path in files if asking.search(path.read_text())] == []
