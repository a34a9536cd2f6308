# SPDX-License-Identifier: Apache-2.0
"""The verbs of traceloopctl, a file each; `list_follow` is what `list --follow` does."""
