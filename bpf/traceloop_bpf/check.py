# SPDX-License-Identifier: Apache-2.0
"""``python -m traceloop_bpf.check``: brings a recorder into the kernel, and takes it out at once.

It records nothing, and is not in the way of one that does. Prints one JSON object: ``took_s``, or ``error``, the
compiler's or the kernel's last lines, and ``bcc``: whether BCC is there for this interpreter. With ``-v``,
prints what the kernel's verifier says of each program first, whole.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time

from traceloop_bpf.loader import LoadError, print_verifier_log
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m traceloop_bpf.check", description="Try to load the recorder.")
    parser.add_argument("-v", action="store_true", help="print the verifier's whole log first")
    options = parser.parse_args()
    found: dict[str, object] = {"bcc": importlib.util.find_spec("bcc") is not None}
    began = time.monotonic()
    if found["bcc"]:
        try:
            if options.v:
                print_verifier_log(Plan().about().geometry)
                began = time.monotonic()
            Tracer.load(Plan(pool_size=1)).close()
        except (LoadError, OSError) as error:
            found["error"] = str(error)
    print(json.dumps({**found, "took_s": time.monotonic() - began}))


if __name__ == "__main__":
    main()
