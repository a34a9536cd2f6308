# SPDX-License-Identifier: Apache-2.0
"""What each user may have of the daemon at once, so that none has all of it.

Members of the group may only ask, and each gets a share: a part of what all of them may have together. Root has as much
as they together, apart from them: what they do takes nothing from it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ROOT: Final = 0


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a thing one user may have, and how many all users but root together; root alone may have as many."""

    each: int
    together: int


class Taken:
    """How many of a thing who has. Safe to use from several threads."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._lock = threading.Lock()
        self._by_uid: Counter[int] = Counter()
        self._together = 0  # of users but root

    def take(self, uid: int) -> str | None:
        """One more for this user; or why there is none: how many who has already."""
        with self._lock:
            most = self._share.together if uid == ROOT else self._share.each
            if self._by_uid[uid] >= most:
                return f"uid {uid} has {most}"
            if uid != ROOT and self._together >= self._share.together:
                return f"members of the group traceloop have {self._together}"
            self._by_uid[uid] += 1
            self._together += uid != ROOT
            return None

    def give_back(self, uid: int) -> None:
        """One that was taken."""
        with self._lock:
            self._by_uid[uid] -= 1
            self._together -= uid != ROOT
            if not self._by_uid[uid]:
                del self._by_uid[uid]


class Allowances:
    """How much each user may say: so much a second, and what it has saved of it, up to a bound. For one thread."""

    def __init__(self, per_s: int, most: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most, self._now_s = per_s, most, now_s
        self._spent: dict[int, tuple[float, float]] = {}  # uid: how much less than the most it had, and when

    def spend(self, uid: int, amount: int) -> None:
        """It said so much, perhaps more than it may."""
        self._spent[uid] = min(2.0 * self._most, self._now(uid) + amount), self._now_s()

    def is_spent(self, uid: int) -> bool:
        """Whether it is to be silent for a while."""
        return self._now(uid) >= self._most

    def forget_silent(self) -> None:
        """Those who have saved the most need not be remembered."""
        self._spent = {uid: spent for uid, spent in self._spent.items() if self._now(uid) > 0}

    def _now(self, uid: int) -> float:
        spent, then_s = self._spent.get(uid, (0.0, 0.0))
        return max(0.0, spent - (self._now_s() - then_s) * self._per_s)


class Complaints:
    """Says what members do too much of: a line for each user, at most one in `every_s`. For one thread at a time."""

    def __init__(
        self, say: Callable[[str], None], every_s: float = 60.0, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._every_s, self._now_s = say, every_s, now_s
        self._lock = threading.Lock()
        self._said: dict[tuple[int, str], float] = {}
        self._more: Counter[tuple[int, str]] = Counter()

    def add(self, uid: int, what: str, why: str) -> None:
        """what: happened to this user, in words that are the same each time."""
        now_s = self._now_s()
        with self._lock:
            said_s = self._said.get((uid, what))
            if said_s is not None and now_s - said_s < self._every_s:
                self._more[uid, what] += 1
                return
            self._said[uid, what] = now_s
            more = self._more.pop((uid, what), 0)
        self._say(f"{what} of uid {uid}: {why}" + (f"; {more} more since the last such line" if more else ""))
