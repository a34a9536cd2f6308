# SPDX-License-Identifier: Apache-2.0
"""traceloop-explain: finds why containers ended, for the daemon, without privileges. `main` is the entry point."""
