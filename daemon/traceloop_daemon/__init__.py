# SPDX-License-Identifier: Apache-2.0
"""traceloopd: learns of containers, records them, keeps their traces, serves clients. `main` is the entry point."""
