# SPDX-License-Identifier: Apache-2.0
"""Decodes a snapshot's bytes to text, purely: no I/O, no clock, no logging.

::

    snapshot -> ring (records that can be believed) -> events (calls, whole) -> descriptors -> selection -> text

Modules that lie here read what was recorded: the layout, the file, the ring, the events, and the kernel's own tables.
Each folder says in its ``__init__`` what may be in it; `tests/test_layers.py` says what each may use.
"""
