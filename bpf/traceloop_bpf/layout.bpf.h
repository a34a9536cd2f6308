/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The memory of a ring: the layout of the map's element. Programs of two versions work on the same rings while one
 * takes over from the other, so a change here or in record.h means new rings; see identity.py.
 */
#ifndef TRACELOOP_LAYOUT_BPF_H
#define TRACELOOP_LAYOUT_BPF_H

#include "record.h"

#define ROUND8(n) (((n) + 7) & ~7ULL)
#define FIXED_MAX (sizeof(struct tl_header) + 8 + 8 + 6 * 8) /* header, room or result, wide number, registers */
#define RECORD_MAX (FIXED_MAX + TL_CALL_MAX + sizeof(struct tl_item) + ROUND8(TL_ITEM_MAX + 2))
#define PREFIX (sizeof(struct tl_chunk) + sizeof(struct tl_base))

struct ring {
	struct tl_ring head;
	struct tl_cpu cpu[TL_CPUS];
	u64 scratch[TL_CPUS][TL_SCRATCH_SIZE / sizeof(u64)];
	struct tl_retry retries[TL_RETRIES];
	struct tl_area areas[TL_AREAS];
	u64 skip[TL_SKIP_WORDS];
	struct tl_totals totals[2 * TL_TOTALS]; /* of the native table, then of the 32-bit one; CPUs may share a set */
	u64 groups[TL_GROUPS];
	u32 seen[TL_SEEN];
	u8 firsts[TL_FIRSTS_SIZE + TL_SLACK];
	u8 runtime[TL_RUNTIME_SIZE + TL_SLACK];
	u8 data[TL_RING_SIZE + TL_SLACK];
};

_Static_assert(__builtin_offsetof(struct ring, data) == TL_DATA_OFFSET, "TL_DATA_OFFSET");
_Static_assert(RECORD_MAX <= TL_SLACK && PREFIX + RECORD_MAX <= TL_CHUNK_SIZE, "a record fits a chunk");
_Static_assert(sizeof(struct tl_base) + RECORD_MAX <= TL_SLACK, "a record fits an area's slack");

#endif
