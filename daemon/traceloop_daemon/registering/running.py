# SPDX-License-Identifier: Apache-2.0
"""Takes up the containers that run already when the daemon starts, whose births no daemon recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from traceloop_bpf.births import Birth
from traceloop_daemon.errors import AlreadyRecorded, RegistrationError
from traceloop_daemon.naming.births import Recogniser
from traceloop_daemon.naming.names import Registration
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.file_readers import FileReaders, Result
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.system.procfs import first_process

_NAMED_S: Final = 1.0
_AGAIN_S: Final = 0.1
_log = logging.getLogger(__name__)


class Running:
    """The containers that run, each of which is registered when its names are found, or not found for a while.

    register: raises RegistrationError, as for those that are recorded already.
    """

    def __init__(
        self,
        loop: Loop,
        mount: Path,
        recogniser: Recogniser,
        readers: FileReaders,
        register: Callable[[Registration], None],
    ) -> None:
        self._loop, self._mount, self._recogniser = loop, mount, recogniser
        self._readers, self._register = readers, register

    def take_up(self) -> None:
        """Registers each container whose cgroup has a process and is recognised by its name. Called in the loop."""
        try:
            found = list(self._containers())
        except OSError as error:
            _log.error("the containers that run already are not recorded: cgroups cannot be listed: %s", error)
            return
        for path, birth in found:
            # As if it was born now: its names are looked for as long.
            self._look(path, replace(birth, at_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME)))

    def _containers(self) -> Iterator[tuple[Path, Birth]]:
        found: list[str] = []
        for path in cgroupfs.below(self._mount):
            if any(path.startswith(f"{above}/") for above in found):
                continue  # below a container's
            birth = self._recogniser.running(path.removeprefix(str(self._mount)))
            if birth is not None and cgroupfs.is_made_by_root(Path(path)):
                found.append(path)
                yield Path(path), birth

    def _look(self, path: Path, birth: Birth) -> None:
        self._readers.ask(partial(self._recogniser.find, birth), partial(self._found, path, birth))

    def _found(self, path: Path, birth: Birth, result: Result[Registration | None]) -> None:
        try:
            told = result()
            if told is None and birth.ago_s < _NAMED_S:  # among its annotations may be one that excludes it
                self._loop.call_later(_AGAIN_S, lambda: self._look(path, birth))
                return
            pid = first_process(path)
            if pid:
                self._register(replace(told or self._recogniser.without_bundle(birth), pid=pid))
        except AlreadyRecorded:  # a former daemon began
            return
        except RegistrationError as error:
            _log.info("%s", error)
        except OSError as error:
            _log.warning("the container in cgroup %s is not recorded: %s", birth.path, error)
        except Exception:  # noqa: BLE001 - one container must not end the recording of all others
            _log.exception("cgroup %s is not recorded: internal error in traceloopd: please report it", birth.path)
