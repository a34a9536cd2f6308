# SPDX-License-Identifier: Apache-2.0
"""``python -m traceloop_bpf.check``: loads a recorder into the kernel and removes it at once.

The check records nothing and does not disturb a recorder that is running. It prints one JSON object: ``took_s`` is the
time it took, ``error`` the last lines of the compiler or the kernel if it failed, ``bcc`` whether this interpreter can
import BCC, ``io_uring`` whether requests of io_uring would be recorded, and ``capabilities`` whether the capabilities
that are asked for would. With ``-v``, it first prints the verifier's whole log of each program,
or of those that are named.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from contextlib import closing

from traceloop_bpf import compiler, loader
from traceloop_bpf.errors import LoadError
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser("python -m traceloop_bpf.check", description="Try to load the recorder.")
    parser.add_argument(
        "-v", nargs="*", metavar="FUNCTION", help="first print the verifier's whole log of these programs, or of all"
    )
    options = parser.parse_args()
    found: dict[str, object] = {"bcc": importlib.util.find_spec("bcc") is not None}
    began = time.monotonic()
    if found["bcc"]:
        try:
            if options.v is not None:
                compiler.print_verifier_log(loader.values_of(Plan().about().geometry, {}), options.v)
                began = time.monotonic()
            with closing(Tracer.load(Plan(pool_size=1))) as tracer:
                found["io_uring"] = tracer.records_requests
                found["capabilities"] = tracer.records_capabilities
        except (LoadError, OSError) as error:
            found["error"] = str(error)
    print(json.dumps({**found, "took_s": time.monotonic() - began}))


if __name__ == "__main__":
    main()
