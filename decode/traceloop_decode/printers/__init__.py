# SPDX-License-Identifier: Apache-2.0
"""Arguments as text, in strace's words.

`core` compiles each call's line of `arguments.table` into one printer an argument; the other modules know the kinds:
``VALUES`` prints numbers, ``STRUCTS`` memory, ``CALLS`` what no single argument can say. All is pure, and total: any
bytes give text.
"""
