# SPDX-License-Identifier: Apache-2.0
"""The daemon's settings: their definition, reading them from files, and their documentation."""
