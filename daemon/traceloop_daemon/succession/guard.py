# SPDX-License-Identifier: Apache-2.0
"""Looks whether the recorder in the kernel is still whole, and puts a new one in its place where it is not.

Root can freeze its maps, and whoever takes its descriptors away detaches its programs. Nothing can be registered then,
or nothing is recorded. A new recorder has maps and programs of its own: each container that is being recorded gets a
new trace, and what the former ring holds is kept.

A container that makes and removes thousands of cgroups makes look-ups slower for the whole node; that is tidied here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from traceloop_bpf.loader import LoadError
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.succession.adoption import Succession
from traceloop_daemon.system.loop import Loop

_LOOK_S: Final = 2.0
_AGAIN_S: Final = 60.0
_log = logging.getLogger(__name__)


class Replaceable(Protocol):
    """What records by a tracer, of which another may take the place."""

    @property
    def tracer(self) -> Tracer:
        """What new recordings are made with."""

    def replace_tracer(self, tracer: Tracer, why: str) -> None:
        """Records with another tracer from now on."""


class Guard:
    """Looks every two seconds, from the loop. A new recorder is compiled in a thread of its own, for that takes one."""

    def __init__(
        self, loop: Loop, recorder: Replaceable, tally: Tally, succession: Succession, load: Callable[[], Tracer]
    ) -> None:
        """load: brings another recorder into the kernel. Raises LoadError, OSError."""
        self._loop, self._recorder, self._tally = loop, recorder, tally
        self._succession, self._load = succession, load
        self._thread: threading.Thread | None = None
        loop.call_later(_LOOK_S, self._look)

    def join(self) -> None:
        """Waits for a replacement that is under way."""
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        # A succession exchanges the descriptors that are looked at.
        if self._succession.is_over and (trouble := self._recorder.tracer.trouble()):
            _log.error("the recorder is broken: %s; another is put in its place", trouble)
            self._thread = threading.Thread(target=self._replace, args=(trouble,), name="guard")
            self._thread.start()
        else:
            self._recorder.tracer.tidy()
            self._loop.call_later(_LOOK_S, self._look)

    def _replace(self, trouble: str) -> None:
        delay_s = _LOOK_S
        try:
            self._recorder.replace_tracer(self._load(), f"its recorder was broken: {trouble}")
            self._tally.add(Counted.REPLACEMENTS)
            _log.warning("another recorder records from now on; live traces began anew")
        except (LoadError, OSError) as error:
            delay_s = _AGAIN_S
            _log.error("no other recorder can be had: %s; next try in %g s", error, delay_s)
        self._loop.call_later(delay_s, self._look)
