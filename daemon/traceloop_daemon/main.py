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
from traceloop_daemon.archive import MemoryArchive
from traceloop_daemon.cgroupfs import find_mount
from traceloop_daemon.config import DEFAULT_FILE, load
from traceloop_daemon.errors import ConfigError
from traceloop_daemon.hooksock import HookSocket
from traceloop_daemon.loop import Loop
from traceloop_daemon.recorder import Recorder
from traceloop_daemon.redaction import Redactor
from traceloop_daemon.service import serve
from traceloop_daemon.settings import Config, RedactSettings
from traceloop_decode.text.values import printable

_GRACE_S: Final = 1.0
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
    arguments = parser.parse_args(argv)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("traceloopd: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        loaded = load(arguments.config)
        if arguments.check_config:
            print(loaded)
            return
        with _locked(arguments.runtime_dir):
            _run(loaded.config, arguments.runtime_dir)
    except (ConfigError, LoadError, OSError, ValueError) as error:
        sys.exit("\n".join(f"traceloopd: {line}" for line in str(error).splitlines()))


def _run(config: Config, runtime_dir: Path) -> None:
    began = time.monotonic()
    loop = Loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        mount = find_mount()
        ring = config.ring
        tracer = Tracer(ring.size, ring.item_max, ring.call_max, ring.spare)
        stack.callback(tracer.close)
        recorder = Recorder(
            loop,
            tracer,
            MemoryArchive(config.archive.memory_max),
            config,
            mount,
            redactor=_redactor(config.redact),
        )
        stack.callback(recorder.close)
        server = serve(recorder, runtime_dir / "traceloop.sock")
        stack.callback(lambda: server.stop(_GRACE_S).wait())
        hooks = HookSocket(loop, runtime_dir / "hook.sock", recorder.handle)
        stack.callback(hooks.close)
        ring_kib = tracer.geometry.ring_size >> 10
        _log.info("ready in %.1f s: rings of %d KiB, sockets in %s", time.monotonic() - began, ring_kib, runtime_dir)
        _notify("READY=1")
        loop.run()
        _notify("STOPPING=1")


class _OneLine(logging.Formatter):
    """Names of pods and cgroups are words that others chose: a message stays one line of printable ASCII."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record))


def _redactor(settings: RedactSettings) -> Redactor | None:
    return Redactor(settings.patterns, defaults=settings.defaults) if settings.enabled else None


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
