# SPDX-License-Identifier: Apache-2.0
"""Causes of a container's end, found in its events: a pure function, `explain.explain`, from a snapshot to a report.

::

    events -> story: failed calls, processes, last words, names, waits -> rules -> findings, ranked

A collector is a small class that observes events in one pass and keeps a bounded part of them. A rule is a line of a
table: which calls and errors, how much they weigh, and the sentence. `ranking` says which findings are named first.
"""
