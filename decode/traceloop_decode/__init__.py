# SPDX-License-Identifier: Apache-2.0
"""Decoder of a snapshot's bytes to text. It is pure: no I/O, no clock, no logging.

::

    snapshot -> ring (trusted records) -> events (paired calls) -> descriptors -> selection -> text

The modules in this folder read what was recorded: layout, archive file, ring, events, and the kernel's own tables.
Each sub-package says in its ``__init__`` what it contains; `tests/project/test_layers.py` says what each may use.
"""
