# SPDX-License-Identifier: Apache-2.0
"""arm64, beside arch_aarch64.h. Numbers: include/uapi/asm-generic/unistd.h."""

from __future__ import annotations

from typing import Final

from traceloop_bpf.arch_model import Architecture

ARCHITECTURE: Final = Architecture(
    bpf=280,
    perf_event_open=241,
    fields={
        "FLAGS": (("task_struct", "thread_info"), ("thread_info", "flags")),
        "SP": (("pt_regs", "sp"),),
        "ORIG_X0": (("pt_regs", "orig_x0"),),
        "SYSCALLNO": (("pt_regs", "syscallno"),),
    },
)
