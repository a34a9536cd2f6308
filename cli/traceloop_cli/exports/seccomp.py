# SPDX-License-Identifier: Apache-2.0
"""The export ``seccomp``: a profile for OCI runtimes that allows what one container or several called."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from traceloop_cli.errors import Failed
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.safe_text import printable
from traceloop_decode.seccomp_profile import NoTotalsError, seccomp_profile


def export(traces: Sequence[Recorded]) -> Iterator[bytes]:
    """Yields the profile; what it rests on, and what was never seen, goes to standard error. Raises Failed."""
    try:
        profile = seccomp_profile([(trace.info.trace_id, trace.snapshot) for trace in traces])
    except NoTotalsError as error:
        raise Failed(str(error)) from error
    for note in profile.notes:
        print(printable(note), file=sys.stderr)
    yield profile.text.encode()
