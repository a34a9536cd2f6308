# SPDX-License-Identifier: Apache-2.0
"""Why a file that a user named cannot be read or written, and what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from traceloop_cli.errors import Failed

_READING: Final = {
    errno.ENOENT: "`traceloopctl dump` writes such files",
    errno.EISDIR: "name a file in it",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "run this as one who may, such as root"),
}
_WRITING: Final = {
    errno.ENOENT: "make its directory first",
    errno.EISDIR: "name a file in it",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "name another place, or run this as one who may"),
    **dict.fromkeys((errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "name another place"),
}


def cannot_read(path: str, error: OSError) -> Failed:
    """To be raised from the error."""
    return Failed(f"cannot read {path}: {_why(error, _READING)}")


def cannot_write(path: str, error: OSError) -> Failed:
    """To be raised from the error."""
    return Failed(f"cannot write {path}: {_why(error, _WRITING)}")


def _why(error: OSError, remedies: Mapping[int, str]) -> str:
    remedy = remedies.get(error.errno or 0)
    return f"{error.strerror or error}{f'; {remedy}' if remedy else ''}"
