# SPDX-License-Identifier: Apache-2.0
"""traceloopd: makes the parts in the order of their dependencies, runs the loop, and closes them in reverse order."""

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
from traceloop_bpf.errors import LoadError
from traceloop_bpf.kept_fds import Keeper, NoKeeper
from traceloop_bpf.programs import Plan
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.archive.archiver import Archiver
from traceloop_daemon.archive.closer import Closer
from traceloop_daemon.archive.directory import FileArchive
from traceloop_daemon.archive.explaining import EXPLAIN, Explainer
from traceloop_daemon.archive.owed import Owed
from traceloop_daemon.archive.shipped import LEDGER
from traceloop_daemon.errors import ConfigError
from traceloop_daemon.nri.plugin import NriPlugin
from traceloop_daemon.privacy.redaction import Redactor
from traceloop_daemon.recording import journal
from traceloop_daemon.recording.feed import Feed
from traceloop_daemon.recording.live_traces import LiveTraces
from traceloop_daemon.recording.losses import Losses
from traceloop_daemon.recording.recordings import Recordings
from traceloop_daemon.recording.snapshots import Snapshots
from traceloop_daemon.recording.tally import Tally
from traceloop_daemon.recording.trace import State
from traceloop_daemon.recording.traces import Traces
from traceloop_daemon.registering.births import Births
from traceloop_daemon.registering.hook_socket import HookSocket
from traceloop_daemon.registering.refusal import refuse_hooks
from traceloop_daemon.registering.registrar import Registrar
from traceloop_daemon.registering.spare import Spare
from traceloop_daemon.registering.targets import Targets
from traceloop_daemon.service.access import Access
from traceloop_daemon.service.grpc_service import Methods, Server
from traceloop_daemon.service.metrics import metrics_text
from traceloop_daemon.service.queries import Queries
from traceloop_daemon.service.stats import Gatherer
from traceloop_daemon.settings.files import DEFAULT_FILE, load
from traceloop_daemon.settings.keys import Config, RecordFrom, RedactSettings
from traceloop_daemon.succession.adoption import Found, Succession, find
from traceloop_daemon.succession.guard import Guard
from traceloop_daemon.succession.take_over import take_over
from traceloop_daemon.system import own_lock
from traceloop_daemon.system.cgroupfs import find_mount
from traceloop_daemon.system.fdstore import FdStore
from traceloop_daemon.system.file_readers import FileReaders
from traceloop_daemon.system.loop import Loop
from traceloop_daemon.system.mending import Mender
from traceloop_daemon.system.pins import Pins
from traceloop_daemon.system.sockets import BIRTHS, CONTROL, HOOKS, QUERIES
from traceloop_daemon.system.systemd import ServiceManager
from traceloop_daemon.system.textfile import Textfile
from traceloop_decode.syscalls import Later

