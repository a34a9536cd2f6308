// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder: writes every system call, signal and exit of a registered cgroup into its container's ring.
 * What it writes is explained in record.h. Compiled by BCC; the loader gives, as -D:
 *
 *   TL_RING_SIZE TL_CHUNK_SIZE TL_CPUS    powers of two: bytes, bytes, CPUs
 *   TL_ITEM_MAX TL_CALL_MAX               most bytes of one item; no new item begins in a record beyond TL_CALL_MAX
 *   TL_SLACK TL_DATA_OFFSET               bytes behind the data, and before it
 *   TL_SLOTS TL_BELOW                     most rings, and cgroups below the containers' own
 *   TL_GENERATION                         the number of these programs, see `control`
 *   TL_OFFSET_...                         offsets in kernel structs, from BTF
 *   TL_PID_NAMESPACE                      the inode of the daemon's pid namespace
 */
#include "verifier.h"
#include "arch_x86_64.h"
#include "calls.bpf.h"
#include "capture.bpf.h"
#include "layout.bpf.h"
#include "record.h"
#include "retries.bpf.h"
#include "rules.h"
#include "scratch.bpf.h"
#include "threads.bpf.h"
#include "writer.bpf.h"

/* BCC rewrites what is done with maps in this file alone, so all of that is here. */
/*
 * Without BTF, as the rings are that user space makes: before Linux 6.2 a map with BTF and one without count as unlike
 * (bpf_map_meta_equal: their timer_off differs), and a map of maps made from the one refuses the other.
 */
#undef BPF_ANNOTATE_KV_PAIR
#define BPF_ANNOTATE_KV_PAIR(name, key, value)

BPF_F_TABLE("array", u32, struct ring, ring_template, 1, BPF_F_MMAPABLE);
BPF_ARRAY_OF_MAPS(rings, "ring_template", TL_SLOTS);
BPF_F_TABLE("array", int, u64, cgroup_front, TL_FRONT_MASK + 1, BPF_F_MMAPABLE);
BPF_HASH(cgroups, u64, u32, TL_SLOTS);
BPF_HASH(below, u64, u32, TL_BELOW);
/*
 * Which generation of programs records: 2 * its number. One more: it hands over to the next one, which is attached behind
 * it and so runs after it. From then on it only marks on each CPU that it left an event to the next, which takes no other:
 * the event in which a CPU first sees the change is recorded once.
 */
BPF_F_TABLE("array", int, u64, control, 1, BPF_F_MMAPABLE);
BPF_ARRAY(calls, struct tl_call, 2 * TL_CALLS + TL_VARIANTS);
/* a call's place in `calls` << 32 | its selecting argument -> its variant's place there */
BPF_HASH(variants, u64, u32, TL_VARIANTS);

TL_INLINE bool is_handed_over(struct ring *ring, u64 whose)
{
	struct tl_cpu *cpu = &ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	if (whose == 2 * TL_GENERATION + 1)
		cpu->handed_over = TL_GENERATION;
	return whose == 2 * TL_GENERATION - 1 && cpu->handed_over == TL_GENERATION - 1;
}

/* The ring in a slot, if it is this generation that records now. */
TL_INLINE struct ring *ring_in(int slot)
{
	int only = 0;
	u64 *turn = control.lookup(&only);
	void *map = rings.lookup(&slot);
	if (!turn || !map)
		return 0;
	struct ring *ring = bpf_map_lookup_elem(map, &only);
	u64 whose = *(volatile u64 *)turn;
	if (whose != 2 * TL_GENERATION && ring && !is_handed_over(ring, whose))
		return 0;
	return ring;
}

TL_INLINE u32 *slot_of_cgroup(u64 id)
{
	u32 *slot = cgroups.lookup(&id);
	return slot ? slot : below.lookup(&id);
}

TL_INLINE struct ring *ring_of_cgroup(u64 id)
{
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (!front)
		return 0;
	u64 word = *front;
	if (!word)
		return 0;
	int slot = word & TL_FRONT_MASK;
	if (!slot || (word ^ id) & ~TL_FRONT_MASK) {
		u32 *behind = slot_of_cgroup(id);
		if (!behind)
			return 0;
		slot = *behind;
	}
	return ring_in(slot);
}

