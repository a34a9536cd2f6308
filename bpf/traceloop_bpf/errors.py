# SPDX-License-Identifier: Apache-2.0
"""The exception of what brings programs into the kernel."""

from __future__ import annotations

from collections.abc import Sequence


class LoadError(Exception):
    """The recorder could not be loaded into the kernel. The message is one line: why, and what to do.

    log: lines of the compiler or of the kernel's verifier, if there are any.
    """

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = tuple(log)
