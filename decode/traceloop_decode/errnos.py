# SPDX-License-Identifier: Apache-2.0
"""Errors by number: name and message, as strace prints them."""

from __future__ import annotations

from traceloop_decode.tables.errors import ERRORS

# Numbers that stay inside the kernel (include/linux/errno.h) but that a tracer sees: a call that a signal interrupted
# returns one, and the kernel then restarts the call or turns it into EINTR. ENOTSUPP reaches programs by mistake.
_KERNEL = {
    512: ("ERESTARTSYS", "To be restarted if SA_RESTART is set"),
    513: ("ERESTARTNOINTR", "To be restarted"),
    514: ("ERESTARTNOHAND", "To be restarted if no handler"),
    516: ("ERESTART_RESTARTBLOCK", "Interrupted by signal"),
    524: ("ENOTSUPP", "Unknown error 524"),
}

ERRNO: dict[int, tuple[str, str]] = ERRORS | _KERNEL
"""Number -> (name, message)."""
