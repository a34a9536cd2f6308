# SPDX-License-Identifier: Apache-2.0
"""x86-64, beside arch_x86_64.h. Numbers: arch/x86/entry/syscalls/syscall_64.tbl."""

from __future__ import annotations

from typing import Final

from traceloop_bpf.arch_model import Architecture

ARCHITECTURE: Final = Architecture(
    bpf=321,
    perf_event_open=298,
    fields={"STATUS": (("task_struct", "thread_info"), ("thread_info", "status"))},
)
