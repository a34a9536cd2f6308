# SPDX-License-Identifier: Apache-2.0
"""Ways in which a program on a node can be broken, each applied to a copy of the hook."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_MACHINE = slice(18, 20)  # of an ELF header: elf(5)


def _write(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o755)


def _of_another_machine(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[_MACHINE] = b"\xf3\0"  # RISC-V
    _write(path, bytes(content))


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o755)


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


BREAK: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "not executable": lambda path: path.chmod(0o644),
    "a directory": _directory,
    "a pipe": _pipe,
    "a link to itself": _link_to_itself,
    "empty": lambda path: _write(path, b""),
    "cut off": lambda path: _write(path, path.read_bytes()[:1000]),
    "of another machine": _of_another_machine,
    "noise": lambda path: _write(path, bytes(range(256)) * 100),
    "a script without its interpreter": lambda path: _write(path, b"#!/nonexistent/python3 -IS\n"),
}


def restore(path: Path, good: Path) -> None:
    """Replaces a broken file by a copy of the good one."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(good.read_bytes())
    path.chmod(0o755)
