# SPDX-License-Identifier: Apache-2.0
"""Begins and ends recordings as hooks, engines and users ask for it, if the settings allow it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from traceloop_bpf.pool import PoolError
from traceloop_bpf.tracer import Recording
from traceloop_daemon.errors import AlreadyRecorded, NoMemory, RegistrationError
from traceloop_daemon.naming.names import Registration, by_annotations, resolve, without_files
from traceloop_daemon.recording.extent import Extent
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.registry import Registry
from traceloop_daemon.recording.tally import Counted, Tally
from traceloop_daemon.recording.trace import Trace, TraceView
from traceloop_daemon.recording.traces import Traces
from traceloop_daemon.registering.hook_socket import Deferred, Rest
from traceloop_daemon.registering.oci import HookMessage, Stage, parse
from traceloop_daemon.registering.policy import Choice, choose
from traceloop_daemon.settings.keys import Config, RecordFrom, RecordSettings
from traceloop_daemon.system import cgroupfs
from traceloop_daemon.system.file_readers import DEADLINE_S, FileReaders, Result
from traceloop_daemon.system.procfs import outsider
from traceloop_decode.safe_text import printable

_UNRECORDED_MAX: Final = 10_000
_log = logging.getLogger(__name__)


class Waiting(Protocol):
    """The containers that are recorded since their births, and wait for their names."""

    def complete(self, told: Registration) -> bool:
        """Completes the container that is registered; returns False if there is none. Raises RegistrationError."""

    def complete_ended(self, told: Registration) -> bool:
        """The same of a container whose processes have ended, by its id."""

    def knows(self, container_id: str) -> bool:
        """Returns whether a container waits for its names."""


class Registrar:
    """Records containers that the settings do not exclude. Methods are called in the loop's thread, `add` in any."""

    def __init__(
        self,
        traces: Traces,
        recordings: Recordings,
        config: Config,
        tally: Tally,
        *,
        forget_file: Callable[[Trace], None],
        readers: FileReaders,
    ) -> None:
        """forget_file: removes the file of a trace that is closed, without waiting for the disk.

        readers: read engines' files about containers.
        """
        self._traces, self._recordings, self._config, self._tally = traces, recordings, config, tally
        self._forget_file, self._readers = forget_file, readers
        self.births: Waiting | None = None
        self._unrecorded: OrderedDict[str, None] = OrderedDict()  # containers that the settings exclude

    def handle(self, message: bytes) -> Deferred | None:
        """Handles a hook's message for HookSocket. Raises RegistrationError with the line for sender and log."""
        hook = parse(message)
        _log.debug("container %s: the hook reports %s, process %d", hook.container_id, hook.stage.value, hook.pid)
        if hook.stage is Stage.STOP and self._is_ended(hook.container_id):
            return None
        told = by_annotations(hook.container_id, hook.annotations)
        if told is not None:
            _log.debug("container %s: its annotations name it", hook.container_id)
            self._handle(hook, told)
            return None
        return partial(self._with_files, hook)

    def _with_files(self, hook: HookMessage, then: Callable[[Rest], None]) -> None:
        read = partial(resolve, hook.container_id, hook.annotations, hook.bundle)
        self._readers.ask(read, lambda told: then(partial(self._handle_read, hook, told)))

    def _handle_read(self, hook: HookMessage, result: Result[Registration]) -> None:
        told = result()
        if told is None:
            told = without_files(hook.container_id, hook.annotations)
            _log.warning(
                "container %s: its engine's files cannot be read in %g s: it is named from its hook's message alone, "
                "and its labels are not known",
                *(hook.container_id, DEADLINE_S),
            )
        self._handle(hook, told)

    def _handle(self, hook: HookMessage, told: Registration) -> None:
        if hook.stage is Stage.START:
            self.register(replace(told, pid=hook.pid, starting=True))
        elif not self._choose(self._config.record, told).refused:  # if it is, its start was not to be recorded
            raise RegistrationError(f"container {hook.container_id} stopped, but its start was never registered")

    def register(self, told: Registration) -> None:
        """Records a container unless the settings exclude it, or completes the names of one that is being recorded.

        Raises RegistrationError.
        """
        with self._traces.locked() as registry:
            choice = self._choose(self._config.record, told)
            known = registry.recording_of(told.container_id)
            if choice.refused:
                self._refuse(told, choice.refused, known)
                return
            for note in choice.notes:
                _log.warning("container %s: %s", told.container_id, note)
            try:
                self._register(registry, told, choice, known)
            except RegistrationError:
                if not (cgroupfs.is_gone(told.pid) and self._was_born(registry, told, choice, known)):
                    raise

    def _register(self, registry: Registry, told: Registration, choice: Choice, known: Trace | None) -> None:
        cgroup = cgroupfs.cgroup_of(told.pid)
        known = known or self._recorded_in(registry, told, cgroup)
        if known is None and self.births is not None and self.births.complete(replace(told, cgroup=cgroup)):
            return
        if known is None:
            self._check_own(told, cgroup)
            self._begin(replace(told, cgroup=cgroup), choice)
            self._tally.add(Counted.STARTED_BY_HOOK)
        elif (known.init_pid, known.facts.cgroup) == (told.pid, cgroup) or self._is_born(known, cgroup):
            # Hook and NRI both registered it, it is recorded since its cgroup was made, or the hook asks again
            # because a daemon died before its answer.
            self._amend(known, told, choice)
        else:
            raise AlreadyRecorded(f"container {told.container_id} is being recorded as {known.id}: started twice")

    def _was_born(self, registry: Registry, told: Registration, choice: Choice, known: Trace | None) -> bool:
        # A container may live shorter than its hook's message takes. Then what it was born with has the same id.
        if self.births is None or self._config.record.from_ is not RecordFrom.BIRTH:
            return False
        if known is not None:
            self._amend(known, told, choice)
            return True
        return self.births.complete_ended(told) or registry.knows(told.container_id)

    def _amend(self, known: Trace, told: Registration, choice: Choice) -> None:
        _log.info("recording %s: it was registered again", known.id)
        pid = 0 if cgroupfs.is_gone(told.pid) else told.pid
        self._recordings.amend(known, told.names, choice.capture.withheld, choice.skip, pid)

    def born(self, told: Registration, recording: Recording, cgroup_id: int) -> None:
        """Makes the trace of a container that is recorded since its cgroup was made, unless the settings exclude it.

        Raises RegistrationError.
        """
        with self._traces.locked():
            choice = self._choose(self._config.record, told)
            if choice.refused:
                self._recordings.discard(recording)
                self._refuse(told, choice.refused, None)
                return
            for note in choice.notes:
                _log.warning("%s: %s", told.container_id or told.cgroup, note)
            extent = self._extent(choice)
            more = extent.withheld & ~self._config.capture.policy.withheld  # than was withheld up to now
            if more or extent.firsts_size is not None:
                recording = self._begun_again(told, recording, cgroup_id, extent)
            if choice.ring_size > recording.ring.data_size:
                recording = self._enlarged(told, recording, choice.ring_size)
            self._recordings.begin_at_birth(told, recording, cgroup_id, extent)
            self._tally.add(Counted.STARTED_AT_BIRTH)

    def take_up(self, told: Registration) -> None:
        """Records a container that runs already, unless the settings exclude it. Raises RegistrationError."""
        with self._traces.locked():
            choice = self._choose(self._config.record, told)
            if choice.refused:
                self._refuse(told, choice.refused, None)
                return
            for note in choice.notes:
                _log.warning("%s: %s", told.container_id or told.cgroup, note)
            self._begin(told, choice)
            self._tally.add(Counted.STARTED_RUNNING)

    def _begun_again(self, told: Registration, recording: Recording, cgroup_id: int, extent: Extent) -> Recording:
        try:
            return recording.tracer.begin_again(recording, cgroup_id, extent.withheld, extent.firsts_size)
        except (PoolError, OSError) as error:
            self._recordings.discard(recording)
            what = "as less of it is to be kept than the node's settings say, and it cannot get another ring"
            raise RegistrationError(f"{told.container_id or told.cgroup} is not recorded, {what}: {error}") from error

    def _enlarged(self, told: Registration, recording: Recording, ring_size: int) -> Recording:
        try:
            larger = recording.tracer.enlarge(recording, ring_size)
        except (PoolError, OSError) as error:
            _log.warning("%s: its ring stays as it is: %s", told.container_id or told.cgroup, error)
            return recording
        if (size := larger.ring.data_size) < ring_size:
            named = told.container_id or told.cgroup
            _log.warning("container %s: its ring has %d bytes, not %d: memory is short", named, size, ring_size)
        return larger

    def _recorded_in(self, registry: Registry, told: Registration, cgroup: str) -> Trace | None:
        # Finds the live trace that has a cgroup since the cgroup, or one above it, was made.
        try:
            number = cgroupfs.cgroup_id(cgroupfs.directory(self._recordings.mount, cgroup))
        except RegistrationError:
            return None
        slot = self._recordings.tracer.slot_of(number)
        if slot is None:
            return None
        for trace in registry.live():
            recording = trace.recording
            if recording is None or recording.tracer is not self._recordings.tracer or recording.slot.number != slot:
                continue
            fits = trace.container_id in ("", told.container_id) and recording.ring.born()
            return trace if fits else None
        return None

    def _is_born(self, known: Trace, cgroup: str) -> bool:
        assert known.recording is not None
        return bool(known.recording.ring.born()) and f"{cgroup}/".startswith(f"{known.facts.cgroup}/")

    def _check_own(self, told: Registration, cgroup: str) -> None:
        # Runtimes without a cgroup manager leave a container in the cgroup of whoever started it.
        found = outsider(cgroupfs.directory(self._recordings.mount, cgroup), told.pid)
        if found is not None:
            self._remember_unrecorded(told.container_id)
            raise RegistrationError(
                f"container {told.container_id} is not recorded, as it has no cgroup of its own: process {found.pid} "
                f"({printable(found.name)}), {found.why}, is in {cgroup} too, and its calls would be recorded as the "
                "container's: let the runtime make one (without --cgroups=disabled, --cgroup-manager=disabled)"
            )

    def removed(self, container_id: str) -> None:
        """Ends the recording, if there is one, of a container that the engine removes."""
        with self._traces.locked() as registry:
            trace = registry.recording_of(container_id)
            if trace is not None:
                self._recordings.end(trace, "the engine removes it")

    def add(self, told: Registration) -> TraceView:
        """Records a cgroup without a hook. Raises RegistrationError."""
        # The node's filters do not apply to a container that root names; the container's own annotations do.
        choice = self._choose(RecordSettings(sandboxes=True), told)
        if choice.refused:
            raise RegistrationError(f"container {told.container_id} is not recorded: {choice.refused}")
        for note in choice.notes:
            _log.warning("%s: %s", told.container_id or told.cgroup, note)
        trace = self._begin(told, choice)
        self._tally.add(Counted.STARTED_BY_ADD)
        return trace

    def _begin(self, told: Registration, choice: Choice) -> TraceView:
        _log.debug(
            "container %s: it may be recorded as %s: capture policy %s, %d bytes of ring",
            *(told.container_id or "-", told.names.trace_id(self._traces.node), choice.capture.value, choice.ring_size),
        )
        try:
            return self._recordings.begin(told, self._extent(choice))
        except NoMemory:
            self._tally.add(Counted.NO_MEMORY)
            raise

    def _extent(self, choice: Choice) -> Extent:
        lowered = choice.firsts_size if choice.firsts_size < self._config.ring.firsts_size else None
        return Extent(choice.capture.withheld, choice.ring_size, lowered, choice.skip)

    def _choose(self, record: RecordSettings, told: Registration) -> Choice:
        capture, ring = self._config.capture, self._config.ring
        return choose(record, capture, ring, told.names, told.annotations, by_label=told.by_label)

    def _refuse(self, told: Registration, refused: str, known: Trace | None) -> None:
        if known is None and told.container_id in self._unrecorded:
            return
        self._tally.add(Counted.EXCLUDED)
        self._remember_unrecorded(told.container_id)
        named = told.names.trace_id(self._traces.node)
        _log.info("container %s (%s) is not recorded: %s", told.container_id, named, refused)
        if known is not None:  # an earlier registration did not show the annotation that excludes it
            self._recordings.close(known)
            self._forget_file(known)
            _log.info("closed %s", known.id)

    def _remember_unrecorded(self, container_id: str) -> None:
        self._unrecorded[container_id] = None
        if len(self._unrecorded) > _UNRECORDED_MAX:
            self._unrecorded.popitem(last=False)

    def _is_ended(self, container_id: str) -> bool:
        # Ends the recording of a container that its runtime deletes. Returns False for an unknown container.
        with self._traces.locked() as registry:
            trace = registry.recording_of(container_id)
            if trace is not None:
                self._recordings.end(trace, "the runtime deletes it")
                return True
            if registry.knows(container_id):
                return True
            if container_id in self._unrecorded:
                del self._unrecorded[container_id]
                return True
            return self.births is not None and self.births.knows(container_id)
