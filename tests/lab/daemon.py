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

BIN = Path(sys.executable).parent


class Daemon:
    """A daemon that is ready once constructed. config: the text of its configuration file.

    state_dir: instead of one of its own, which goes with it. wrapper: a command that is given the daemon's. options:
    more words of its command line.
    """

    def __init__(
        self,
        *,
        config: str = "",
        ready_s: float = 60,
        state_dir: Path | None = None,
        wrapper: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        # Not in a test's own directory: the path of a unix socket has at most 107 bytes (unix(7)).
        self.directory = Path(tempfile.mkdtemp(prefix="traceloopd-"))
        self.runtime_dir, self.state_dir = self.directory / "run", state_dir or self.directory / "state"
        self.hook_socket = self.runtime_dir / "hook.sock"
        self.address = f"unix:{self.runtime_dir}/traceloop.sock"
        (self.directory / "config").write_text(config)
        words: list[str | Path] = ["--config", self.directory / "config"] if config else []
        words += ["--runtime-dir", self.runtime_dir, "--state-dir", self.state_dir, *options]
        self.process = subprocess.Popen(
            # It ends with us even if we are killed.
            ["setpriv", "--pdeathsig", "TERM", *wrapper, BIN / "traceloopd", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # an interrupt from the terminal is ours, and we stop it
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
        """All that it has written on stderr so far."""
        with self._changed:
            return "".join(self._lines)

    def wait_for_log(self, fits: Callable[[str], bool], *, timeout_s: float = 30) -> str:
        """Returns the first line that fits, as soon as it is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or any(map(fits, self._lines)), timeout_s)
            line = next(filter(fits, self._lines), None)
        assert line is not None, f"traceloopd did not write what was expected, but:\n{self.log}"
        return line

    def ctl(self, *words: str, check: bool = True, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs traceloopctl against this daemon; with `check` it must succeed."""
        command: list[str | Path] = [BIN / "traceloopctl", "--address", self.address, *words]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        assert not check or ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}\n{self.log}"
        return ended

    def stop(self, *, timeout_s: float = 30) -> None:
        """Ends it as systemd would. It must end well."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout_s)
        assert status == 0, f"traceloopd ended with status {status}:\n{self.log}"

    def kill(self) -> None:
        """Ends it at once, if it runs still, and removes its directories."""
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
