# SPDX-License-Identifier: Apache-2.0
"""traceloopd: puts the parts together, says that it is ready, and takes them apart again."""

from __future__ import annotations

import argparse
import fcntl
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from traceloop_bpf.loader import LoadError
from traceloop_bpf.tracer import Tracer
from traceloop_daemon import journal
from traceloop_daemon.archive import MemoryArchive
from traceloop_daemon.cgroupfs import find_mount
from traceloop_daemon.config import Config
from traceloop_daemon.errors import ConfigError
from traceloop_daemon.hooksock import HookSocket
from traceloop_daemon.loop import Loop
from traceloop_daemon.mending import Mender
from traceloop_daemon.recorder import Recorder
from traceloop_daemon.refusal import refuse_hooks
from traceloop_daemon.registry import State
from traceloop_daemon.service import Service
from traceloop_daemon.sockets import CONTROL, HOOKS, QUERIES
from traceloop_daemon.systemd import ServiceManager

_HOOKS_FD: Final = "hook"  # FileDescriptorName= in traceloopd-hook.socket
_log = logging.getLogger("traceloopd")


def main(argv: Sequence[str] | None = None) -> None:
    """The command. Exits 1 with one line when it cannot start."""
    parser = argparse.ArgumentParser(
        prog="traceloopd", description="Records the system calls of this node's containers."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings")
    parser.add_argument("--runtime-dir", type=Path, default=Path("/run/traceloop"), help="where the sockets lie")
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/traceloop"), help="where traces are kept")
    arguments = parser.parse_args(argv)
    journal.begin()
    manager = ServiceManager()
    try:
        config = Config.read(arguments.config) if arguments.config else Config()
        with _locked(arguments.runtime_dir, hooks_passed=_HOOKS_FD in manager.fds):
            _run(config, arguments.runtime_dir, manager)
    except (ConfigError, LoadError, OSError, ValueError) as error:
        *details, reason = str(error).splitlines() or [type(error).__name__]
        for line in details:  # such as the compiler's
            _log.error("%s", line)
        _log.error("%s", reason, extra={"MESSAGE_ID": journal.CANNOT_START})
        manager.notify(f"STATUS=cannot start: {reason}")
        if (fd := manager.fd(_HOOKS_FD)) is not None:
            refuse_hooks(fd, reason)
        sys.exit(1)


def _run(config: Config, runtime_dir: Path, manager: ServiceManager) -> None:
    began = time.monotonic()
    loop = Loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        mount = find_mount()
        manager.starting("compiling the recorder")
        tracer = Tracer(config.ring_size, config.item_max, config.call_max, config.pool_size)
        stack.callback(tracer.close)
        recorder = Recorder(
            loop,
            tracer,
            MemoryArchive(config.archive_max_bytes),
            config.node,
            mount,
            record_sandboxes=config.record_sandboxes,
        )
        stack.callback(recorder.close)
        service = Service(recorder, runtime_dir)
        stack.callback(service.close)
        hooks = HookSocket(loop, runtime_dir / HOOKS, recorder.handle, manager.fd(_HOOKS_FD))
        stack.callback(hooks.close)
        Mender(loop, (hooks, service))
        ring_kib = tracer.geometry.ring_size >> 10
        _log.info("ready in %.1f s: rings of %d KiB, sockets in %s", time.monotonic() - began, ring_kib, runtime_dir)
        manager.ready(loop, lambda: _status(recorder))
        loop.run()
        manager.stopping()


def _status(recorder: Recorder) -> str:
    census = recorder.census()
    shown = [State.RECORDING, State.ARCHIVED, *([State.LOST] if census[State.LOST] else [])]
    return ", ".join(f"{state.value} {census[state]}" for state in shown)


@contextmanager
def _locked(runtime_dir: Path, *, hooks_passed: bool) -> Iterator[None]:
    """Holds the runtime directory for this daemon alone, and clears what one that was killed left there."""
    runtime_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (runtime_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another traceloopd serves {runtime_dir}: stop it, or give --runtime-dir") from error
        for name in (QUERIES, CONTROL, *([] if hooks_passed else [HOOKS])):
            (runtime_dir / name).unlink(missing_ok=True)
        yield
        (runtime_dir / "lock").unlink()
