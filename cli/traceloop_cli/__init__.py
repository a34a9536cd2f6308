# SPDX-License-Identifier: Apache-2.0
"""traceloopctl: asks the daemon, decodes what it answers, and prints it. `commands` has a file for each verb."""
