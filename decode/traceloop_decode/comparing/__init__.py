# SPDX-License-Identifier: Apache-2.0
"""Comparison of two traces: a run that failed, and a good one of the same image."""
