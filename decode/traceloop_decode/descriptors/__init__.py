# SPDX-License-Identifier: Apache-2.0
"""Files that each process's descriptors stand for, and how these are printed."""
