# SPDX-License-Identifier: Apache-2.0
"""Sources of traces: the daemon, and archive files."""
