# SPDX-License-Identifier: Apache-2.0
"""Output formats: each module writes events as lines of printable ASCII in one format."""
