/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Reads what the kernel knows of a process that ends: the instruction and stack of a fault, and the memory that was used
 * where there was none left.
 */
#ifndef TRACELOOP_DEATHS_BPF_H
#define TRACELOOP_DEATHS_BPF_H

#include TL_ARCH
#include "deaths.h"
#include "verifier.h"
#include "writer.bpf.h"

#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGSEGV 11
#define SIGCHLD 17
#define SIGCONT 18
#define SIGURG 23
#define SIGWINCH 28

#define SI_USER 0
#define SI_QUEUE (-1)
#define SI_TKILL (-6)

#define STACK_OF_USER (1ULL << 8)      /* BPF_F_USER_STACK */
#define STACK_BY_BUILD_ID (1ULL << 11) /* BPF_F_USER_BUILD_ID */

static long (*read_stack)(void *ctx, void *to, u32 size, u64 flags) = (void *)67; /* BPF_FUNC_get_stack */

/* Returns whether a signal that nobody handles is one that the kernel sends for a fault of the program's own. */
TL_INLINE bool is_fault(u64 number)
{
	return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL || number == SIGTRAP;
}

/* Returns whether processes ignore a signal unless they handle it: it is no news that they do. */
TL_INLINE bool is_ignored_by_default(u64 number)
{
	return number == SIGCHLD || number == SIGCONT || number == SIGURG || number == SIGWINCH;
}

/*
 * Returns whether a process sent the signal by a call, not the kernel. info: struct kernel_siginfo *, or 0 or 1 as
 * fill_signal_sent has it.
 */
TL_INLINE bool is_sent_by_call(u64 info)
{
	if (info < 2)
		return false;
	s32 code = read32(info + 8); /* si_code */
	return code == SI_USER || code == SI_QUEUE || code == SI_TKILL;
}

/* Returns whether the current thread is the first of its process. */
TL_INLINE bool is_leader(void)
{
	u64 tid_pid = bpf_get_current_pid_tgid();
	return (u32)tid_pid == tid_pid >> 32;
}

/* Fills in a fault of the current thread, or where SIGKILL meets it; returns its bytes. */
TL_INLINE u64 read_fault(struct tl_fault *fault, void *ctx)
{
	u64 task = bpf_get_current_task(), regs = tl_registers_of(tl_current_task());
	u64 mm = read64(task + TL_OFFSET_MM);
	fault->ip = read64(TL_REGISTER_IP(regs));
	fault->sp = read64(TL_REGISTER_SP(regs));
#ifdef TL_OFFSET_TRAP
	fault->trap = read64(task + TL_OFFSET_TRAP);
	fault->error_code = read64(task + TL_OFFSET_TRAP_ERROR);
#else
	fault->trap = fault->error_code = 0;
#endif
	fault->code_begin = read64(mm + TL_OFFSET_START_CODE);
	fault->code_end = read64(mm + TL_OFFSET_END_CODE);
	if (read_stack(ctx, fault->addresses, sizeof fault->addresses, STACK_OF_USER) < 0)
		fault->addresses[0] = 0;
	s64 bytes = read_stack(ctx, fault->stack, sizeof fault->stack, STACK_OF_USER | STACK_BY_BUILD_ID);
	if (bytes < 0 || bytes > sizeof fault->stack)
		bytes = 0;
	return sizeof *fault - sizeof fault->stack + (bytes & ~7ULL);
}

#ifdef TL_OFFSET_CHARGED
#define NO_LIMIT (1ULL << 62) /* PAGE_COUNTER_MAX of include/linux/page_counter.h, in bytes, is above */

/*
 * Fills in the memory that a process's memory cgroup, and those above it, have and may have. Returns whether one of them
 * has reached its limit, as traceloop_decode.out_of_memory judges it, too.
 */
TL_INLINE bool read_levels(struct tl_level *level, u64 task)
{
	u64 group = read64(read64(task + TL_OFFSET_CGROUPS) + TL_OFFSET_MEMORY_GROUP);
	bool reached = false;
	u64 counter = group ? group - TL_OFFSET_MEMORY_CSS + TL_OFFSET_CHARGED : 0;
#pragma clang loop unroll(disable)
	for (int n = 0; n < TL_LEVELS; n++) {
		u64 usage = counter ? read64(counter + TL_OFFSET_COUNTER_USAGE) * TL_PAGE_SIZE : 0;
		u64 limit = counter ? read64(counter + TL_OFFSET_COUNTER_MAX) * TL_PAGE_SIZE : 0;
		level[n].usage_bytes = usage;
		level[n].limit_bytes = limit;
		if (limit && limit < NO_LIMIT && limit <= usage + (1 << 20) + (limit >> 6))
			reached = true;
		counter = counter ? read64(counter + TL_OFFSET_COUNTER_PARENT) : 0;
	}
	return reached;
}
#endif

/* Returns whether the kernel has ended a thread's process because it was out of memory. */
TL_INLINE bool is_out_of_memory(u64 task)
{
	return read64(read64(task + TL_OFFSET_SIGNAL) + TL_OFFSET_OOM_MM);
}

#endif
