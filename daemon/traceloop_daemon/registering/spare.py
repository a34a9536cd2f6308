# SPDX-License-Identifier: Apache-2.0
"""Keeps as many rings in stock as containers have lately started within a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from traceloop_bpf.pool import RingPool

LATELY_S: Final = 600.0
_SECOND_S: Final = 1.0


class Spare:
    """The size of a pool's stock: the most containers that began within a second lately, within bounds."""

    def __init__(
        self, pool: Callable[[], RingPool], least: int, most: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        """pool: returns the current pool. least, most: numbers of rings. now: returns a time in seconds."""
        self._pool, self._least, self._most, self._now = pool, least, max(least, most), now
        self._last: deque[float] = deque()  # when the containers of the last second began
        self._peaks: deque[tuple[float, int]] = deque()  # when, how many within a second; falling numbers
        self.size = least

    def began(self, ago_s: float = 0.0) -> None:
        """Counts a container. ago_s: how long ago it began, in the order in which they began.

        Several that began while no daemon ran are told at once.
        """
        at_s = max(self._now() - max(0.0, ago_s), self._last[-1] if self._last else 0.0)
        self._last.append(at_s)
        while self._last[0] <= at_s - _SECOND_S:
            self._last.popleft()
        while self._peaks and self._peaks[-1][1] <= len(self._last):
            self._peaks.pop()
        self._peaks.append((at_s, len(self._last)))
        self.follow()

    def follow(self) -> None:
        """Resizes the stock if the rate of starts has changed. To be called now and then, as peaks pass."""
        while self._peaks and self._peaks[0][0] <= self._now() - LATELY_S:
            self._peaks.popleft()
        size = min(self._most, max(self._least, self._peaks[0][1] if self._peaks else 0))
        if size != self.size:
            self.size = size
            self._pool().resize(size)
