# SPDX-License-Identifier: Apache-2.0
"""Compiled programs: maps' descriptors go out of instructions and into them, and what is kept between starts is used."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from traceloop_bpf import compiled_cache
from traceloop_bpf.compiled import GENERATION, INSTRUCTION, MARKS, PID_NAMESPACE, Compiled, CompiledMap, CompiledProgram

LOAD_64, CALL, EXIT = 0x18, 0x85, 0x95
MAP_FD, MAP_VALUE, CALL_OF_FUNCTION = 1, 2, 1


def load_64(source: int, value: int) -> bytes:
    """Two instructions that load 64 bits, as <linux/bpf.h> has them."""
    lower, upper = (
        int.from_bytes(half, "little", signed=True)
        for half in (value.to_bytes(8, "little")[:4], value.to_bytes(8, "little")[4:])
    )
    return INSTRUCTION.pack(LOAD_64, source << 4 | 1, 0, lower) + INSTRUCTION.pack(0, 0, 0, upper)


def code(hash_fd: int, array_fd: int, numbers: Mapping[str, int] = MARKS) -> bytes:
    # The second half of the constant looks like a load of a map; it is none.
    constant = INSTRUCTION.pack(LOAD_64, 2, 0, 7) + INSTRUCTION.pack(LOAD_64, MAP_FD << 4, 0, 7)
    helper = INSTRUCTION.pack(CALL, 0, 0, 1)
    loads = load_64(0, numbers[GENERATION]) + load_64(0, numbers[PID_NAMESPACE]) + load_64(MAP_FD, hash_fd)
    return load_64(MAP_FD, array_fd) + constant + helper + loads + INSTRUCTION.pack(EXIT, 0, 0, 0)


PROGRAM = CompiledProgram.read("on_one", "one", code(7, 9), {7: "hash", 9: "array"})
COMPILED = Compiled(
    (CompiledMap("hash", (1, 8, 4, 16, 0), ""), CompiledMap("rings", (12, 4, 4, 16, 0), "hash")),
    (PROGRAM,),
    {3: b"\x00\xff"},
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    place.mkdir(mode=0o700)
    monkeypatch.setenv(compiled_cache.DIRECTORY, str(place))
    return place


def test_other_descriptors() -> None:
    assert PROGRAM.maps == {0: "array", 9: "hash"}
    assert PROGRAM.numbers == {5: GENERATION, 7: PID_NAMESPACE}
    assert PROGRAM.code_for({"hash": 7, "array": 9}, MARKS) == code(7, 9)
    numbers = {GENERATION: 2, PID_NAMESPACE: 0xEFFFFFFC}
    assert PROGRAM.code_for({"hash": 300, "array": 1 << 20}, numbers) == code(300, 1 << 20, numbers)


@pytest.mark.parametrize("what", [load_64(MAP_VALUE, 7), INSTRUCTION.pack(CALL, CALL_OF_FUNCTION << 4, 0, 3)])
def test_what_needs_more_than_descriptors(what: bytes) -> None:
    with pytest.raises(ValueError, match=r"\Ainstruction 2 of f refers to source [12]\Z"):
        CompiledProgram.read("f", "one", load_64(MAP_FD, 7) + what, {7: "hash"})


def test_text() -> None:
    assert Compiled.read(COMPILED.text()) == COMPILED


def test_kept(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert compiled_cache.find("a") is None
    compiled_cache.keep("a", COMPILED)
    assert compiled_cache.find("a") == COMPILED
    assert compiled_cache.find("b") is None
    assert [path.name for path in directory.iterdir()] == ["a.programs"]
    assert not caplog.records


def test_without_a_directory_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv(compiled_cache.DIRECTORY)
    compiled_cache.keep("a", COMPILED)
    assert compiled_cache.find("a") is None
    assert not caplog.records


@pytest.mark.parametrize("at", [0, 100, -1])
def test_damaged(directory: Path, at: int, caplog: pytest.LogCaptureFixture) -> None:
    compiled_cache.keep("a", COMPILED)
    (kept,) = directory.iterdir()
    data = bytearray(kept.read_bytes())
    data[at] ^= 0x80
    kept.write_bytes(data)
    assert compiled_cache.find("a") is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    compiled_cache.keep("a", COMPILED)
    assert compiled_cache.find("a") == COMPILED


@pytest.mark.parametrize("length", [0, 64, 65, 200])
def test_cut_off(directory: Path, length: int, caplog: pytest.LogCaptureFixture) -> None:
    compiled_cache.keep("a", COMPILED)
    (kept,) = directory.iterdir()
    os.truncate(kept, length)
    assert compiled_cache.find("a") is None
    assert f"{kept} is damaged" in caplog.text


def _open_to_others(directory: Path) -> None:
    directory.chmod(0o770)


def _of_another_user(directory: Path) -> None:
    os.chown(directory, 65534, 65534)


def _link(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.symlink_to("elsewhere")


def _gone(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))


@pytest.mark.parametrize("change", [_open_to_others, _of_another_user, _link])
def test_a_directory_of_others_is_not_used(directory: Path, change, caplog: pytest.LogCaptureFixture) -> None:
    if change is _of_another_user and os.geteuid():
        pytest.skip("needs root")
    compiled_cache.keep("a", COMPILED)
    change(directory)
    assert compiled_cache.find("a") is None
    compiled_cache.keep("b", COMPILED)
    why = f"must be a directory that this user alone can write to: '{directory}'"
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [f"[Errno 1] {why}"] * 2
    assert [path.name for path in directory.iterdir()] == ["a.programs"]


def test_a_directory_that_is_gone_is_not_made(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    _gone(directory)
    compiled_cache.keep("a", COMPILED)
    assert compiled_cache.find("a") is None
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "the compiled programs cannot be kept, so the next start compiles them again: "
    )


def test_what_cannot_be_kept_leaves_nothing(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    (directory / "a.programs").mkdir()
    compiled_cache.keep("a", COMPILED)
    assert [path.name for path in directory.iterdir()] == ["a.programs"]
    assert "the compiled programs cannot be kept" in caplog.text


def test_what_was_not_used_for_longest_goes(directory: Path) -> None:
    for number in range(compiled_cache.FILES_MAX):
        compiled_cache.keep(str(number), COMPILED)
        os.utime(directory / f"{number}.programs", (number, number))
    assert compiled_cache.find("0") is not None
    compiled_cache.keep("more", COMPILED)
    left = {path.stem for path in directory.iterdir()}
    assert left == {"more", "0", *map(str, range(2, compiled_cache.FILES_MAX))}


def test_key() -> None:
    key = compiled_cache.key("programs", {"A": 1, "B": 2})
    assert key == compiled_cache.key("programs", {"B": 2, "A": 1})
    others = {compiled_cache.key("others", {"A": 1, "B": 2}), compiled_cache.key("programs", {"A": 1, "B": 3})}
    assert len(others - {key}) == 2
