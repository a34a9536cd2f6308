# SPDX-License-Identifier: Apache-2.0
"""``python -m traceloop_bpf.check``: brings a recorder into the kernel, and takes it out at once.

It records nothing, and is not in the way of one that does. Prints one JSON object: ``took_s``, or ``error``, the
compiler's or the kernel's last lines, and ``bcc``: whether BCC is there for this interpreter.
"""

from __future__ import annotations

import importlib.util
import json
import time

from traceloop_bpf.loader import LoadError
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer


def main() -> None:
    """The command."""
    began = time.monotonic()
    found: dict[str, object] = {"bcc": importlib.util.find_spec("bcc") is not None}
    if found["bcc"]:
        try:
            Tracer.load(Plan(pool_size=1)).close()
        except (LoadError, OSError) as error:
            found["error"] = str(error)
    print(json.dumps({**found, "took_s": time.monotonic() - began}))


if __name__ == "__main__":
    main()
