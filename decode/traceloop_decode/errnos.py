# SPDX-License-Identifier: Apache-2.0
"""Errors by number: name and message, as strace prints them."""

from __future__ import annotations

from typing import Final

from traceloop_decode.tables.errors import ERRORS

# Errors that stay inside the kernel (include/linux/errno.h), but that a tracer sees: a call that a signal interrupted
# returns one, and the kernel then restarts the call or makes it EINTR. ENOTSUPP reaches programs by mistake.
_KERNEL = {
    512: ("ERESTARTSYS", "To be restarted if SA_RESTART is set"),
    513: ("ERESTARTNOINTR", "To be restarted"),
    514: ("ERESTARTNOHAND", "To be restarted if no handler"),
    516: ("ERESTART_RESTARTBLOCK", "Interrupted by signal"),
    524: ("ENOTSUPP", "Unknown error 524"),
}

ERRNO: dict[int, tuple[str, str]] = ERRORS | _KERNEL
"""Number -> (name, message)."""

_MAX: Final = 4095


def is_error(result: int) -> bool:
    """Returns whether a call's result is an error number, negated: -4095 to -1 (MAX_ERRNO in include/linux/err.h)."""
    return -_MAX <= result < 0
