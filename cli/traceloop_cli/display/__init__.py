# SPDX-License-Identifier: Apache-2.0
"""Presentation for people: lines, tables, colours, the pager and the terminal."""
