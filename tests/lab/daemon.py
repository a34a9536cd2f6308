# SPDX-License-Identifier: Apache-2.0
"""Runs traceloopd with private directories."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from patience import PATIENCE

BIN = Path(sys.executable).parent


def _by_hooks(config: str) -> str:
    # A configuration by which containers are recorded when a hook registers them.
    if "from = " in config:
        return config
    setting = '[record]\nfrom = "hook"\n'
    return config.replace("[record]\n", setting) if "[record]\n" in config else config + setting


class Daemon:
    """A daemon that is ready once constructed. config: the text of its configuration file.

    state_dir, runtime_dir: used in place of private ones, which are removed with the daemon. wrapper: a command that runs the
    daemon's command line. options: further words of that command line. births: record containers from their births.
    """

    def __init__(
        self,
        *,
        config: str = "",
        ready_s: float = 240,
        state_dir: Path | None = None,
        runtime_dir: Path | None = None,
        wrapper: Sequence[str] = (),
        options: Sequence[str] = (),
        births: bool = False,
    ) -> None:
        if not births:  # else it also records what other containers the machine runs
            config = _by_hooks(config)
        # Not in a test's own directory: the path of a unix socket has at most 107 bytes (unix(7)).
        self.directory = Path(tempfile.mkdtemp(prefix="traceloopd-"))
        self.runtime_dir, self.state_dir = runtime_dir or self.directory / "run", state_dir or self.directory / "state"
        self.hook_socket = self.runtime_dir / "hook.sock"
        self.address = f"unix:{self.runtime_dir}/traceloop.sock"
        (self.directory / "config").write_text(config)
        words: list[str | Path] = ["--config", self.directory / "config"] if config else []
        words += ["--runtime-dir", self.runtime_dir, "--state-dir", self.state_dir, *options]
        self.process = subprocess.Popen(
            # It dies with this process, even if that is killed.
            ["setpriv", "--pdeathsig", "TERM", *wrapper, BIN / "traceloopd", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # an interrupt from the terminal reaches only this process, which then stops the daemon
        )
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()
        try:
            self.wait_for_log(lambda line: line.startswith("traceloopd: ready"), timeout_s=ready_s)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.poll() is None and kind is None:
            self.stop()
        self.kill()

    @property
    def log(self) -> str:
        """The lines that the daemon has written to stderr so far."""
        with self._changed:
            return "".join(self._lines)

    def wait_for_log(self, fits: Callable[[str], bool], *, timeout_s: float = 120) -> str:
        """Returns the first line that fits, as soon as it is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or any(map(fits, self._lines)), timeout_s * PATIENCE)
            line = next(filter(fits, self._lines), None)
        assert line is not None, f"traceloopd did not write what was expected, but:\n{self.log}"
        return line

    def ctl(self, *words: str, check: bool = True, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs traceloopctl against this daemon; with `check` it must succeed."""
        command: list[str | Path] = [BIN / "traceloopctl", "--address", self.address, *words]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s * PATIENCE, check=False)
        assert not check or ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}\n{self.log}"
        return ended

    def stop(self, *, timeout_s: float = 30) -> None:
        """Stops the daemon as systemd would; it must exit with status 0."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout_s * PATIENCE)
        assert status == 0, f"traceloopd ended with status {status}:\n{self.log}"

    def kill(self) -> None:
        """Kills the daemon if it still runs, and removes its directories."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
