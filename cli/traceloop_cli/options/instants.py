# SPDX-License-Identifier: Apache-2.0
"""Times of a trace, for ``show --around``: as ``-o short`` prints them, or by the wall clock as in `moments`."""

from __future__ import annotations

import re
import time
from typing import Any, Final, NamedTuple

import click

from traceloop_cli.options.moments import parse
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.spans import SECOND_NS, fraction_ns

# moments writes a fraction only after seconds, HH:MM:SS.F, so the two cannot be confused.
_PRINTED: Final = re.compile(r"(-?)([0-9]{2,9}):([0-5][0-9])\.([0-9]+)")


class Instant(NamedTuple):
    """A time in nanoseconds: since the recording began, or else since 1970."""

    ns: int
    since_start: bool

    def boottime(self, snapshot: Snapshot) -> int:
        """Returns the time by the clock of a snapshot's events."""
        return self.ns + snapshot.started_ns if self.since_start else self.ns - snapshot.boot_offset_ns


class InstantType(click.ParamType):
    """A time of a trace; the verb gets an `Instant`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """Returns the time that `value` means; a usage error if it means none."""
        text = str(value).strip()
        if printed := _PRINTED.fullmatch(text):
            sign, minutes, seconds, fraction = printed.groups()
            ns = (int(minutes) * 60 + int(seconds)) * SECOND_NS + fraction_ns(fraction)
            return Instant(-ns if sign else ns, since_start=True)
        try:
            return Instant(parse(text, time.time_ns()), since_start=False)
        except ValueError as error:
            self.fail(f"{error}; or as `show` prints it: 00:12.345678901.", param, ctx)
