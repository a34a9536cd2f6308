# SPDX-License-Identifier: Apache-2.0
"""Checks that the recorder in the kernel is intact, and replaces it if it is broken.

Root can freeze the recorder's maps, or close its descriptors, which detaches its programs. Then no container can be
registered, or nothing is recorded. A new recorder has its own maps and programs: each container that is being recorded
gets a new trace, and the former trace is archived.

The guard also tidies the table of cgroups: a container that makes and removes thousands of cgroups would make look-ups
slower for the whole node. And it tells what the recorder could not note.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from traceloop_bpf.errors import LoadError
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.recording.losses import Losses
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.succession.adoption import Succession
from traceloop_daemon.system.loop import Loop

_LOOK_S: Final = 2.0
_AGAIN_S: Final = 60.0
_log = logging.getLogger(__name__)


class Replaceable(Protocol):
    """An object that records with a tracer, and can switch to another."""

    @property
    def tracer(self) -> Tracer:
        """The tracer for new recordings."""

    def replace_tracer(self, tracer: Tracer, why: str) -> None:
        """Records with another tracer from now on. why: for the log."""


class Guard:
    """Checks every two seconds, from the loop. A new recorder is compiled in a thread, as that takes a second."""

    def __init__(
        self,
        loop: Loop,
        recorder: Replaceable,
        tally: Tally,
        succession: Succession,
        load: Callable[[], Tracer],
        *,
        losses: Losses,
    ) -> None:
        """load: loads another recorder into the kernel; raises LoadError, OSError."""
        self._loop, self._recorder, self._tally = loop, recorder, tally
        self._succession, self._load, self._losses = succession, load, losses
        self._thread: threading.Thread | None = None
        loop.call_later(0, self._look)

    def join(self) -> None:
        """Waits for a replacement in progress."""
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        try:
            is_replaced = self._check()
        except Exception:  # noqa: BLE001 - it is looked at again
            is_replaced = False
            _log.exception("the recorder is not checked: internal error in traceloopd: please report it")
        if not is_replaced:  # else the thread goes on
            self._loop.call_later(_LOOK_S, self._look)

    def _check(self) -> bool:
        # Returns whether the recorder is broken, and being replaced. A succession replaces the descriptors checked.
        if not self._succession.is_over or not (trouble := self._recorder.tracer.trouble()):
            self._recorder.tracer.tidy()
            self._losses.look(self._recorder.tracer)
            return False
        _log.error("the recorder is broken: %s; it is being replaced", trouble)
        thread = threading.Thread(target=self._replace, args=(trouble,), name="guard")
        thread.start()
        self._thread = thread
        return True

    def _replace(self, trouble: str) -> None:
        delay_s = _LOOK_S
        try:
            self._recorder.replace_tracer(self._load(), f"its recorder was broken: {trouble}")
            self._tally.add(Counted.REPLACEMENTS)
            _log.warning("replaced the recorder; each container that is being recorded has a new trace")
        except (LoadError, OSError) as error:
            delay_s = _AGAIN_S
            _log.error("the recorder cannot be replaced: %s; next try in %g s", error, delay_s)
        except Exception:  # noqa: BLE001 - it is to be tried again
            delay_s = _AGAIN_S
            _log.exception("the recorder cannot be replaced: internal error in traceloopd: please report it")
        self._loop.call_later(delay_s, self._look)
