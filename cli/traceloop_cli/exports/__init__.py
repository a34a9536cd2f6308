# SPDX-License-Identifier: Apache-2.0
"""Formats into which `export` writes traces for other programs, one module each; `formats` has their table."""
