# SPDX-License-Identifier: Apache-2.0
"""The daemon's settings: which there are, how files say them, and how they are documented."""
