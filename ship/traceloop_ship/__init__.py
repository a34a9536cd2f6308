# SPDX-License-Identifier: Apache-2.0
"""traceloop-ship: sends archived traces to an object store. `main` is the entry point."""
