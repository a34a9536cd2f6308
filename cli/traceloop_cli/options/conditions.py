# SPDX-License-Identifier: Apache-2.0
"""Makes one condition of the options that select events, as the docstring of `filters` has it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Final

import click

from traceloop_cli.options.expressions import ExpressionError, parsed
from traceloop_decode.selection.conditions import Comparison, Condition, Every, Literal, Opposite, comparison
from traceloop_decode.selection.select import read_set

_DIGITS_MAX: Final = 18  # the kernel's numbers have at most 10, and int() refuses thousands


def condition_of(
    *,
    errnos: str | None,
    pids: tuple[str, ...],
    tids: tuple[str, ...],
    comm_names: tuple[str, ...],
    fd_paths: tuple[str, ...],
    min_duration: int | None,
    where: str | None,
) -> Condition:
    """Returns what the options of `filters.Filters` ask for together. Raises click.UsageError."""
    parts: list[Condition] = []
    if errnos is not None:
        parts.append(_errors(errnos))
    for option, field, words in (("-p", "pid", pids), ("--tid", "tid", tids)):
        if words:
            parts.append(Comparison(field, "==", tuple(_numbers(option, words))))
    if comm_names:
        parts.append(Comparison("comm", "==", comm_names))
    if fd_paths:
        patterns = tuple(rf"\A{fnmatch.translate(pattern)}" for pattern in fd_paths)
        parts.append(Comparison("fd_path", "=~", patterns))
    if min_duration is not None:
        parts.append(Comparison("duration", ">=", (min_duration,)))
    if where is not None:
        try:
            parts.append(parsed(where))
        except ExpressionError as error:
            raise click.UsageError(f"--where: {error}.") from error
    return Every(tuple(parts))


def _errors(text: str) -> Condition:
    found: list[Literal] = []
    try:
        others = read_set(text, lambda word: found.append(_error_word(word)))
        chosen = comparison("errno", "==", found)
    except ValueError as error:
        raise click.UsageError(f"--errno: {error}.") from error
    return Every((Comparison("failed"), Opposite(chosen))) if others else chosen


def _error_word(word: str) -> Literal:
    return Literal("number", int(word)) if word.isdecimal() else Literal("word", word)


def _numbers(option: str, words: tuple[str, ...]) -> Iterator[int]:
    for word in ",".join(words).split(","):
        if not (word.isascii() and word.isdecimal() and len(word) <= _DIGITS_MAX):
            raise click.UsageError(f"{option}: {word!r} is not the number of a process or thread.")
        yield int(word)
