# SPDX-License-Identifier: Apache-2.0
"""``python -m traceloop_cli`` is traceloopctl."""

from traceloop_cli.main import main

main()
