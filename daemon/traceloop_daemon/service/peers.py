# SPDX-License-Identifier: Apache-2.0
"""Limits each user to a share of the daemon's resources.

Each member of the group may have a part of what all members may have together. Root has a separate share of the same
size as that of all members, so that members cannot use it up.
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
    """Limits of a resource: of one user, and of all users but root together, which is root's own limit too."""

    each: int
    together: int


class Taken:
    """Counts how many of a resource each user has. Safe to use from several threads."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._lock = threading.Lock()
        self._by_uid: Counter[int] = Counter()
        self._together = 0  # of users but root

    def take(self, uid: int) -> str | None:
        """Takes one for a user and returns None, or returns why the user gets none: who has how many already."""
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
        """Gives back one that was taken."""
        with self._lock:
            self._by_uid[uid] -= 1
            self._together -= uid != ROOT
            if not self._by_uid[uid]:
                del self._by_uid[uid]


class Allowances:
    """Limits the bytes that each user may send to `per_s` a second, with savings up to `most`. Not thread-safe."""

    def __init__(self, per_s: int, most: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most, self._now_s = per_s, most, now_s
        self._spent: dict[int, tuple[float, float]] = {}  # by uid: how much less than `most` the user had, and when

    def spend(self, uid: int, amount: int) -> None:
        """Subtracts an amount, which may be more than the user has."""
        self._spent[uid] = min(2.0 * self._most, self._now(uid) + amount), self._now_s()

    def is_spent(self, uid: int) -> bool:
        """Returns whether the user has nothing left for now."""
        return self._now(uid) >= self._most

    def forget_silent(self) -> None:
        """Forgets the users whose savings have reached `most`."""
        self._spent = {uid: spent for uid, spent in self._spent.items() if self._now(uid) > 0}

    def _now(self, uid: int) -> float:
        spent, then_s = self._spent.get(uid, (0.0, 0.0))
        return max(0.0, spent - (self._now_s() - then_s) * self._per_s)


class Complaints:
    """Logs complaints about users: at most one line in `every_s` for each user and kind. Safe to use from threads."""

    def __init__(
        self, say: Callable[[str], None], every_s: float = 60.0, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._every_s, self._now_s = say, every_s, now_s
        self._lock = threading.Lock()
        self._said: dict[tuple[int, str], float] = {}
        self._more: Counter[tuple[int, str]] = Counter()

    def add(self, uid: int, what: str, why: str) -> None:
        """Logs a complaint, or counts it. what: what was done to the user, in the same words each time."""
        now_s = self._now_s()
        with self._lock:
            said_s = self._said.get((uid, what))
            if said_s is not None and now_s - said_s < self._every_s:
                self._more[uid, what] += 1
                return
            self._said[uid, what] = now_s
            more = self._more.pop((uid, what), 0)
        self._say(f"uid {uid}: {what}: {why}" + (f"; {more} more since the last such line" if more else ""))
