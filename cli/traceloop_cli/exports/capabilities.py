# SPDX-License-Identifier: Apache-2.0
"""The export ``capabilities``: those that one container or several need, for engines and for Kubernetes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from traceloop_cli.errors import Failed
from traceloop_cli.sources.recorded import Recorded
from traceloop_decode.needed_capabilities import NotToldError, needed_capabilities
from traceloop_decode.safe_text import printable


def export(traces: Sequence[Recorded]) -> Iterator[bytes]:
    """Yields the text; which calls asked, and what was refused, goes to standard error. Raises Failed."""
    try:
        needs = needed_capabilities([(trace.info.trace_id, trace.snapshot) for trace in traces])
    except NotToldError as error:
        raise Failed(str(error)) from error
    for note in needs.notes:
        print(printable(note), file=sys.stderr)
    yield needs.text.encode()
