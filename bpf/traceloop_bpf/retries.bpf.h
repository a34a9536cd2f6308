/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Calls in flight whose arguments could not be read at entry, and are read again at exit.
 *
 * A task's address selects two places in its container's own ring, so no container takes the places of another. A
 * call that finds neither free is counted.
 */
#ifndef TRACELOOP_RETRIES_BPF_H
#define TRACELOOP_RETRIES_BPF_H

#include "layout.bpf.h"
#include "verifier.h"

/* tl_retry.failed: above the arguments, what the call asked for, if that was new: 1 + capability << 1 | granted */
#define RETRY_ARGUMENTS 0xff
#define RETRY_ASKED_SHIFT 8

TL_INLINE struct tl_retry *retry_at(struct ring *ring, u64 task, u64 second)
{
	u64 n = ((task * 0x9e3779b97f4a7c15ULL >> 40) ^ second) & (TL_RETRIES - 1);
	TL_OPAQUE(n);
	return &ring->retries[n & (TL_RETRIES - 1)];
}

TL_INLINE struct tl_retry *find_retry(struct ring *ring, u64 task)
{
	struct tl_retry *retry = retry_at(ring, task, 0);
	if (retry->task == task)
		return retry;
	retry = retry_at(ring, task, 1);
	return retry->task == task ? retry : 0;
}

TL_INLINE struct tl_retry *claim_retry(struct ring *ring, u64 task)
{
	struct tl_retry *retry = retry_at(ring, task, 0);
	if (!__sync_val_compare_and_swap(&retry->task, 0, task))
		return retry;
	retry = retry_at(ring, task, 1);
	return __sync_val_compare_and_swap(&retry->task, 0, task) ? 0 : retry;
}

TL_INLINE void remember(struct ring *ring, u64 task, u32 nr, u32 failed)
{
	struct tl_retry *retry = find_retry(ring, task); /* left by a call whose exit was not recorded here */
	if (!retry) {
		retry = claim_retry(ring, task);
		if (!retry) {
			__sync_fetch_and_add(&ring->head.forgotten, 1);
			return;
		}
		__sync_fetch_and_add(&ring->head.retries, 1);
	}
	retry->nr = nr;
	retry->failed = failed;
}

/* Returns what was remembered of a task's call, and forgets it. */
TL_INLINE u32 recall(struct ring *ring, u64 task, u32 nr)
{
	struct tl_retry *retry = find_retry(ring, task);
	if (!retry)
		return 0;
	u32 failed = retry->nr == nr ? retry->failed : 0;
	TL_PUBLISH(retry->task, 0);
	__sync_fetch_and_add(&ring->head.retries, -1);
	return failed;
}

#endif
