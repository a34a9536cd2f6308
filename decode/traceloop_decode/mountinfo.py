# SPDX-License-Identifier: Apache-2.0
"""Mounts, as /proc/PID/mountinfo lists them (proc_pid_mountinfo(5)).

libmount (python3-libmount) opens the file itself, and psutil reports no root; this package is given text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# Space, tab, newline, backslash: what show_mountinfo() in fs/proc_namespace.c escapes of paths, and nothing else.
_ESCAPE: Final = re.compile(r"\\(040|011|012|134)")


class Mount(NamedTuple):
    """A mount. root: the directory of the file system that is mounted. options: of the file system itself."""

    root: str
    point: str
    kind: str
    options: tuple[str, ...]


def mounts(text: str) -> Iterator[Mount]:
    """Reads the lines of the file, decoded with `surrogateescape`: names may be any bytes.

    Raises ValueError for a line that is not in the kernel's format.
    """
    for line in text.split("\n"):  # not splitlines: names may hold other ends of lines
        if not line:
            continue
        left, _, right = line.partition(" - ")
        _id, _parent, _device, root, point, *_ = left.split(" ")
        kind, _source, options = right.split(" ", 2)
        yield Mount(_plain(root), _plain(point), kind, tuple(options.split(",")))


def _plain(name: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name)
