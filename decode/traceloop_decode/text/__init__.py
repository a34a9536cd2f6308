# SPDX-License-Identifier: Apache-2.0
"""Events -> text, one module a format; each has ``lines(events, snapshot) -> Iterator[str]``.

::

    classic   the line of the original demo, to the letter: registers as unsigned numbers
    short     the same layout with decoded values
    jsonl     one JSON object an event

`line` is the layout that the first two share, with the `notes` between the calls.

All stream, and give nothing but printable ASCII: no byte of a traced program reaches a terminal as it is.
"""
