# SPDX-License-Identifier: Apache-2.0
"""The end of a container as a sentence, and whether it failed; compared with what a shell reports of real ends."""

from __future__ import annotations

import subprocess

import pytest

from traceloop_decode.ending import EndKind, MemoryEnd, end_kind, how_ended


@pytest.mark.parametrize(
    ("exit_code", "signal", "kind", "text"),
    [
        (None, None, EndKind.UNKNOWN, ""),
        (0, None, EndKind.WELL, "exited with 0"),
        (1, None, EndKind.FAILED, "exited with 1"),
        (126, None, EndKind.FAILED, "exited with 126 (a command was found, but could not be run)"),
        (127, None, EndKind.FAILED, "exited with 127 (a command was not found)"),
        (128, None, EndKind.FAILED, "exited with 128"),
        (130, None, EndKind.STOPPED, "exited with 130 (128 + SIGINT)"),
        (137, None, EndKind.FAILED, "exited with 137 (128 + SIGKILL)"),
        (143, None, EndKind.STOPPED, "exited with 143 (128 + SIGTERM)"),
        (162, None, EndKind.FAILED, "exited with 162"),
        (255, None, EndKind.FAILED, "exited with 255"),
        (None, 9, EndKind.FAILED, "killed by SIGKILL"),
        (None, 11, EndKind.FAILED, "killed by SIGSEGV (invalid memory access)"),
        (None, 15, EndKind.STOPPED, "killed by SIGTERM"),
        (None, 64, EndKind.FAILED, "killed by SIGRT_32"),
        (None, 99, EndKind.FAILED, "killed by signal 99"),
    ],
)
def test_ends(exit_code: int | None, signal: int | None, kind: EndKind, text: str) -> None:
    assert end_kind(exit_code, signal) is kind
    assert how_ended(exit_code, signal) == text


def memory(kills: int, by_limit: int, *, first: bool) -> MemoryEnd:
    return MemoryEnd(first, kills, 30 << 20, by_limit)


@pytest.mark.parametrize(
    ("exit_code", "signal", "end", "text"),
    [
        (None, 9, memory(1, 5, first=True), "killed by SIGKILL (out of memory: its limit is 30 MiB)"),
        (None, 9, memory(1, 0, first=True), "killed by SIGKILL (the node was out of memory)"),
        (None, 9, MemoryEnd(of_first=True), "killed by SIGKILL (out of memory)"),
        (None, 9, memory(1, 5, first=False), "killed by SIGKILL"),
        (None, 15, memory(1, 5, first=True), "killed by SIGTERM"),
        (
            137,
            None,
            memory(1, 5, first=False),
            "exited with 137 (128 + SIGKILL: out of memory: its limit is 30 MiB)",
        ),
        (137, None, memory(0, 5, first=False), "exited with 137 (128 + SIGKILL)"),
        (1, None, memory(1, 5, first=False), "exited with 1"),
    ],
)
def test_ends_for_want_of_memory(exit_code: int | None, signal: int | None, end: MemoryEnd, text: str) -> None:
    assert how_ended(exit_code, signal, end) == text


@pytest.mark.parametrize(
    ("script", "meaning"),
    [
        ("/nonexistent/program; exit $?", "a command was not found"),
        ("/; exit $?", "a command was found, but could not be run"),
        ("sh -c 'kill -SEGV $$'; exit $?", "128 + SIGSEGV"),
    ],
)
def test_a_shells_exit_codes_mean_what_is_said(script: str, meaning: str) -> None:
    ended = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert how_ended(ended.returncode, None) == f"exited with {ended.returncode} ({meaning})"
