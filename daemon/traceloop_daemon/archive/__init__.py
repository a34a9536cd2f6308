# SPDX-License-Identifier: Apache-2.0
"""The archive of ended traces: files, traces that wait for the disk, retention."""
