# SPDX-License-Identifier: Apache-2.0
"""Linux' names and numbers, one module per table. Generated: see `decode/generate_tables.py`."""
