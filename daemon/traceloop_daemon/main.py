# SPDX-License-Identifier: Apache-2.0
"""traceloopd: puts the parts together, says that it is ready, and takes them apart again."""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from traceloop_bpf.loader import LoadError
from traceloop_bpf.tracer import Tracer
from traceloop_daemon.archive import FileArchive
from traceloop_daemon.cgroupfs import find_mount
from traceloop_daemon.config import Config
from traceloop_daemon.errors import ConfigError
from traceloop_daemon.hooksock import HookSocket
from traceloop_daemon.loop import Loop
from traceloop_daemon.recorder import Recorder
from traceloop_daemon.service import serve

_GRACE_S: Final = 1.0
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
    logging.basicConfig(format="traceloopd: %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        config = Config.read(arguments.config) if arguments.config else Config()
        with _locked(arguments.runtime_dir):
            _run(config, arguments.runtime_dir, arguments.state_dir)
    except (ConfigError, LoadError, OSError, ValueError) as error:
        sys.exit(f"traceloopd: {error}")


def _run(config: Config, runtime_dir: Path, state_dir: Path) -> None:
    began = time.monotonic()
    loop = Loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        mount = find_mount()
        archive = FileArchive(state_dir, config.limits, config.memory_max)
        stack.callback(archive.close)
        tracer = Tracer(config.ring_size, config.item_max, config.call_max, config.pool_size)
        stack.callback(tracer.close)
        recorder = Recorder(
            loop,
            tracer,
            archive,
            config.node,
            mount,
            record_sandboxes=config.record_sandboxes,
        )
        stack.callback(recorder.close)
        recorder.load_archive()
        server = serve(recorder, runtime_dir / "traceloop.sock")
        stack.callback(lambda: server.stop(_GRACE_S).wait())
        hooks = HookSocket(loop, runtime_dir / "hook.sock", recorder.handle)
        stack.callback(hooks.close)
        ring_kib, kept = tracer.geometry.ring_size >> 10, archive.usage().traces
        took_s = time.monotonic() - began
        _log.info(
            "ready in %.1f s: rings of %d KiB, sockets in %s, %d traces in %s",
            *(took_s, ring_kib, runtime_dir, kept, state_dir),
        )
        _notify("READY=1")
        loop.run()
        _notify("STOPPING=1")


def _notify(state: str) -> None:
    if "NOTIFY_SOCKET" in os.environ:
        from systemd import daemon  # noqa: PLC0415 - needed under systemd alone

        daemon.notify(state)


@contextmanager
def _locked(runtime_dir: Path) -> Iterator[None]:
    """Holds the runtime directory for this daemon alone, and clears what one that was killed left there."""
    runtime_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (runtime_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another traceloopd serves {runtime_dir}: stop it, or give --runtime-dir") from error
        for name in ("hook.sock", "traceloop.sock"):
            (runtime_dir / name).unlink(missing_ok=True)
        yield
        (runtime_dir / "lock").unlink()
