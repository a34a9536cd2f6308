/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Counts calls for the whole life of a container, whatever its ring still holds.
 */
#ifndef TRACELOOP_TOTALS_BPF_H
#define TRACELOOP_TOTALS_BPF_H

#include "layout.bpf.h"
#include "rules.h"
#include "verifier.h"

/* A set that one CPU has to itself needs no atomic add: no program that counts interrupts another. */
#if TL_CPUS <= TL_TOTALS
#define TL_COUNT(place, value) ((place) += (value))
#else
#define TL_COUNT(place, value) __sync_fetch_and_add(&(place), (value))
#endif

TL_INLINE struct tl_totals *totals_of(struct ring *ring, u64 compat)
{
	u64 n = (bpf_get_smp_processor_id() & (TL_TOTALS - 1)) + compat * TL_TOTALS;
	TL_OPAQUE(n);
	return &ring->totals[n & (2 * TL_TOTALS - 1)];
}

TL_INLINE u64 place_in_totals(u64 nr)
{
	u64 n = nr < TL_TOTAL_CALLS ? nr : TL_TOTAL_CALLS - 1;
	TL_OPAQUE(n);
	return n & (TL_TOTAL_CALLS - 1);
}

TL_INLINE void count_call(struct ring *ring, u64 nr, bool compat)
{
	TL_COUNT(totals_of(ring, compat)->calls[place_in_totals(nr)], 1);
}

TL_INLINE void count_return(struct ring *ring, const struct tl_call *call, u64 nr, bool compat, s64 result)
{
	struct tl_totals *totals = totals_of(ring, compat);
	u64 bytes = result & ~(result >> 63); /* 0 of what a tracer put there in the name of seccomp */
	if ((u64)result >= (u64)-4095 || result == TL_NO_RESULT)
		TL_COUNT(totals->failed[place_in_totals(nr)], 1);
	else if (call->flags & TL_CALL_READS)
		TL_COUNT(totals->read_bytes, bytes);
	else if (call->flags & TL_CALL_WRITES)
		TL_COUNT(totals->written_bytes, bytes);
}

/* Returns whether a call is counted alone. */
TL_INLINE bool is_skipped(struct ring *ring, u64 nr, bool compat)
{
	u64 n = place_in_totals(nr) + (compat ? TL_TOTAL_CALLS : 0), word = n / 64;
	TL_OPAQUE(word);
	return ring->skip[word & (TL_SKIP_WORDS - 1)] >> (n & 63) & 1;
}

#endif
