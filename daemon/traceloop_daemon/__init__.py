# SPDX-License-Identifier: Apache-2.0
"""traceloopd: hears of containers, has them recorded, keeps their traces, answers questions. `main` is the way in."""
