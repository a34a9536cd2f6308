# SPDX-License-Identifier: Apache-2.0
"""Signals by number, as strace names them."""

from __future__ import annotations

from traceloop_decode.tables.signals import SIGNALS

# The kernel's SIGRTMIN (32) and SIGRTMAX (64), equal on x86 and arm64. glibc's SIGRTMIN is 34: it reserves two.
_REAL_TIME = {32: "SIGRTMIN"} | {number: f"SIGRT_{number - 32}" for number in range(33, 65)}

SIGNAL: dict[int, str] = SIGNALS | _REAL_TIME
"""Number -> name, 1 to 64."""