/* The ring that has the data at a position of a larger one, whose `parts` are more than one; 0: there is none. */
TL_INLINE struct ring *part_at(struct ring *ring, u64 parts, u64 pos)
{
	u64 n = pos / TL_RING_SIZE & (parts - 1) & (TL_PARTS_MAX - 1);
	TL_OPAQUE(n);
	/* The keys lie in the ring: on the stack they would have the verifier take this for another way all along. */
	void *map = rings.lookup(&ring->head.part[n]);
	return map ? bpf_map_lookup_elem(map, &ring->head.zero) : 0;
}

TL_INLINE bool begin(struct writer *w, u64 bytes)
{
	if (!reserve(w, bytes))
		return false;
	struct ring *part = w->ring;
	if (w->parts > 1) {
		part = part_at(w->ring, w->parts, w->from); /* a chunk lies in one */
		if (!part) {
			give_up(w);
			return false;
		}
	}
	TL_OPAQUE(part);
	begin_in(w, part);
	return true;
}

TL_INLINE bool open_writer(struct writer *w, u64 bytes)
{
	w->ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w->ring)
		return false;
	w->cpu = &w->ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	return begin(w, bytes);
}

/* The rules of the call whose arguments are in s->frame. */
TL_INLINE struct tl_call *find_call(struct scratch *s, u64 nr, bool compat)
{
	if (nr >= TL_CALLS)
		nr = 0x1ff; /* beyond every table, and kept empty */
	int key = nr + (compat ? TL_CALLS : 0);
	struct tl_call *call = calls.lookup(&key);
	if (!call || !(call->flags & TL_CALL_SELECTED))
		return call;
	tl_frame_arguments(s->frame, s->arg, compat);
	u64 pick = (u64)key << 32 | (u32)s->arg[call->flags >> TL_SELECTOR_SHIFT & 7];
	u32 *variant = variants.lookup(&pick);
	if (!variant)
		return call;
	key = *variant;
	return calls.lookup(&key);
}

/* What the entry of a call begins with, and its exit: the ring, and the registers at `regs`; 0: it is not recorded. */
TL_INLINE struct scratch *open_call(struct writer *w, u64 regs)
{
	w->ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w->ring)
		return 0;
	u32 cpu = bpf_get_smp_processor_id() & (TL_CPUS - 1);
	w->cpu = &w->ring->cpu[cpu];
	struct scratch *s = scratch_of(w->ring, cpu);
	bpf_probe_read_kernel(s->frame, sizeof s->frame, (void *)(regs + TL_FRAME_OFFSET));
	return s;
}

int on_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	struct scratch *s = open_call(&w, ctx->args[0]);
	if (!s)
		return 0;
	u64 nr = ctx->args[1];
	bool compat = tl_call_is_compat();
	struct tl_call *call = find_call(s, nr, compat);
	if (!call || !begin(&w, FIXED_MAX + call->enter_bytes))
		return 0;

	u64 arguments = call->flags & TL_CALL_KNOWN ? call->arguments & 7 : 6;
	struct tl_header *header = start(&w, short_number(nr, arguments, compat));
	u64 *body = (u64 *)(header + 1);
	u64 length = sizeof *header + arguments * 8;
	if (nr >= TL_NR_WIDE) {
		*body++ = nr;
		length += 8;
	}
	tl_frame_arguments(s->frame, s->arg, compat);
	if (call->flags & TL_CALL_SIGRETURN)
		s->arg[0] = TL_FRAME_SAVED_MASK(s->frame);
	put_arguments(body, s);
	w.cpu->open_tid = w.tid_pid;

	if (call->enter_rules) {
		s->compat = compat;
		s->withheld = w.ring->head.withheld;
		read_at_entry(s, call);
		length = capture(s, header, length, call);
		u32 failed = s->failed;
		if (failed) {
			w.cpu->reread++;
			remember(w.ring, bpf_get_current_task(), nr, failed);
		}
	}
	finish(&w, header, length, TL_ENTER);
	return 0;
}

