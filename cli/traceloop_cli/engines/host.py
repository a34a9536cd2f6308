# SPDX-License-Identifier: Apache-2.0
"""The system whose engines are wired: its files below a root directory, and its programs.

Outside this module, all paths are as that system sees them. With a root other than / its programs are run from below
the root, but see the files of the running system: this is for images, and for tests that build systems.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from traceloop_cli.engines.guard import entry
from traceloop_cli.errors import Failed

HOOK: Final = Path("/usr/libexec/oci/hooks.d/traceloop-hook")
HOOK_SOCKET: Final = Path("/run/traceloop/hook.sock")
_BIRTHS: Final = "births"  # as traceloop_daemon.system.sockets has it
_FOLDERS: Final = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_PROGRAM_S: Final = 30
_FILE_MAX_BYTES: Final = 16 << 20  # far beyond any configuration file


@dataclass(frozen=True, slots=True)
class Host:
    """A system. hook: the OCI hook's path. socket: the daemon's hook socket, empty for the default."""

    root: Path = Path("/")
    hook: Path = HOOK
    socket: str = ""

    def path(self, path: Path | str) -> Path:
        """Returns where a file of that system is for this process."""
        return self.root / str(path).lstrip("/")

    def records_births(self, hook_socket: Path = HOOK_SOCKET) -> bool | None:
        """Returns whether the daemon at a socket records containers from their cgroups' births, without hooks.

        None: this user may not look.
        """
        try:
            return self.path(hook_socket.parent / _BIRTHS).exists()
        except PermissionError:
            return None

    def read(self, path: Path | str) -> bytes | None:
        """Returns a file's bytes, None if it does not exist. Raises Failed."""
        try:
            fd = os.open(self.path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise Failed(f"cannot read {path}: it is not a regular file")
                data = file.read(_FILE_MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Failed(f"cannot read {path}: {error.strerror}") from error
        if len(data) > _FILE_MAX_BYTES:
            raise Failed(f"cannot read {path}: it has more than {_FILE_MAX_BYTES} bytes")
        return data

    def toml(self, path: Path | str) -> dict[str, Any]:
        """Returns a TOML file's values, none if it does not exist. Raises Failed."""
        data = self.read(path)
        try:
            return tomllib.loads(data.decode()) if data is not None else {}
        except ValueError as error:
            raise Failed(f"{path} is not TOML, so no engine can read it either: {error}") from error

    def matching(self, pattern: str) -> list[Path]:
        """Returns the files that match a glob pattern, sorted by name."""
        found = self.root.glob(pattern.lstrip("/"))
        return sorted(Path("/") / path.relative_to(self.root) for path in found if path.is_file())

    def program(self, name: str) -> Path | None:
        """Returns a program's path, None if it is not installed."""
        for folder in _FOLDERS:
            path = self.root / folder / name
            if path.is_file() and os.access(path, os.X_OK):
                return Path("/") / folder / name
        return None

    def run(self, program: Path, *words: str | Path) -> str:
        """Runs one of the system's programs, and returns its output. Raises Failed if it fails."""
        command = [self.path(program), *words]
        try:
            ended = subprocess.run(
                command,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_PROGRAM_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f"cannot run {program}: {error}") from error
        if ended.returncode:
            complaint = " ".join(ended.stderr.split()) or f"exit status {ended.returncode}"
            raise Failed(f"{program.name} {' '.join(map(str, words))}: {complaint}")
        return ended.stdout

    def version(self, name: str, at: int) -> str | None:
        """Returns the word of ``NAME --version`` at an index; None if there is no such program. Raises Failed."""
        program = self.program(name)
        if program is None:
            return None
        words = self.run(program, "--version").split()
        return words[at] if -len(words) <= at < len(words) else "unknown"

    @property
    def runtime_wrapper(self) -> Path:
        """Path of traceloop-runtime, beside the hook."""
        return self.hook.with_name("traceloop-runtime")

    def hook_entry(self, stage: str) -> dict[str, Any]:
        """Returns the entry that makes an engine run the hook. stage: start or stop."""
        return entry(str(self.hook), [stage, *(["--socket", self.socket] if self.socket else [])])


def find_host(root: Path, hook: Path | None, socket: str) -> Host:
    """Returns a Host. Its hook is the given one, else HOOK, else the one beside this program."""
    if hook is None:
        hook = HOOK
        beside = Path(sys.argv[0]).absolute().with_name(HOOK.name)
        if root == Path("/") and not hook.exists() and beside.exists():
            hook = beside
    return Host(root, hook.absolute(), socket)
