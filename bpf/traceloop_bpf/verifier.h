/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Means to write code that the verifier accepts, and that BCC compiles soon: everything is inlined, LLVM uses the
 * register that it has tested, and the compiler keeps stores in order.
 *
 * LLVM often tests one register and uses another; TL_OPAQUE before a comparison prevents that. TL_OPAQUE of a pointer
 * in a loop keeps LLVM from computing addresses before the loop, which it would keep on the stack. Linux 6.1 learns
 * nothing from `!=`, so bounds are tested with `<` and `>`. TL_RELOAD of a number in map memory makes the verifier forget
 * what it knows of it, so that it walks what follows once, whatever way led there.
 */
#ifndef TRACELOOP_VERIFIER_H
#define TRACELOOP_VERIFIER_H

#define TL_INLINE static inline __attribute__((always_inline))
#define TL_OPAQUE(x) asm volatile("" : "+r"(x))
#define TL_BARRIER() asm volatile("" ::: "memory")
#define TL_RELOAD(place) (*(volatile typeof(place) *)&(place))

/* A number that the loader puts in place of the mark, a constant of 64 bits: see compiled.py. */
#define TL_LOADED(mark)                                       \
	({                                                    \
		u64 loaded;                                   \
		asm("%0 = %1 ll" : "=r"(loaded) : "i"(mark)); \
		loaded;                                       \
	})
#define TL_GENERATION TL_LOADED(TL_MARK_GENERATION)
#define TL_PID_NAMESPACE TL_LOADED(TL_MARK_PID_NAMESPACE)

/*
 * Helpers under names of our own: for each place with the name bpf_probe_read_user BCC reads the kernel's whole symbol
 * table, to find out whether the kernel has it. Linux 5.5 brought it.
 */
static int (*read_user)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user;
static int (*read_user_str)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user_str;

#endif
