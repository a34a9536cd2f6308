# SPDX-License-Identifier: Apache-2.0
"""Rules that turn failed calls into sentences: one module a family, each a table; the first rule that fits counts."""
