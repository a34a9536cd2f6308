/* SPDX-License-Identifier: GPL-2.0-only
 *
 * How to write what the verifier accepts: everything is inlined, LLVM tests the register that it then uses, and the
 * compiler keeps stores in order.
 *
 * LLVM likes to test one register and use another: TL_OPAQUE before a comparison keeps them the same. Linux 6.1 learns
 * nothing from `!=`, so bounds are tested with `<` and `>`.
 */
#ifndef TRACELOOP_VERIFIER_H
#define TRACELOOP_VERIFIER_H

#define TL_INLINE static inline __attribute__((always_inline))
#define TL_OPAQUE(x) asm volatile("" : "+r"(x))
#define TL_BARRIER() asm volatile("" ::: "memory")

#endif
