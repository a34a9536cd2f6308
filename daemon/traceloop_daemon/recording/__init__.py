# SPDX-License-Identifier: Apache-2.0
"""Recordings that are under way, and the traces that there are: begun, ended, told, counted, read."""