_HOOKS_FD: Final = "hook"
"""FileDescriptorName= in traceloopd-hook.socket; a socket that replaces that one is stored under the same name."""
_FILL_S: Final = 5.0
_log = logging.getLogger("traceloopd")


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with 1 and one line if the daemon cannot start."""
    parser = argparse.ArgumentParser(
        prog="traceloopd", description="Records the system calls of this node's containers."
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"the file of settings, TOML; FILE.d/*.toml are read after it. Default: {DEFAULT_FILE}",
    )
    parser.add_argument(
        "--check-config", action="store_true", help="print the effective settings, or the errors in them, and exit"
    )
    parser.add_argument(
        "--runtime-dir",
        type=Path,
        default=Path("/run/traceloop"),
        help="the directory of the sockets. Default: %(default)s",
    )
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path("/var/lib/traceloop"),
        help="the directory of archived traces. Default: %(default)s",
    )
    parser.add_argument("--node", metavar="NAME", help="the name of this node, in place of the setting `node`")
    parser.add_argument(
        "--pins",
        type=Path,
        metavar="DIRECTORY",
        help="a directory in a bpf file system, such as /sys/fs/bpf/traceloop, in which the recorder and its rings "
        "outlive the daemon, where no systemd stores them",
    )
    parser.add_argument(
        "--unpin",
        action="store_true",
        help="wait until no daemon uses --pins, remove what is in it, which ends all recording, and exit",
    )
    parser.add_argument(
        "--log-level",
        choices=journal.LEVELS,
        default="info",
        help="the lowest level that is logged; debug: also what is decided for each container, and why. "
        "Default: %(default)s",
    )
    arguments = parser.parse_args(argv)
    if arguments.unpin and arguments.pins is None:
        parser.error("--unpin needs --pins")
    journal.begin(arguments.log_level)
    manager = ServiceManager()
    try:
        if arguments.unpin:
            _unpin(arguments.pins)
            return
        loaded = load(arguments.config, {"node": arguments.node} if arguments.node is not None else {})
        if arguments.check_config:
            print(loaded)
            return
        with _locked(arguments.runtime_dir, hooks_passed=_HOOKS_FD in manager.fds):
            _run(loaded.config, arguments.runtime_dir, arguments.state_dir, manager, arguments.pins)
    except (ConfigError, LoadError, OSError, ValueError) as error:
        *details, reason = str(error).splitlines() or [type(error).__name__]
        for line in error.log if isinstance(error, LoadError) else ():
            _log.debug("%s", line)
        for line in details:  # further faults of the settings
            _log.error("%s", line)
        _log.error("%s", reason, extra={"MESSAGE_ID": journal.CANNOT_START})
        manager.notify(f"STATUS=cannot start: {reason}")
        if fds := manager.fds.get(_HOOKS_FD):
            refuse_hooks(fds, reason)
        sys.exit(1)


def _run(
    config: Config, runtime_dir: Path, state_dir: Path, manager: ServiceManager, pins_dir: Path | None = None
) -> None:
    began = time.monotonic()
    loop = Loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        mount = find_mount()
        archive = FileArchive(
            state_dir,
            config.archive.limits,
            config.archive.memory_max,
            waiting_dir=runtime_dir / "waiting",
            ledger=LEDGER,
        )
        stack.callback(archive.close)
        manager.starting("bringing the recorder into the kernel")
        ring = config.ring
        plan = Plan(
            *(ring.size, ring.item_max, ring.call_max, ring.spare),
            withheld_at_birth=config.capture.policy.withheld,
            firsts_size=ring.firsts_size,
            environment=config.capture.environment,
        )
        live = LiveTraces(runtime_dir / "live")
        stack.callback(live.close)
        keeper, kept = _keeper(manager, pins_dir, stack)
        outlived = not isinstance(keeper, NoKeeper)
        found = find(kept, list(live.read()), plan, keeper)
        tracer, newer = found.tracer, list[Tracer]()
        stack.callback(_close_all, newer)
        stack.callback(tracer.close)
        later, unnamed = _later_calls()
        tally, feed, readers = Tally(), Feed(), FileReaders(loop)
        stack.callback(readers.close)
        redactor = _redactor(config.redact)
        traces = Traces(config.node_name, live)
        snapshots = Snapshots(redactor, later)
        stack.callback(snapshots.close)
        explainer = Explainer(runtime_dir / EXPLAIN, archive, traces, feed, tally, owed=Owed(runtime_dir / "owed"))
        stack.callback(explainer.close)
        archiver = Archiver(archive, traces, snapshots, tally=tally, feed=feed, archived=explainer.archived)
        stack.callback(archiver.close)
        recordings = Recordings(
            *(loop, tracer, mount, traces),
            redactor=redactor,
            feed=feed,
            frozen=archiver.keep,
            reason_follows=explainer.follows,
        )
        if outlived:
            stack.callback(archiver.keep_unfinished)
        stack.callback(recordings.stop, outlived=outlived)
        take_over(found.recordings, archive, traces, recordings, tally)
        archiver.tend()
        explainer.former()
        closer = Closer(archive, traces, recordings)
        registrar = Registrar(traces, recordings, config, tally, forget_file=archiver.forget_file, readers=readers)
        spare = Spare(lambda: recordings.tracer.pool, ring.spare, ring.spare_max)
        births = Births(
            loop,
            traces,
            recordings,
            registrar,
            config,
            readers=readers,
            spare=spare,
            tally=tally,
        )
        stack.callback(births.close)
        registrar.births = births
        gatherer = Gatherer(traces, recordings, archive, found.old, tally)
        methods = partial(
            Methods,
            Queries(archive, traces, snapshots),
            closer,
            registrar,
            Targets(mount, read=readers.wait),
            gatherer,
            tally=tally,
            feed=feed,
        )
        limited, of_root = methods(access=Access(dict(config.access.limited))), methods(access=None)
        server = Server(limited, runtime_dir, tally, of_root)
        stack.callback(server.close)
        keep = partial(_keep_hooks, keeper) if manager.is_there else None
        hooks = HookSocket(
            loop, runtime_dir / HOOKS, registrar.handle, tally, fds=manager.fds.get(_HOOKS_FD, ()), keep=keep
        )
        stack.callback(hooks.close)
        if config.nri.enabled:
            nri = NriPlugin(loop, config.nri.socket, register=registrar.register, removed=registrar.removed)
            stack.callback(nri.close)
        if config.record.from_ is RecordFrom.BIRTH:
            (runtime_dir / BIRTHS).touch(mode=0o644)
            stack.callback((runtime_dir / BIRTHS).unlink, missing_ok=True)
        Mender(loop, (hooks, server))
        ring_kib, stored = tracer.geometry.ring_size >> 10, archive.usage().traces
        took_s = time.monotonic() - began
        _log.info(
            "ready in %.1f s: rings of %d KiB, sockets in %s, %d traces in %s",
            *(took_s, ring_kib, runtime_dir, stored, state_dir),
        )
        if unnamed:
            _log.warning("%s", unnamed)
        if config.metrics.textfile is not None:
            textfile = Textfile(config.metrics.textfile, config.metrics.interval, lambda: metrics_text(gatherer()))
            stack.callback(textfile.close)
        manager.ready(loop, lambda: _status(traces))
        successor = Succession(found, plan, tally)
        stack.callback(successor.join)
        losses = Losses(runtime_dir / "losses", tally)
        another = partial(_load_another, plan, keeper, found, newer)
        guard = Guard(loop, births, tally, successor, another, losses=losses)
        stack.callback(guard.join)
        loop.run()
        manager.stopping()
        if pins_dir is not None:  # a pod is replaced in seconds, and what starts meanwhile takes rings from the stock
            recordings.tracer.pool.resize(ring.spare_max)
            recordings.tracer.pool.fill(_FILL_S)
        if outlived:
            archiver.keep_unfinished(loop.stop)
            loop.run()  # archiving takes seconds on a full node, and hooks do not wait that long


def _keeper(manager: ServiceManager, pins_dir: Path | None, stack: ExitStack) -> tuple[Keeper, dict[str, int]]:
    # Also returns the descriptors that it kept for a former daemon, by name.
    if pins_dir is None:
        return (FdStore(manager.send) if manager.is_there else NoKeeper()), manager.take_kept(_HOOKS_FD)
    if manager.is_there:
        raise ConfigError("--pins cannot be given where systemd starts the daemon: systemd stores the recorder")
    try:
        pins = Pins.open(pins_dir)
    except BlockingIOError as error:
        raise ConfigError(f"another traceloopd uses {pins_dir}: stop it, or give other --pins") from error
    stack.callback(pins.close)
    return pins, pins.take()


def _unpin(pins_dir: Path) -> None:
    if not pins_dir.exists():
        _log.info("there are no pins: there is no %s", pins_dir)
        return
    try:
        pins = Pins.open(pins_dir)
    except BlockingIOError:
        _log.info("waiting until the daemon that uses %s ends", pins_dir)
        pins = Pins.open(pins_dir, wait=True)
    try:
        _log.info("removed %d pins from %s", pins.clear(), pins_dir)
    finally:
        pins.close()


def _load_another(plan: Plan, keeper: Keeper, found: Found, newer: list[Tracer]) -> Tracer:
    numbers = (one.number for one in (found.tracer, *found.old, *newer))
    newer.append(Tracer.load(plan, keeper, max(numbers) + 1))
    return newer[-1]


def _close_all(tracers: list[Tracer]) -> None:
    for tracer in tracers:
        tracer.close()


def _keep_hooks(keeper: Keeper, fd: int) -> None:
    # systemd passes this descriptor to the next daemon after the socket unit's own, under the same name.
    keeper.drop([_HOOKS_FD])
    keeper.keep({_HOOKS_FD: fd})


def _redactor(settings: RedactSettings) -> Redactor | None:
    return Redactor(settings.patterns, defaults=settings.defaults) if settings.enabled else None


def _later_calls() -> tuple[Later, str]:
    # Returns the calls that are newer than the tables, and why they could not be found; empty if they were.
    try:
        return later_calls.find(), ""
    except later_calls.NotNamed as error:
        return {}, str(error)


def _status(traces: Traces) -> str:
    census = traces.census()
    troubles = [state for state in (State.MISSING, State.TRUNCATED, State.ERROR) if census[state]]
    shown = [State.RECORDING, State.ARCHIVED, *troubles]
    return ", ".join(f"{state.value} {census[state]}" for state in shown)


@contextmanager
def _locked(runtime_dir: Path, *, hooks_passed: bool) -> Iterator[None]:
    """Locks the runtime directory for this daemon, and removes the sockets that a killed daemon left there."""
    runtime_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        fd = own_lock.lock(runtime_dir)
    except BlockingIOError as error:
        raise ConfigError(f"another traceloopd serves {runtime_dir}: stop it, or give --runtime-dir") from error
    try:
        for name in (QUERIES, CONTROL, BIRTHS, *([] if hooks_passed else [HOOKS])):
            (runtime_dir / name).unlink(missing_ok=True)
        yield
        (runtime_dir / own_lock.NAME).unlink(missing_ok=True)
    finally:
        if fd is not None:
            os.close(fd)
