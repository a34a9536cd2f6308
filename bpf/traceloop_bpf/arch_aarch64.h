/* SPDX-License-Identifier: GPL-2.0-only
 *
 * arm64: the places of a system call's registers in struct pt_regs, and the mark of a 32-bit process.
 * Source: arch/arm64/include/asm/ptrace.h, arch/arm64/kernel/syscall.c, syscall(2).
 */
#ifndef TRACELOOP_ARCH_AARCH64_H
#define TRACELOOP_ARCH_AARCH64_H

#include "verifier.h"

/* Two parts of pt_regs: x0 to x8, and what follows sp. Only the latter's places differ between kernels. */
#define TL_FRAME_WORDS 16
#define TL_FRAME_AFTER_SP (TL_FRAME_WORDS - F_SP)
/* clang-format off */
enum tl_frame {
	F_X0, F_X1, F_X2, F_X3, F_X4, F_X5, F_X6, F_X7, F_X8, F_SP,
	F_ORIG_X0 = F_SP + (TL_OFFSET_ORIG_X0 - TL_OFFSET_SP) / 8,
	F_NR = F_SP + (TL_OFFSET_SYSCALLNO - TL_OFFSET_SP) / 8, /* the lower half of the word */
};
/* clang-format on */
_Static_assert(F_ORIG_X0 < TL_FRAME_WORDS && F_NR < TL_FRAME_WORDS && TL_OFFSET_SYSCALLNO % 8 == 0, "struct pt_regs");

/* The addresses of the instruction and of the stack pointer in the registers at `regs`: pc follows sp. */
#define TL_REGISTER_IP(regs) ((regs) + TL_OFFSET_SP + 8)
#define TL_REGISTER_SP(regs) ((regs) + TL_OFFSET_SP)

#define TIF_32BIT (1ULL << 22) /* thread_info.flags: a 32-bit process (arch/arm64/include/asm/thread_info.h) */
#define ARM_EXECVE 11          /* their numbers in the 32-bit table (arch/arm/tools/syscall.tbl) */
#define ARM_EXECVEAT 387
#define NO_SYSCALL (-1) /* pt_regs.syscallno (arch/arm64/include/asm/ptrace.h) */

/* Pointers whose fields a program can load directly, at a third of the cost of a copy; since Linux 5.11 and 5.15. */
static void *(*tl_current_task)(void) = (void *)158;     /* BPF_FUNC_get_current_task_btf: struct task_struct * */
static u64 (*tl_registers_of)(void *task) = (void *)175; /* BPF_FUNC_task_pt_regs: struct pt_regs * at kernel entry */

/* Copies what is needed of the registers at `regs` to `frame`, which has TL_FRAME_WORDS words. */
TL_INLINE void tl_read_frame(u64 *frame, u64 regs)
{
	bpf_probe_read_kernel(frame, F_SP * sizeof *frame, (void *)regs);
	bpf_probe_read_kernel(frame + F_SP, TL_FRAME_AFTER_SP * sizeof *frame, (void *)(regs + TL_OFFSET_SP));
}

/*
 * Returns whether the current thread's call is one of the 32-bit table. An execve that returns has made the process what
 * its new program is, but keeps its number, which is of the former program's table. It alone returns without the number
 * in the register that it was called with, as it clears them all (start_thread_common).
 */
TL_INLINE bool tl_call_is_compat(const u64 *frame)
{
	bool is_32_bit = *(volatile u64 *)(tl_current_task() + TL_OFFSET_FLAGS) & TIF_32BIT;
	u64 number = is_32_bit ? frame[F_X7] : frame[F_X8];
	s32 nr = frame[F_NR];
	if (!number && nr > 0)
		return nr == ARM_EXECVE || nr == ARM_EXECVEAT;
	return is_32_bit;
}

/* x0 has the result when a call returns, but orig_x0 the first argument. */
TL_INLINE void tl_frame_arguments(const u64 *frame, u64 *arg, bool compat)
{
	u64 mask = compat ? 0xffffffff : ~0ULL;
	arg[0] = frame[F_ORIG_X0] & mask;
	arg[1] = frame[F_X1] & mask;
	arg[2] = frame[F_X2] & mask;
	arg[3] = frame[F_X3] & mask;
	arg[4] = frame[F_X4] & mask;
	arg[5] = frame[F_X5] & mask;
}

/*
 * Returns whether a call has not run. To be asked of a thread that seccomp ends: where SIGSYS ends it, the kernel forgets
 * the call first (do_signal).
 */
TL_INLINE bool tl_frame_is_entering(const u64 *frame)
{
	return (s32)frame[F_NR] != NO_SYSCALL;
}

/* The result of a call that seccomp refuses by SIGSYS: syscall_rollback puts the first argument back. */
TL_INLINE s64 tl_result_rolled_back(const u64 *frame, u64 nr, bool compat)
{
	return compat ? (s64)(s32)frame[F_ORIG_X0] : (s64)frame[F_ORIG_X0];
}

/*
 * The address of the signal mask that rt_sigreturn restores: at sp is a siginfo, 128 bytes, then the ucontext
 * (arch/arm64/kernel/signal.c).
 */
#define TL_FRAME_SAVED_MASK(frame) ((frame)[F_SP] + 128 + 40)

/*
 * Other CPUs may see stores in another order. An atomic exchange is in order with all that is before it and all that is
 * after it (Documentation/atomic_t.txt), and the only such instruction that BPF has on all kernels. BCC compiles it for
 * words of eight bytes alone: a smaller one is stored after an exchange of a word that nobody else sees, so what follows
 * is not kept after it.
 */
#define TL_PUBLISH(place, value)                                                \
	do {                                                                    \
		if (sizeof(place) == sizeof(u64)) {                             \
			(void)__sync_lock_test_and_set((u64 *)&(place), value); \
		} else {                                                        \
			u64 own = 0;                                            \
			(void)__sync_lock_test_and_set(&own, 1);                \
			*(volatile typeof(place) *)&(place) = (value);          \
			TL_BARRIER();                                           \
		}                                                               \
	} while (0)

#endif
