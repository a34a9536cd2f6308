/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What is known of a capability that the kernel asks for in a call: whose it is, and whether the call has asked for it
 * before.
 */
#ifndef TRACELOOP_CAPABILITIES_BPF_H
#define TRACELOOP_CAPABILITIES_BPF_H

#ifdef TL_CAPABILITIES /* the kernel has the tracepoint */

#include TL_ARCH
#include "firsts.bpf.h"
#include "layout.bpf.h"
#include "marks.h"
#include "retries.bpf.h"
#include "rules.h"
#include "scratch.bpf.h"
#include "verifier.h"
#include "writer.bpf.h"

#define CAP_SYS_ADMIN 21
#define CAPABILITIES_MAX 44 /* more than Linux 6.18 has; what is left of 64 bits knows a call */
#define NR_CLONE3 435
#define CLONE_NEW 0x7e020080 /* CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define NO_CALL (-1)

struct asked {
	u64 number;
	u64 granted;
	u64 nr; /* of the call; NO_CALL: the thread is in none */
	u64 compat;
	u64 argument; /* the call's first */
};

/*
 * Returns whether the current thread's own credentials were asked, not those that the kernel uses in their place for a
 * while (override_creds: a layer of overlayfs, access(2)), and not another task's.
 */
TL_INLINE bool are_its_own(u64 cred)
{
	return *(volatile u64 *)(tl_current_task() + TL_OFFSET_REAL_CRED) == cred;
}

/*
 * Finds out which call the current thread is in, which it has entered at position `entered` * 8; 0: none. A worker of
 * io_uring has the registers of the thread that made it. The scratch stays as it is, as the call's return needs it.
 */
TL_INLINE void find_asking_call(struct asked *it, u64 entered)
{
	it->nr = NO_CALL;
	if (!entered)
		return;
	u64 frame[TL_FRAME_WORDS], arg[6];
	tl_read_frame(frame, tl_registers_of(tl_current_task()));
	it->compat = tl_call_is_compat(frame) ? 1 : 0;
	it->nr = (s64)(s32)frame[F_NR];
	tl_frame_arguments(frame, arg, it->compat);
	it->argument = arg[0];
}

/*
 * Returns whether the question means nothing: the kernel asks for CAP_SYS_ADMIN wherever it accounts for memory, to leave
 * more to whoever has it (__vm_enough_memory).
 */
TL_INLINE bool is_of_accounting(const struct asked *it, const struct tl_call *call)
{
	if (it->number != CAP_SYS_ADMIN)
		return false;
	if (it->nr == (u64)NO_CALL) /* it touched a page */
		return true;
	if (!(call->flags & TL_CALL_ACCOUNTS))
		return false;
	u64 flags = call->flags & TL_CALL_FORKS ? it->argument : 0;
	if (flags && it->nr == NR_CLONE3)
		read_user(&flags, sizeof flags, (void *)it->argument); /* struct clone_args begins with them */
	return !(flags & CLONE_NEW);
}

/* Notes the capability among those that the container was asked for. */
TL_INLINE void note_capability(struct tl_cpu *cpu, const struct asked *it)
{
	u64 bit = 1ULL << (it->number & 63), *granted = &cpu->late[TL_GRANTED].pad,
	    *refused = &cpu->late[TL_REFUSED].pad;
	u64 *mask = it->granted ? granted : refused;
	if (!(*mask & bit))
		__sync_fetch_and_or(mask, bit);
}

/* Returns whether the call's like has not asked for it yet. */
TL_INLINE bool is_new_question(struct ring *ring, const struct asked *it)
{
	u64 hash = mixed(it->number << 1 | it->granted, ~(it->nr << 1 | it->compat));
	u64 place = place_of_seen(hash, false);
	u32 *seen = seen_at(ring, place, 0), print = hash >> 8 | 1;
	if (*seen == print || is_beside(ring, place, print, &seen) || !is_kept(ring, hash, NEW_MAX))
		return false;
	*seen = print;
	return true;
}

/*
 * Returns whether the call, entered at position `entered` * 8, has not been refused this capability yet: a walk along a
 * path may ask at each directory.
 */
TL_INLINE bool is_first_refusal(struct scratch *s, u64 number, u64 entered)
{
	u64 call = entered * 0x9e3779b97f4a7c15ULL & -1ULL << CAPABILITIES_MAX, bit = 1ULL << (number & 63);
	u64 refused = s->refused;
	if ((refused ^ call) >> CAPABILITIES_MAX)
		refused = call;
	s->refused = refused | bit;
	return !(refused & bit);
}

/* Makes the return of the current thread's call stand alone, as one that is new. */
TL_INLINE void ask_to_keep(struct ring *ring, const struct asked *it)
{
	u64 task = bpf_get_current_task();
	u32 why = (it->number << 1 | it->granted) + 1;
	struct tl_retry *retry = find_retry(ring, task);
	if (retry && retry->nr == (u32)it->nr) {
		retry->failed = (retry->failed & RETRY_ARGUMENTS) | why << RETRY_ASKED_SHIFT;
		return;
	}
	remember(ring, task, it->nr, why << RETRY_ASKED_SHIFT);
}

#endif
#endif
