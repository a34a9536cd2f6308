# SPDX-License-Identifier: Apache-2.0
"""traceloopd: puts the parts together, says that it is ready, and takes them apart again."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from traceloop_bpf import later_calls
from traceloop_bpf.kept_fds import Keeper, NoKeeper
from traceloop_bpf.loader import LoadError
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.errors import ConfigError
from traceloop_daemon.nri.plugin import NriPlugin
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording import journal
from traceloop_daemon.recording.feed import Feed
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.registry import State
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.registering.hook_socket import HookSocket
from traceloop_daemon.registering.refusal import refuse_hooks
from traceloop_daemon.registering.targets import Targets
from traceloop_daemon.service.grpc_service import RecorderService, Service
from traceloop_daemon.service.metrics import metrics_text
from traceloop_daemon.service.recorder import Recorder
from traceloop_daemon.service.stats import Gatherer
from traceloop_daemon.settings.files import DEFAULT_FILE, load
from traceloop_daemon.settings.keys import Config, RedactSettings
from traceloop_daemon.succession.adoption import Found, Succession, find
from traceloop_daemon.succession.guard import Guard
from traceloop_daemon.system import own_lock
from traceloop_daemon.system.cgroupfs import find_mount
from traceloop_daemon.system.fdstore import FdStore
from traceloop_daemon.system.file_readers import FileReaders
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.system.mending import Mender
from traceloop_daemon.system.sockets import CONTROL, HOOKS, QUERIES
from traceloop_daemon.system.systemd import ServiceManager
from traceloop_daemon.system.textfile import Textfile
from traceloop_decode.syscalls import Later

_HOOKS_FD: Final = "hook"
"""FileDescriptorName= in traceloopd-hook.socket; kept, one that was made in the place of that."""
_log = logging.getLogger("traceloopd")


def main(argv: Sequence[str] | None = None) -> None:
    """The command. Exits 1 with one line when it cannot start."""
    parser = argparse.ArgumentParser(
        prog="traceloopd", description="Records the system calls of this node's containers."
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"a TOML file of settings; {DEFAULT_FILE}. FILE.d/*.toml are read too",
    )
    parser.add_argument("--check-config", action="store_true", help="print the settings in force, or what is wrong")
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/traceloop"), help="where the sockets lie")
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/traceloop"), help="where traces are kept")
    parser.add_argument(
        "--log-level",
        choices=journal.LEVELS,
        default="info",
        help="the least that is logged; debug: also what is decided of each container, and why. Default: info",
    )
    arguments = parser.parse_args(argv)
    journal.begin(arguments.log_level)
    manager = ServiceManager()
    try:
        loaded = load(arguments.config)
        if arguments.check_config:
            print(loaded)
            return
        with _locked(arguments.runtime_dir, hooks_passed=_HOOKS_FD in manager.fds):
            _run(loaded.config, arguments.runtime_dir, arguments.state_dir, manager)
    except (ConfigError, LoadError, OSError, ValueError) as error:
        *details, reason = str(error).splitlines() or [type(error).__name__]
        for line in details:  # such as the compiler's
            _log.error("%s", line)
        _log.error("%s", reason, extra={"MESSAGE_ID": journal.CANNOT_START})
        manager.notify(f"STATUS=cannot start: {reason}")
        if fds := manager.fds.get(_HOOKS_FD):
            refuse_hooks(fds, reason)
        sys.exit(1)


def _run(config: Config, runtime_dir: Path, state_dir: Path, manager: ServiceManager) -> None:
    began = time.monotonic()
    loop = Loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        mount = find_mount()
        archive = FileArchive(
            state_dir, config.archive.limits, config.archive.memory_max, waiting_dir=runtime_dir / "waiting"
        )
        stack.callback(archive.close)
        manager.starting("bringing the recorder into the kernel")
        ring = config.ring
        plan = Plan(ring.size, ring.item_max, ring.call_max, ring.spare)
        live = LiveTraces(runtime_dir / "live")
        stack.callback(live.close)
        keeper = FdStore(manager.send) if manager.is_there else NoKeeper()
        found = find(manager.take_kept(_HOOKS_FD), list(live.read()), plan, keeper)
        tracer, newer = found.tracer, list[Tracer]()
        stack.callback(_close_all, newer)
        stack.callback(tracer.close)
        later, unnamed = _later_calls()
        tally, feed, readers = Tally(), Feed(), FileReaders(loop)
        stack.callback(readers.close)
        recorder = Recorder(
            loop,
            tracer,
            archive,
            config,
            mount,
            live=live,
            outlived=manager.is_there,
            redactor=_redactor(config.redact),
            tally=tally,
            feed=feed,
            readers=readers,
            syscalls=later,
        )
        stack.callback(recorder.close)
        recorder.take_over(found.recordings)
        gatherer = Gatherer(recorder, archive, found.old, tally)
        targets = Targets(mount, read=readers.wait)
        service = Service(RecorderService(recorder, targets, gatherer, tally, feed), runtime_dir, tally)
        stack.callback(service.close)
        keep, registrar = partial(_keep_hooks, keeper) if manager.is_there else None, recorder.registrar
        hooks = HookSocket(
            loop, runtime_dir / HOOKS, registrar.handle, tally, fds=manager.fds.get(_HOOKS_FD, ()), keep=keep
        )
        stack.callback(hooks.close)
        if config.nri.enabled:
            nri = NriPlugin(loop, config.nri.socket, register=registrar.register, removed=registrar.removed)
            stack.callback(nri.close)
        Mender(loop, (hooks, service))
        ring_kib, kept = tracer.geometry.ring_size >> 10, archive.usage().traces
        took_s = time.monotonic() - began
        _log.info(
            "ready in %.1f s: rings of %d KiB, sockets in %s, %d traces in %s",
            *(took_s, ring_kib, runtime_dir, kept, state_dir),
        )
        if unnamed:
            _log.warning("%s", unnamed)
        if config.metrics.textfile is not None:
            textfile = Textfile(config.metrics.textfile, config.metrics.interval, lambda: metrics_text(gatherer()))
            stack.callback(textfile.close)
        manager.ready(loop, lambda: _status(recorder))
        successor = Succession(found, plan, tally)
        stack.callback(successor.join)
        guard = Guard(loop, recorder, tally, successor, partial(_load_another, plan, keeper, found, newer))
        stack.callback(guard.join)
        loop.run()
        manager.stopping()
        if manager.is_there:
            recorder.keep_unfinished(loop.stop)
            loop.run()  # it takes seconds on a full node, and hooks do not wait so long


def _load_another(plan: Plan, keeper: Keeper, found: Found, newer: list[Tracer]) -> Tracer:
    numbers = (one.number for one in (found.tracer, *found.old, *newer))
    newer.append(Tracer.load(plan, keeper, max(numbers) + 1))
    return newer[-1]


def _close_all(tracers: list[Tracer]) -> None:
    for tracer in tracers:
        tracer.close()


def _keep_hooks(keeper: Keeper, fd: int) -> None:
    # It comes back beside the socket unit's own, under its name, and behind it.
    keeper.drop([_HOOKS_FD])
    keeper.keep({_HOOKS_FD: fd})


def _redactor(settings: RedactSettings) -> Redactor | None:
    return Redactor(settings.patterns, defaults=settings.defaults) if settings.enabled else None


def _later_calls() -> tuple[Later, str]:
    # And why there are none, if they could not be found.
    try:
        return later_calls.find(), ""
    except later_calls.NotNamed as error:
        return {}, str(error)


def _status(recorder: Recorder) -> str:
    census = recorder.census()
    troubles = [state for state in (State.MISSING, State.TRUNCATED, State.ERROR) if census[state]]
    shown = [State.RECORDING, State.ARCHIVED, *troubles]
    return ", ".join(f"{state.value} {census[state]}" for state in shown)


@contextmanager
def _locked(runtime_dir: Path, *, hooks_passed: bool) -> Iterator[None]:
    """Holds the runtime directory for this daemon alone, and clears what one that was killed left there."""
    runtime_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        fd = own_lock.lock(runtime_dir)
    except BlockingIOError as error:
        raise ConfigError(f"another traceloopd serves {runtime_dir}: stop it, or give --runtime-dir") from error
    try:
        for name in (QUERIES, CONTROL, *([] if hooks_passed else [HOOKS])):
            (runtime_dir / name).unlink(missing_ok=True)
        yield
        (runtime_dir / own_lock.NAME).unlink(missing_ok=True)
    finally:
        if fd is not None:
            os.close(fd)
