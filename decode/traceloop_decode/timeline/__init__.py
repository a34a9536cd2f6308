# SPDX-License-Identifier: Apache-2.0
"""Draws a trace: what each thread did, when, and for how long, as data for pictures."""