int on_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	struct scratch *s = open_call(&w, ctx->args[0]);
	if (!s)
		return 0;
	u64 nr = (s64)(s32)s->frame[F_NR]; /* as sys_enter is given it */
	s64 result = ctx->args[1];
	bool compat = tl_call_is_compat();
	struct tl_call *call = find_call(s, nr, compat);
	if (!call)
		return 0;

	u32 again = w.ring->head.retries ? recall(w.ring, bpf_get_current_task(), nr) : 0;
	note_io_uring(w.ring, nr, result);
	bool failed = result < 0 && result >= -4095;
	/* A call that seccomp refused has no entry: it failed, and what came last on this CPU was not its entry. */
	u64 arguments = 0;
	if (failed && w.cpu->open_tid != (u32)bpf_get_current_pid_tgid()) {
		arguments = call->flags & TL_CALL_KNOWN ? call->arguments & 7 : 6;
		again = 0xff;
	}
	w.cpu->open_tid = 0;
	if (!failed && call->flags & TL_CALL_EXEC)
		again = 0;
	if (!begin(&w, FIXED_MAX + call->exit_bytes + (again ? call->enter_bytes : 0)))
		return 0;

	struct tl_header *header = start(&w, short_number(nr, arguments, compat));
	u64 *body = (u64 *)(header + 1);
	u64 length = sizeof *header + 8;
	if (nr >= TL_NR_WIDE) {
		*body++ = nr;
		length += 8;
	}
	*body++ = result;
	u64 exit_rules = failed && !(call->flags & TL_CALL_OUT_ON_FAILURE) ? 0 : call->exit_rules;
	if (exit_rules || again) {
		tl_frame_arguments(s->frame, s->arg, compat);
		if (!failed && call->flags & TL_CALL_EXEC)
			take_arguments_of_new_program(s, call);
		if (arguments) {
			put_arguments(body, s);
			length += arguments * 8;
		}
		s->compat = compat;
		s->withheld = w.ring->head.withheld;
		read_at_exit(s, call, again, exit_rules, failed ? 0 : result);
		length = capture(s, header, length, call);
		if (s->failed)
			w.cpu->unread++;
	}
	finish(&w, header, length, TL_EXIT);
	return 0;
}

int on_signal_deliver(struct bpf_raw_tracepoint_args *ctx) /* (int sig, struct kernel_siginfo *, struct k_sigaction *) */
{
	struct writer w = {};
	if (!open_writer(&w, sizeof(struct tl_signal)))
		return 0;
	struct tl_signal *record = (struct tl_signal *)start(&w, ctx->args[0]);
	/* A task that is being killed has no siginfo of its own (the pointer is 0 or 1): zeros say so. */
	bpf_probe_read_kernel(record->siginfo, sizeof record->siginfo, (void *)ctx->args[1]);
	/* struct sigaction begins with sa_handler and sa_flags */
	bpf_probe_read_kernel(&record->handler, 2 * sizeof(u64), (void *)ctx->args[2]);
	finish(&w, &record->header, sizeof *record, TL_SIGNAL);
	return 0;
}

TL_INLINE u64 id_of(u64 cgroup)
{
	return read64(read64(cgroup + TL_OFFSET_CGROUP_KN) + TL_OFFSET_KN_ID);
}

#define TRACE_SIGNAL_DELIVERED 0 /* include/trace/events/signal.h: it was neither ignored nor pending already */

/* (int sig, struct kernel_siginfo *, struct task_struct *, int group, int result), in the sender, or an interrupt */
int on_signal_generate(struct bpf_raw_tracepoint_args *ctx)
{
	u64 number = ctx->args[0], info = ctx->args[1], task = ctx->args[2];
	if (ctx->args[4] != TRACE_SIGNAL_DELIVERED)
		return 0;
	if (!is_killed_by(task, number))
		return 0;
	struct writer w = {};
	w.ring = ring_of_cgroup(id_of(read64(read64(task + TL_OFFSET_CGROUPS) + TL_OFFSET_DFL_CGRP)));
	if (!w.ring)
		return 0;
	w.cpu = &w.ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	w.task = task;
	if (!begin(&w, sizeof(struct tl_signal_sent)))
		return 0;
	struct tl_signal_sent *record = (struct tl_signal_sent *)start(&w, number);
	fill_signal_sent(record, number, info, task);
	finish(&w, &record->header, sizeof *record, TL_SIGNAL_SENT);
	return 0;
}

