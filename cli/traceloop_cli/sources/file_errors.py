# SPDX-License-Identifier: Apache-2.0
"""Error lines for files that a user named and that cannot be read or written, each with a remedy."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from traceloop_cli.errors import Failed

_READING: Final = {
    errno.ENOENT: "`traceloopctl dump` writes such files",
    errno.EISDIR: "name a file in it",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "run this as a user who may, such as root"),
}
_WRITING: Final = {
    errno.ENOENT: "create its directory first",
    errno.EISDIR: "name a file in it",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "name another place, or run this as a user who may write there"),
    **dict.fromkeys((errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "name another place"),
}


def cannot_read(path: str, error: OSError) -> Failed:
    """Returns the exception to raise from `error`."""
    return Failed(f"cannot read {path}: {_why(error, _READING)}")


def cannot_write(path: str, error: OSError) -> Failed:
    """Returns the exception to raise from `error`."""
    return Failed(f"cannot write {path}: {_why(error, _WRITING)}")


def _why(error: OSError, remedies: Mapping[int, str]) -> str:
    remedy = remedies.get(error.errno or 0)
    return f"{error.strerror or error}{f'; {remedy}' if remedy else ''}"
