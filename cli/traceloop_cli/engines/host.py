# SPDX-License-Identifier: Apache-2.0
"""The system that is wired: its files below a root directory, and its programs.

All paths outside of this module are as that system sees them. With another root than / its programs are run from
below it, but see this system's files: that is for images, and for tests that build systems of their own.
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
_FOLDERS: Final = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_PROGRAM_S: Final = 30
_FILE_MAX_BYTES: Final = 16 << 20  # no configuration has as many


@dataclass(frozen=True, slots=True)
class Host:
    """hook: the OCI hook's path. socket: the daemon's hook socket, where it is not where hooks look; else empty."""

    root: Path = Path("/")
    hook: Path = HOOK
    socket: str = ""

    def path(self, path: Path | str) -> Path:
        """Where a file of that system is to be found from here."""
        return self.root / str(path).lstrip("/")

    def read(self, path: Path | str) -> bytes | None:
        """A file's bytes, None where there is none. Raises Failed."""
        try:
            fd = os.open(self.path(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise Failed(f"cannot read {path}: it is no regular file")
                data = file.read(_FILE_MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Failed(f"cannot read {path}: {error.strerror}") from error
        if len(data) > _FILE_MAX_BYTES:
            raise Failed(f"cannot read {path}: it has more than {_FILE_MAX_BYTES} bytes")
        return data

    def toml(self, path: Path | str) -> dict[str, Any]:
        """A TOML file's values, none where there is no such file. Raises Failed."""
        data = self.read(path)
        try:
            return tomllib.loads(data.decode()) if data is not None else {}
        except ValueError as error:
            raise Failed(f"{path} is not TOML, and so no engine can read it either: {error}") from error

    def matching(self, pattern: str) -> list[Path]:
        """The files that a pattern stands for, in the order of their names."""
        found = self.root.glob(pattern.lstrip("/"))
        return sorted(Path("/") / path.relative_to(self.root) for path in found if path.is_file())

    def program(self, name: str) -> Path | None:
        """Where a program is, None where it is not installed."""
        for folder in _FOLDERS:
            path = self.root / folder / name
            if path.is_file() and os.access(path, os.X_OK):
                return Path("/") / folder / name
        return None

    def run(self, program: Path, *words: str | Path) -> str:
        """What one of its programs writes. Raises Failed where it does not end well."""
        command = [self.path(program), *words]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=_PROGRAM_S, check=False, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f"cannot run {program}: {error}") from error
        if ended.returncode:
            complaint = " ".join(ended.stderr.split()) or f"exit status {ended.returncode}"
            raise Failed(f"{program.name} {' '.join(map(str, words))}: {complaint}")
        return ended.stdout

    @property
    def runtime_wrapper(self) -> Path:
        """traceloop-runtime, which lies beside the hook."""
        return self.hook.with_name("traceloop-runtime")

    def hook_entry(self, stage: str) -> dict[str, Any]:
        """What engines are to run. stage: start or stop."""
        return entry(str(self.hook), [stage, *(["--socket", self.socket] if self.socket else [])])


def find_host(root: Path, hook: Path | None, socket: str) -> Host:
    """A Host whose hook is where it was said to be, else at HOOK, else beside this program."""
    if hook is None:
        hook = HOOK
        beside = Path(sys.argv[0]).absolute().with_name(HOOK.name)
        if root == Path("/") and not hook.exists() and beside.exists():
            hook = beside
    return Host(root, hook.absolute(), socket)
