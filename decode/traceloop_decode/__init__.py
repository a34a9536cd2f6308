# SPDX-License-Identifier: Apache-2.0
"""From a snapshot's bytes to text, purely: no I/O, no clock, no logging.

::

    snapshot -> ring (records that can be believed) -> events (calls, whole) -> text (lines)
"""
