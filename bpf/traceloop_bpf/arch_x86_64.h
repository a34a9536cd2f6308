/* SPDX-License-Identifier: GPL-2.0-only
 *
 * x86-64: the places of a system call's registers in struct pt_regs, and the mark of a 32-bit call.
 * Source: arch/x86/include/asm/ptrace.h, arch/x86/entry/entry_64.S, syscall(2).
 */
#ifndef TRACELOOP_ARCH_X86_64_H
#define TRACELOOP_ARCH_X86_64_H

#include "verifier.h"

/* The part of pt_regs, from bp to sp, that one helper call copies. */
#define TL_FRAME_OFFSET 32
/* clang-format off */
enum tl_frame { F_BP, F_BX, F_R11, F_R10, F_R9, F_R8, F_AX, F_CX, F_DX, F_SI, F_DI, F_NR, F_IP, F_CS, F_FLAGS, F_SP, TL_FRAME_WORDS };
/* clang-format on */

/* The addresses of the instruction and of the stack pointer in the registers at `regs`. */
#define TL_REGISTER_IP(regs) ((regs) + TL_FRAME_OFFSET + 8 * F_IP)
#define TL_REGISTER_SP(regs) ((regs) + TL_FRAME_OFFSET + 8 * F_SP)

/* thread_info.status: the call came by a 32-bit entry (arch/x86/include/asm/thread_info.h) */
#define TS_COMPAT 2

/* Pointers whose fields a program can load directly, at a third of the cost of a copy; since Linux 5.11 and 5.15. */
static void *(*tl_current_task)(void) = (void *)158;     /* BPF_FUNC_get_current_task_btf: struct task_struct * */
static u64 (*tl_registers_of)(void *task) = (void *)175; /* BPF_FUNC_task_pt_regs: struct pt_regs * at kernel entry */

/* Copies what is needed of the registers at `regs` to `frame`, which has TL_FRAME_WORDS words. */
TL_INLINE void tl_read_frame(u64 *frame, u64 regs)
{
	bpf_probe_read_kernel(frame, TL_FRAME_WORDS * sizeof *frame, (void *)(regs + TL_FRAME_OFFSET));
}

/*
 * Returns whether the current thread's call came by a 32-bit entry (INT 80, SYSENTER, SYSCALL of 32-bit code).
 * Registers do not tell: a program can set them as any entry leaves them.
 */
TL_INLINE bool tl_call_is_compat(const u64 *frame)
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

#define ENOSYS 38

/*
 * Returns whether a call has not run: the kernel sets its result to -ENOSYS first (entry_64.S, PUSH_AND_CLEAR_REGS).
 */
TL_INLINE bool tl_frame_is_entering(const u64 *frame)
{
	return (s64)frame[F_AX] == -ENOSYS;
}

/* The result of a call that seccomp refuses by SIGSYS: syscall_rollback leaves the number where the result belongs. */
TL_INLINE s64 tl_result_rolled_back(const u64 *frame, u64 nr, bool compat)
{
	return nr;
}

/*
 * The address of the signal mask that rt_sigreturn restores: the frame's ucontext is at sp
 * (arch/x86/kernel/signal_64.c).
 */
#define TL_FRAME_SAVED_MASK(frame) ((frame)[F_SP] + 296)

/* Other CPUs see stores in order on x86; only the compiler must not reorder them. */
#define TL_PUBLISH(place, value)                               \
	do {                                                   \
		TL_BARRIER();                                  \
		*(volatile typeof(place) *)&(place) = (value); \
		TL_BARRIER();                                  \
	} while (0)

#endif
