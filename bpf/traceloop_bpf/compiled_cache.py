# SPDX-License-Identifier: Apache-2.0
"""Keeps compiled programs in files, so that only the first start of a version on a kernel takes the compiler's seconds.

The directory is $CACHE_DIRECTORY, which systemd sets for a unit with CacheDirectory=; without it nothing is kept.
Whoever can write there decides what the kernel runs, so it must belong to this process's user, and nobody else may
write to it. A file is its text's digest, a line break and the text. Any failure is logged, and the compiler asked.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from traceloop_bpf.compiled import Compiled

DIRECTORY: Final = "CACHE_DIRECTORY"
FILES_MAX: Final = 64
"""Maximum number of files. Those that were used last stay."""
_HERE: Final = Path(__file__).parent
_BTF: Final = Path("/sys/kernel/btf/vmlinux")
_ENDING: Final = ".programs"
_log = logging.getLogger(__name__)


def key(programs: str, values: Mapping[str, int]) -> str:
    """Returns the name of what a compiler makes on this kernel. programs: from `identity.program_digest`.

    values: the -D values but for those that the kernel's BTF tells. Raises OSError if the kernel has no BTF.
    """
    digest = hashlib.sha256(json.dumps([programs, dict(values)], sort_keys=True).encode())
    for path in (*sorted(_HERE.glob("*.py")), _BTF):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def find(name: str) -> Compiled | None:
    """Returns what was kept under a name; None if there is none that can be used."""
    try:
        if (directory := _directory()) is None:
            return None
        text = _text(directory / (name + _ENDING))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("compiled programs that were kept cannot be used, so they are compiled again: %s", error)
        return None
    return Compiled.read(text)


def keep(name: str, compiled: Compiled) -> None:
    """Keeps what a compiler made, and removes what was not used for longest."""
    text = compiled.text()
    try:
        if (directory := _directory()) is None:
            return
        temporary = directory / f"{name}.{os.getpid()}"
        try:
            temporary.write_text(f"{_digest(text)}\n{text}")
            temporary.replace(directory / (name + _ENDING))
        finally:
            temporary.unlink(missing_ok=True)
        for path in sorted(directory.iterdir(), key=_used, reverse=True)[FILES_MAX:]:
            path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("the compiled programs cannot be kept, so the next start compiles them again: %s", error)


def _directory() -> Path | None:
    first, _, _ = os.environ.get(DIRECTORY, "").partition(":")
    if not first:
        return None
    path = Path(first)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "must be a directory that this user alone can write to", first)
    return path


def _text(path: Path) -> str:
    digest, _, text = path.read_text().partition("\n")
    if digest != _digest(text):
        raise ValueError(f"{path} is damaged")
    with suppress(OSError):  # on a read-only file system it is as good
        path.touch()
    return text


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another start removed it
        return 0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
