# SPDX-License-Identifier: Apache-2.0
"""Snapshots of real recordings, and their text in every format."""
