# SPDX-License-Identifier: Apache-2.0
"""What Linux calls things, one module a table. Generated: see `decode/generate_tables.py`."""
