# SPDX-License-Identifier: Apache-2.0
"""Output formats: events as lines of printable ASCII, one module a format."""
