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

    def began(self) -> None:
        """Counts a container that begins."""
        now_s = self._now()
        self._last.append(now_s)
        while self._last[0] <= now_s - _SECOND_S:
            self._last.popleft()
        while self._peaks and self._peaks[-1][1] <= len(self._last):
            self._peaks.pop()
        self._peaks.append((now_s, len(self._last)))
        self.follow()

    def follow(self) -> None:
        """Resizes the stock if the rate of starts has changed. To be called now and then, as peaks pass."""
        while self._peaks and self._peaks[0][0] <= self._now() - LATELY_S:
            self._peaks.popleft()
        size = min(self._most, max(self._least, self._peaks[0][1] if self._peaks else 0))
        if size != self.size:
            self.size = size
            self._pool().resize(size)