int on_process_exit(struct bpf_raw_tracepoint_args *ctx) /* (struct task_struct *, [bool group_dead]) */
{
	u64 task = ctx->args[0];
	struct writer w = {};
	w.ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w.ring)
		return 0;
	if (w.ring->head.retries)
		recall(w.ring, task, 0);
	w.cpu = &w.ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
#ifdef TL_GROUP_DEAD_IS_ARGUMENT
	u32 group_dead = ctx->args[1];
#else /* two threads that end at once may both see themselves the last */
	u32 group_dead = !read32(read64(task + TL_OFFSET_SIGNAL) + TL_OFFSET_LIVE);
#endif
	u32 code = exit_code_of(task, group_dead);
	if (group_dead)
		note_exit(w.ring, task, code);
	if (!begin(&w, sizeof(struct tl_task_exit)))
		return 0;
	struct tl_task_exit *record = (struct tl_task_exit *)start(&w, 0);
	record->code = code;
	record->group_dead = group_dead;
	finish(&w, &record->header, sizeof *record, TL_TASK_EXIT);
	return 0;
}

/* The new name is not in place yet; the thread's next record comes behind a base that has it. */
int on_task_rename(struct bpf_raw_tracepoint_args *ctx)
{
	struct ring *ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (ring)
		__sync_fetch_and_add(&ring->head.renames, 1);
	return 0;
}

TL_INLINE bool is_v2(u64 cgroup)
{
	/* 0 is the hierarchy of cgroup2: the "0::" of /proc/PID/cgroup */
	return read32(read64(cgroup + TL_OFFSET_CGROUP_ROOT) + TL_OFFSET_HIERARCHY_ID) == 0;
}

/* A child of a recorded cgroup belongs to the same container. */
int on_cgroup_mkdir(struct bpf_raw_tracepoint_args *ctx) /* (struct cgroup *, const char *path) */
{
	u64 cgroup = ctx->args[0];
	if (!is_v2(cgroup))
		return 0;
	u64 parent = read64(cgroup + TL_OFFSET_CGROUP_PARENT); /* its css */
	if (!parent)
		return 0;
	u64 parent_id = id_of(parent - TL_OFFSET_CGROUP_SELF), id = id_of(cgroup);
	u32 *slot = slot_of_cgroup(parent_id);
	if (!slot)
		return 0;
	u32 same = *slot;
	struct ring *ring = ring_in(same);
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (!ring || !front)
		return 0;
	/* One at a time is here, under the kernel's cgroup_mutex. */
	if (ring->head.below >= TL_BELOW_SHARE || below.update(&id, &same)) {
		ring->head.left_out++;
		return 0;
	}
	ring->head.below++;
	*front = (id & ~TL_FRONT_MASK) | same;
	return 0;
}

int on_cgroup_rmdir(struct bpf_raw_tracepoint_args *ctx)
{
	u64 cgroup = ctx->args[0];
	if (!is_v2(cgroup))
		return 0;
	u64 id = id_of(cgroup);
	u32 *slot = below.lookup(&id);
	if (slot) {
		struct ring *ring = ring_in(*slot);
		if (!ring)
			return 0;
		if (ring->head.below) /* user space may have entered it */
			ring->head.below--;
		below.delete(&id);
	} else if (cgroups.delete(&id)) {
		return 0;
	}
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	/* Others may have collided with it: the hash is asked until user space sweeps. */
	if (front && !((*front ^ id) & ~TL_FRONT_MASK))
		*front = TL_FRONT_LOOK_BEHIND;
	return 0;
}
