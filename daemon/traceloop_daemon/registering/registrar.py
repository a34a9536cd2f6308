# SPDX-License-Identifier: Apache-2.0
"""From what hooks, engines and users say of a container to its recording, unless the settings say no."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final

from traceloop_daemon.errors import AlreadyRecorded, NoMemory, RegistrationError
from traceloop_daemon.naming.names import Told, by_annotations, resolve, without_files
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.registration import Registration, Target
from traceloop_daemon.recording.registry import Trace
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.registering.hook_socket import Deferred, Rest
from traceloop_daemon.registering.oci import HookMessage, parse
from traceloop_daemon.registering.policy import Choice, choose
from traceloop_daemon.settings.keys import Config, RecordSettings
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.file_readers import DEADLINE_S, FileReaders, Result

_UNRECORDED_MAX: Final = 10_000
_log = logging.getLogger(__name__)


class Registrar:
    """Who may be recorded is recorded. `add` may be called in any thread, the rest in the loop's."""

    def __init__(
        self,
        recordings: Recordings,
        config: Config,
        tally: Tally,
        node: str,
        *,
        close: Callable[[str], object],
        readers: FileReaders,
    ) -> None:
        """close: forgets the trace of an id. Raises OSError. readers: read what engines have of containers."""
        self._recordings, self._config, self._tally = recordings, config, tally
        self._node, self._close, self._readers = node, close, readers
        self._unrecorded: OrderedDict[str, None] = OrderedDict()  # containers that were not to be recorded

    def handle(self, message: bytes) -> Deferred | None:
        """A hook's message, as HookSocket has it. Raises RegistrationError with the line that its sender and the log
        get.
        """
        hook = parse(message)
        _log.debug("container %s: the hook reports %s, process %d", hook.container_id, hook.stage, hook.pid)
        if hook.stage == "stop" and self._is_ended(hook.container_id):
            return None
        told = by_annotations(hook.annotations)
        if told is not None:
            _log.debug("container %s: its annotations name it", hook.container_id)
            self._handle(hook, told)
            return None
        return partial(self._with_files, hook)

    def _with_files(self, hook: HookMessage, then: Callable[[Rest], None]) -> None:
        read = partial(resolve, hook.container_id, hook.annotations, hook.bundle)
        self._readers.ask(read, lambda told: then(partial(self._handle_read, hook, told)))

    def _handle_read(self, hook: HookMessage, result: Result[Told]) -> None:
        told = result()
        if told is None:
            told = without_files(hook.container_id, hook.annotations)
            _log.warning(
                "container %s: what its engine has of it cannot be read within %g s: it is called by what its hook "
                "told, and its labels are not known",
                *(hook.container_id, DEADLINE_S),
            )
        self._handle(hook, told)

    def _handle(self, hook: HookMessage, told: Told) -> None:
        if hook.stage == "start":
            self.register(Registration(hook.container_id, hook.pid, told.names, told.annotations, told.by_label))
        elif not self._choose(self._config.record, told).refused:  # else it was to be recorded by no daemon
            raise RegistrationError(f"container {hook.container_id} stopped, but its start was never registered")

    def register(self, told: Registration) -> None:
        """Records a container, unless the settings say no. Names of one that is recorded are added to.

        Raises RegistrationError.
        """
        with self._recordings.lock:
            choice = self._choose(self._config.record, told)
            known = self._recordings.registry.recording_of(told.container_id)
            if choice.refused:
                self._refuse(told, choice.refused, known)
                return
            for note in choice.notes:
                _log.warning("container %s: %s", told.container_id, note)
            cgroup = cgroupfs.cgroup_of(told.pid)
            if known is None:
                target = Target(cgroup, told.names, told.container_id, told.pid)
                self._begin(target, choice)
                self._tally.add(Counted.STARTED_BY_HOOK)
            elif (known.init_pid, known.cgroup) == (told.pid, cgroup):
                # By hook and by NRI, or the answer was lost with a daemon that died.
                _log.info("recording %s: it was registered again", known.id)
                self._recordings.amend(known, told.names, choice.capture.withheld)
            else:
                raise AlreadyRecorded(f"container {told.container_id} is being recorded as {known.id}: started twice")

    def removed(self, container_id: str) -> None:
        """The engine removes a container, whether it was recorded or not."""
        with self._recordings.lock:
            trace = self._recordings.registry.recording_of(container_id)
            if trace is not None:
                self._recordings.end(trace, "the engine removes it")

    def add(self, target: Target) -> Trace:
        """Records a cgroup without a hook. Raises RegistrationError."""
        # Whoever asks for this very one has chosen it; but not over the head of who made the container.
        choice = self._choose(RecordSettings(sandboxes=True), target)
        if choice.refused:
            raise RegistrationError(f"container {target.container_id} is not recorded: {choice.refused}")
        for note in choice.notes:
            _log.warning("%s: %s", target.container_id or target.cgroup, note)
        with self._recordings.lock:
            trace = self._begin(target, choice)
        self._tally.add(Counted.STARTED_BY_ADD)
        return trace

    def _begin(self, target: Target, choice: Choice) -> Trace:
        _log.debug(
            "container %s: it may be recorded as %s: capture policy %s, %d bytes of ring",
            *(target.container_id or "-", target.names.trace_id(self._node), choice.capture.value, choice.ring_size),
        )
        try:
            return self._recordings.begin(target, choice.capture.withheld, choice.ring_size)
        except NoMemory:
            self._tally.add(Counted.NO_MEMORY)
            raise

    def _choose(self, record: RecordSettings, told: Registration | Target | Told) -> Choice:
        capture, ring = self._config.capture, self._config.ring
        return choose(record, capture, ring, told.names, told.annotations, by_label=told.by_label)

    def _refuse(self, told: Registration, refused: str, known: Trace | None) -> None:
        if known is None and told.container_id in self._unrecorded:
            return
        self._tally.add(Counted.EXCLUDED)
        self._unrecorded[told.container_id] = None
        if len(self._unrecorded) > _UNRECORDED_MAX:
            self._unrecorded.popitem(last=False)
        named = told.names.trace_id(self._node)
        _log.info("container %s (%s) is not recorded: %s", told.container_id, named, refused)
        if known is not None:  # by one who did not see the annotation that says no
            try:
                self._close(known.id)
            except OSError as error:
                raise RegistrationError(f"{known.id} is recorded on: {error}") from error

    def _is_ended(self, container_id: str) -> bool:
        # Whether nothing is left to be done for a container that its runtime deletes.
        with self._recordings.lock:
            trace = self._recordings.registry.recording_of(container_id)
            if trace is not None:
                self._recordings.end(trace, "the runtime deletes it")
                return True
            if self._recordings.registry.knows(container_id):
                return True
            if container_id in self._unrecorded:
                del self._unrecorded[container_id]
                return True
            return False
