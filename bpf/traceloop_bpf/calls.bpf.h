/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What a call's records have beside the memory that is captured by its rules: number, arguments, and what execve changes.
 */
#ifndef TRACELOOP_CALLS_BPF_H
#define TRACELOOP_CALLS_BPF_H

#include "layout.bpf.h"
#include "record.h"
#include "rules.h"
#include "scratch.bpf.h"
#include "verifier.h"
#include "writer.bpf.h"

/* tl_header.nr of a call */
TL_INLINE u16 short_number(u64 nr, u64 arguments, bool compat)
{
	return (nr < TL_NR_WIDE ? nr : TL_NR_WIDE) | arguments << TL_NR_ARGS_SHIFT | (compat ? TL_NR_COMPAT : 0);
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

/* When an execve has succeeded, the new memory has argv, the environment and the file's name, one after the other. */
TL_INLINE void take_arguments_of_new_program(struct scratch *s, const struct tl_call *call)
{
	u64 mm = read64(bpf_get_current_task() + TL_OFFSET_MM);
	u64 start = read64(mm + TL_OFFSET_ARG_START), argv = call->rules[TL_RULES + 1].arg;
	s->arg[argv & 7] = start;
	s->arg[(argv + 1) & 7] = read64(mm + TL_OFFSET_ARG_END) - start;
	s->arg[call->rules[TL_RULES].arg & 7] = read64(mm + TL_OFFSET_ENV_END);
}

#define NR_IO_URING_SETUP 425 /* and behind it io_uring_enter and io_uring_register, in every table of every machine */

/* What is done by way of an io_uring is no call. An instance may also come from elsewhere, as a descriptor. */
TL_INLINE void note_io_uring(struct ring *ring, u64 nr, s64 result)
{
	if (nr - NR_IO_URING_SETUP < 3 && result >= 0 && (nr == NR_IO_URING_SETUP || !ring->head.io_urings))
		__sync_fetch_and_add(&ring->head.io_urings, 1);
}

#endif
