# SPDX-License-Identifier: Apache-2.0
"""Conflicts between the options of ``show``: which options work with which format, and which exclude each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

from traceloop_cli.options.excerpt import First
from traceloop_cli.options.filters import Filters

FORMATS: Final = ("short", "strace", "classic", "json", "jsonl", "records")
OBJECTS: Final = ("json", "jsonl")
RECORDS: Final = "records"  # raw records are not events, so they are neither selected nor counted
STRING_MAX: Final = {"short": 256, "strace": 32}
_VALUES: Final = ("string_max", "verbose", "escape", "hex_strings", "constants")  # only for the formats in STRING_MAX
_LAYOUT: Final = (  # only for strace's format
    *("dns", "align", "numbers", "comms", "arg_names", "compat"),
)
_TIMES: Final = ("times", "absolute", "durations", "durations_as", "relative", "relative_as")  # only for text
_EVENTS: Final = (
    "expressions",
    "paths",
    "successful",
    "failed",
    "descriptors",
    "summary_only",
    "summary",
    "since",
    "until",
    "since_end",
    "around",
    "grep",
    "filters",
    "firsts",
    "ring_alone",
)
_WHOLE: Final = ("since", "until", "since_end", "around", "reverse", "summary_only", "summary")  # of a trace that ended
_COUNTED: Final = frozenset(("escape", "descriptors", "times"))  # how often they are given
_NAMES: Final = {
    "string_max": "-s",
    "verbose": "-v",
    "escape": "-x",
    "constants": "-X",
    "descriptors": "-y",
    "dns": "--decode-dns",
    "align": "-a",
    "times": "-t",
    "durations": "-T",
    "relative": "--relative-timestamps",
    "numbers": "--syscall-number",
    "comms": "-Y",
    "arg_names": "-N",
    "hex_strings": "--strings-in-hex",
    "compat": "--compat",
    "absolute": "--absolute-timestamps",
    "relative_as": "--relative-timestamps",
    "durations_as": "--syscall-times",
    "expressions": "-e",
    "paths": "-P",
    "successful": "-z",
    "failed": "-Z",
    "summary_only": "-c",
    "summary": "-C",
    "since": "-S",
    "until": "-U",
    "since_end": "--since-end",
    "around": "--around",
    "grep": "--grep",
    "firsts": "--firsts",
    "ring_alone": "--last",
    "filters": "A filter such as --errno, -p or --where",
}
_PAIRS: Final[tuple[tuple[Callable[[Any], Any], str], ...]] = (
    (lambda o: o.descriptors and o.output == "classic", "-y works with every format except -o classic."),
    (lambda o: o.summary_only and o.summary, "-c and -C are mutually exclusive."),
    (
        lambda o: o.summary_only and (o.newest is not None or o.reverse),
        "-n and -r cannot be combined with -c, which prints no events.",
    ),
    (lambda o: o.summary and not _is_text(o), "-C works only with -o short, -o strace and -o classic."),
    (
        lambda o: o.firsts and o.ring_alone,
        "--firsts and --last are mutually exclusive: without them, both are shown.",
    ),
    (lambda o: o.successful and o.failed, "-z and -Z are mutually exclusive."),
    (
        lambda o: o.around is not None and given(o, "since", "until", "since_end", "reverse", "summary_only"),
        "--around cannot be combined with -S, -U, --since-end, -r and -c.",
    ),
    (
        lambda o: o.around is not None and isinstance(o.newest, First),
        "--around takes -n N, the number of events around it, but not -n +N.",
    ),
    (
        lambda o: (
            o.following_on and (o.output in (RECORDS, "json") or given(o, *_WHOLE) or isinstance(o.newest, First))
        ),
        "--follow works with no -o json, -o records, -S, -U, --since-end, --around, -r, -c, -C, -n +N.",
    ),
    (
        lambda o: o.grep is not None and (o.summary_only or o.output == "json"),
        "--grep selects lines, so it works neither with -c nor with -o json.",
    ),
)


def given(options: Any, *names: str) -> bool:
    """Tells whether one of these options is given."""
    return any(_is_given(name, getattr(options, name)) for name in names)


def _is_given(name: str, value: Any) -> bool:
    absent = value is None or value is False or value in ((), Filters())
    return not absent and (value != 0 or name not in _COUNTED)


def _is_text(options: Any) -> bool:
    return options.output not in (*OBJECTS, RECORDS)


def check_conflicts(options: Any) -> None:
    """Raises click.UsageError if options of a `Rendering` conflict."""
    text = "works only with -o short, -o strace and -o classic."
    for names, applies, why in (
        (_EVENTS, options.output == RECORDS, "works with every format except -o records."),
        (_VALUES, options.output not in STRING_MAX, f"works only with -o {' and -o '.join(STRING_MAX)}."),
        (_LAYOUT, options.output != "strace", "works only with -o strace."),
        (_TIMES, not _is_text(options), text),
    ):
        for name in names if applies else ():
            if given(options, name):
                raise click.UsageError(f"{_NAMES[name]} {why}")
    for conflicts, why in _PAIRS:
        if conflicts(options):
            raise click.UsageError(why)
