/* SPDX-License-Identifier: GPL-2.0-only
 *
 * x86-64: where a system call's registers lie in struct pt_regs, and how a 32-bit call is told.
 * Source: arch/x86/include/asm/ptrace.h, arch/x86/entry/entry_64.S, syscall(2).
 */
#ifndef TRACELOOP_ARCH_X86_64_H
#define TRACELOOP_ARCH_X86_64_H

#include "verifier.h"

/* One helper call copies this part of pt_regs: from bp to sp. */
#define TL_FRAME_OFFSET 32
enum tl_frame { F_BP, F_BX, F_R11, F_R10, F_R9, F_R8, F_AX, F_CX, F_DX, F_SI, F_DI, F_NR, F_IP, F_CS, F_FLAGS, F_SP, TL_FRAME_WORDS };

/* thread_info.status: the call came by a 32-bit entry (arch/x86/include/asm/thread_info.h) */
#define TS_COMPAT 2

/*
 * Whether the current thread's call came by a 32-bit entry (INT 80, SYSENTER, SYSCALL of 32-bit code). Registers do not
 * tell: a program sets them as any entry leaves them. Since Linux 5.11 the kernel gives its struct as one that can be
 * loaded from, which costs a third of a copy by a helper.
 */
static void *(*tl_current_task)(void) = (void *)158; /* BPF_FUNC_get_current_task_btf */

TL_INLINE bool tl_call_is_compat(void)
{
	return *(volatile u32 *)(tl_current_task() + TL_OFFSET_STATUS) & TS_COMPAT;
}

TL_INLINE void tl_frame_arguments(const u64 *frame, u64 *arg, bool compat)
{
	if (compat) {
		arg[0] = (u32)frame[F_BX];
		arg[1] = (u32)frame[F_CX];
		arg[2] = (u32)frame[F_DX];
		arg[3] = (u32)frame[F_SI];
		arg[4] = (u32)frame[F_DI];
		arg[5] = (u32)frame[F_BP];
	} else {
		arg[0] = frame[F_DI];
		arg[1] = frame[F_SI];
		arg[2] = frame[F_DX];
		arg[3] = frame[F_R10];
		arg[4] = frame[F_R8];
		arg[5] = frame[F_R9];
	}
}

/* Where the signal mask lies that rt_sigreturn restores: the frame's ucontext is at sp (arch/x86/kernel/signal_64.c). */
#define TL_FRAME_SAVED_MASK(frame) ((frame)[F_SP] + 296)

/* Stores are seen in order; only the compiler must be held back. */
#define TL_PUBLISH(place, value) do { TL_BARRIER(); *(volatile typeof(place) *)&(place) = (value); TL_BARRIER(); } while (0)

#endif
