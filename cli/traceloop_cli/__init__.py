# SPDX-License-Identifier: Apache-2.0
"""traceloopctl: queries the daemon, decodes its answers and prints them. `commands` has a file for each verb."""
