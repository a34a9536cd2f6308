/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The parts of a call's records that no rule describes: its number and registers, and what execve changes.
 */
#ifndef TRACELOOP_CALLS_BPF_H
#define TRACELOOP_CALLS_BPF_H

#include "layout.bpf.h"
#include "record.h"
#include "rules.h"
#include "scratch.bpf.h"
#include "verifier.h"
#include "writer.bpf.h"

/* Packs tl_header.nr of a call. */
TL_INLINE u16 short_number(u64 nr, u64 arguments, bool compat)
{
	return (nr < TL_NR_WIDE ? nr : TL_NR_WIDE) | arguments << TL_NR_ARGS_SHIFT | (compat ? TL_NR_COMPAT : 0);
}

/*
 * A thread's places in `entered`, one of which holds its number while it is in a call: the first, unless another thread
 * that waits in a call has it, whose number differs above bit 15; then the second, and so on. Such threads do not share
 * the other places. Threads with neighbouring numbers often run on different CPUs, so their places (8 bytes) are two
 * cache lines apart.
 */
#define TL_ENTERED_PLACES 0x10000
#define TL_ENTERED_TRIES 4

TL_INLINE int place_of_entered(u32 tid, u32 n)
{
	u32 at = n ? tid ^ tid >> 16 ^ n << 14 : tid;
	return (at & 0xfff) << 4 | (at >> 12 & 0xf);
}

/* Returns how many registers a call's record has. */
TL_INLINE u64 count_of_arguments(const struct tl_call *call)
{
	return call->flags & TL_CALL_KNOWN ? call->arguments & 7 : 6;
}

/* Returns the most bytes that the items of a call's entry take. */
TL_INLINE u64 bytes_at_entry(const struct scratch *s, const struct tl_call *call)
{
	u64 bytes = call->enter_bytes;
	if (call->flags & TL_CALL_LONG && (u32)s->arg[0] == 2)
		bytes += TL_LONG_MAX + (TL_LONG_MAX / TL_ITEM_MAX + 1) * sizeof(struct tl_item);
	return bytes < RECORD_MAX - FIXED_MAX ? bytes : RECORD_MAX - FIXED_MAX;
}

TL_INLINE void put_arguments(u64 *body, const struct scratch *s)
{
	body[0] = s->arg[0];
	body[1] = s->arg[1];
	body[2] = s->arg[2];
	body[3] = s->arg[3];
	body[4] = s->arg[4];
	body[5] = s->arg[5];
}

/* After a successful execve the new memory holds argv, the environment and the file's name, one after the other. */
TL_INLINE void take_arguments_of_new_program(struct scratch *s, const struct tl_call *call)
{
	u64 mm = read64(bpf_get_current_task() + TL_OFFSET_MM);
	u64 start = read64(mm + TL_OFFSET_ARG_START), argv = call->rules[TL_RULES + 1].arg;
	s->arg[argv & 7] = start;
	s->arg[(argv + 1) & 7] = read64(mm + TL_OFFSET_ARG_END) - start;
	s->arg[call->rules[TL_RULES].arg & 7] = read64(mm + TL_OFFSET_ENV_END);
}

#define NR_IO_URING_SETUP 425 /* then io_uring_enter and io_uring_register, in every table of every architecture */

/*
 * Counts instances of io_uring where the kernel has no tracepoints for their requests. An instance may also be a
 * descriptor from another process.
 */
TL_INLINE void note_io_uring(struct ring *ring, u64 nr, s64 result)
{
#ifndef TL_URING
	if (nr - NR_IO_URING_SETUP < 3 && result >= 0 && (nr == NR_IO_URING_SETUP || !ring->head.io_urings))
		__sync_fetch_and_add(&ring->head.io_urings, 1);
#endif
}

#endif
