// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder: writes every system call, signal and exit of a registered cgroup into its container's ring.
 * What it writes is explained in record.h. Compiled by BCC; the loader gives, as -D:
 *
 *   TL_RING_SIZE TL_CHUNK_SIZE TL_CPUS    powers of two: bytes, bytes, CPUs
 *   TL_ITEM_MAX TL_CALL_MAX               most bytes of one item; no new item begins in a record beyond TL_CALL_MAX
 *   TL_SLACK TL_DATA_OFFSET               bytes behind the data, and before it
 *   TL_SLOTS TL_CGROUPS                   most rings and cgroups
 *   TL_OFFSET_...                         offsets in kernel structs, from BTF
 *
 * The verifier shapes some of the code. LLVM likes to test one register and use another: TL_OPAQUE before a
 * comparison keeps them the same. Linux 6.1 learns nothing from `!=`, so bounds are tested with `<` and `>`.
 */
#define TL_INLINE static inline __attribute__((always_inline))
#define TL_OPAQUE(x) asm volatile("" : "+r"(x))
#define TL_BARRIER() asm volatile("" ::: "memory")

#include "record.h"
#include "arch_x86_64.h"

#define ROUND8(n) (((n) + 7) & ~7ULL)
#define FIXED_MAX (sizeof(struct tl_header) + 8 + 8 + 6 * 8) /* header, wide number, result, registers */
#define RECORD_MAX (FIXED_MAX + TL_CALL_MAX + sizeof(struct tl_item) + ROUND8(TL_ITEM_MAX + 2))
#define PREFIX (sizeof(struct tl_chunk) + sizeof(struct tl_base))
#define ROUNDS 40 /* most items and steps of one call */

struct message { /* struct user_msghdr */
	u64 name;
	u32 name_length, pad;
	u64 iov, iov_count;
	u64 control, control_length;
	u64 flags;
};

/* What capture() keeps in map memory, where the verifier sees unknown numbers in every round and so checks one. */
struct scratch {
	u64 arg[8]; /* [TL_LENGTH_RESULT], [TL_LENGTH_ONE] */
	u64 frame[TL_FRAME_WORDS];
	u64 length;       /* of the record so far */
	u64 rule, end;    /* next rule, and where to stop */
	u64 exit_end;     /* where to stop after the entry rules are read again at exit */
	u64 wanted;       /* bit per argument */
	u64 failed;       /* bit per argument that could not be read */
	u64 list;         /* tl_kind of the list that is being walked; 0: none */
	u64 list_at, list_count, list_next;
	u64 list_left;    /* bytes that the call moved and that no element has shown yet */
	u64 list_arg, list_out;
	u64 result;
	struct message message;
	u64 pad[4];
};

struct ring {
	struct tl_ring head;
	struct tl_cpu cpu[TL_CPUS];
	struct scratch scratch[TL_CPUS];
	u8 data[TL_RING_SIZE + TL_SLACK];
};

_Static_assert(sizeof(struct scratch) == TL_SCRATCH_SIZE, "TL_SCRATCH_SIZE");
_Static_assert(__builtin_offsetof(struct ring, data) == TL_DATA_OFFSET, "TL_DATA_OFFSET");
_Static_assert(RECORD_MAX <= TL_SLACK && PREFIX + RECORD_MAX <= TL_CHUNK_SIZE, "a record fits a chunk");

BPF_F_TABLE("array", u32, struct ring, ring_template, 1, BPF_F_MMAPABLE);
BPF_ARRAY_OF_MAPS(rings, "ring_template", TL_SLOTS);
BPF_F_TABLE("array", int, u64, cgroup_front, TL_FRONT_MASK + 1, BPF_F_MMAPABLE);
BPF_HASH(cgroups, u64, u32, TL_CGROUPS);
BPF_ARRAY(calls, struct tl_call, 2 * TL_CALLS);
/* struct task_struct * of a call in flight -> bit per argument to read again at its exit */
BPF_HASH(retries, u64, u32, 4096);

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
		u32 *behind = cgroups.lookup(&id);
		if (!behind)
			return 0;
		slot = *behind;
	}
	void *map = rings.lookup(&slot);
	if (!map)
		return 0;
	int only = 0;
	return bpf_map_lookup_elem(map, &only);
}

TL_INLINE struct tl_header *header_at(struct ring *ring, u64 pos)
{
	u64 offset = pos & (TL_RING_SIZE - 1) & ~7ULL;
	TL_OPAQUE(offset);
	return (struct tl_header *)(ring->data + offset);
}

TL_INLINE void stamp(struct ring *ring, struct tl_header *header, u64 pos)
{
	TL_PUBLISH(header->stamp, (u32)(pos >> 3) ^ ring->head.cookie);
}

#define LENGTH_TYPE(bytes, type) ((bytes) >> 3 | (type) << TL_LENGTH_BITS)

/* A CPU's way from one record to the next. */
struct writer {
	struct ring *ring;
	struct tl_cpu *cpu;
	u64 from; /* first position written */
	u64 pos;  /* of the record */
	u64 tid_pid;
	u64 now_ns;
};

/* Finds room for a record of at most `bytes`, behind a new chunk and base where one is due. False: not recorded. */
TL_INLINE bool begin(struct writer *w, u64 bytes)
{
	struct ring *ring = w->ring;
	struct tl_cpu *cpu = w->cpu;
	if (cpu->busy) { /* a program on this CPU was interrupted in the middle of a record */
		cpu->dropped++;
		return false;
	}
	TL_PUBLISH(cpu->busy, cpu->pos + 1);
	w->tid_pid = bpf_get_current_pid_tgid();
	w->now_ns = bpf_ktime_get_boot_ns();

	u64 pos = cpu->pos, end = cpu->end, head = *(volatile u64 *)&ring->head.head;
	u32 renames = ring->head.renames;
	bool chunk = false;
	/* A new chunk where this one is full, or so old that the others are about to lap it. */
	if (pos + bytes + PREFIX > end || head - pos > TL_RING_SIZE - 2 * TL_CHUNK_SIZE) {
		pos = __sync_fetch_and_add(&ring->head.head, TL_CHUNK_SIZE);
		TL_PUBLISH(cpu->busy, pos + 1);
		TL_PUBLISH(cpu->pos, pos);
		TL_PUBLISH(cpu->end, pos + TL_CHUNK_SIZE);
		chunk = true;
	}
	w->from = pos;
	if (chunk) {
		struct tl_chunk *c = (struct tl_chunk *)header_at(ring, pos);
		c->header.tid = 0;
		c->header.delta_ns = 0;
		c->header.nr = 0;
		c->header.length_type = LENGTH_TYPE(sizeof *c, TL_CHUNK);
		c->records = cpu->records;
		c->events = cpu->events;
		c->cpu = bpf_get_smp_processor_id();
		c->pad = 0;
		stamp(ring, &c->header, pos);
		pos += sizeof *c;
	}
	if (chunk || cpu->tid != (u32)w->tid_pid || cpu->renames != renames || w->now_ns - cpu->base_ns > 0xffffffffULL) {
		struct tl_base *b = (struct tl_base *)header_at(ring, pos);
		b->header.tid = w->tid_pid;
		b->header.delta_ns = w->tid_pid >> 32;
		b->header.nr = 0;
		b->header.length_type = LENGTH_TYPE(sizeof *b, TL_BASE);
		b->ts_ns = w->now_ns;
		bpf_get_current_comm(b->comm, sizeof b->comm);
		cpu->tid = w->tid_pid;
		cpu->renames = renames;
		cpu->base_ns = w->now_ns;
		stamp(ring, &b->header, pos);
		pos += sizeof *b;
	}
	w->pos = pos;
	return true;
}

/* Publishes the record of `bytes` bytes, and says so if the ring has been lapped meanwhile. */
TL_INLINE void finish(struct writer *w, struct tl_header *header, u64 bytes, u32 type, u16 nr)
{
	struct ring *ring = w->ring;
	struct tl_cpu *cpu = w->cpu;
	header->tid = w->tid_pid;
	header->delta_ns = w->now_ns - cpu->base_ns;
	header->nr = nr;
	header->length_type = LENGTH_TYPE(bytes, type);
#ifdef TL_TEST_STALL
	if (bpf_get_smp_processor_id() == 0 && (bpf_get_prandom_u32() & 2047) == 0) {
#pragma clang loop unroll(disable)
		for (int i = 0; i < TL_TEST_STALL; i++)
			bpf_ktime_get_ns();
	}
#endif
	stamp(ring, header, w->pos);
	cpu->records++;
	if (type != TL_EXIT)
		cpu->events++;
	TL_PUBLISH(cpu->pos, w->pos + bytes);
	u64 head = *(volatile u64 *)&ring->head.head;
	if (head - w->from > TL_RING_SIZE - TL_CHUNK_SIZE) {
		u64 n = cpu->late_count;
		TL_OPAQUE(n);
		n &= TL_LATE - 1;
		cpu->late[n].from = w->from;
		cpu->late[n].to = w->pos + bytes;
		cpu->late[n].head = head;
		TL_BARRIER();
		cpu->late_count++;
	}
	TL_PUBLISH(cpu->busy, 0);
}

TL_INLINE bool open_writer(struct writer *w, u64 bytes)
{
	w->ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w->ring)
		return false;
	w->cpu = &w->ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	return begin(w, bytes);
}

/*
 * Appends an item for each pointer argument, by the call's rules: a flat work list. A rule is one item, or starts a
 * list, whose elements then are items.
 */
TL_INLINE void capture(struct scratch *s, u8 *data, u64 start, struct tl_call *call)
{
	s->list = 0;
#pragma clang loop unroll(disable)
	for (int round = 0; round < ROUNDS; round++) {
		u64 length = s->length, from, size, seen;
		TL_OPAQUE(length);
		if (length > FIXED_MAX + TL_CALL_MAX)
			break;
		u64 offset = start + length;
		TL_OPAQUE(offset);
		struct tl_item *item = (struct tl_item *)(data + offset);

		if (!s->list) {
			u64 n = s->rule;
			if (n >= s->end) {
				if (!s->exit_end)
					break;
				s->rule = TL_RULES;
				s->end = s->exit_end;
				s->exit_end = 0;
				s->wanted = 0xff;
				s->list_out = TL_ITEM_OUT;
				s->arg[TL_LENGTH_RESULT] = s->result;
				continue;
			}
			TL_OPAQUE(n);
			if (n > 2 * TL_RULES - 1)
				break;
			struct tl_rule *rule = &call->rules[n];
			s->rule = n + 1;
			u64 arg = rule->arg & 7, kind = rule->kind;
			from = s->arg[arg];
			if (!from || !(s->wanted >> arg & 1))
				continue;
			size = s->arg[rule->length & 7];
			s->list_arg = arg;
			item->arg = arg;
			item->kind = kind | s->list_out;
			if (kind == TL_KIND_STRING)
				goto string;
			if (kind == TL_KIND_BUFFER) {
				size *= rule->scale;
				seen = size;
				goto buffer;
			}
			if (kind == TL_KIND_LENGTH) {
				u32 there = 0;
				bpf_probe_read_user(&there, sizeof there, (void *)size);
				seen = size = there;
				goto buffer;
			}
			s->list_at = from;
			s->list_count = size;
			s->list_next = 0;
			s->list_left = s->arg[TL_LENGTH_RESULT];
			s->list = kind;
			if (kind == TL_KIND_MSG) {
				if (bpf_probe_read_user(&s->message, sizeof s->message, (void *)from)) {
					s->list = 0;
					s->message.iov_count = 0;
				}
				seen = size = sizeof s->message;
				goto buffer;
			}
			continue;
		}

		u64 n = s->list_next;
		s->list_next = n + 1;
		if (s->list == TL_KIND_MSG) {
			item->kind = TL_KIND_BUFFER | s->list_out;
			if (n == 0) {
				item->arg = s->list_arg | TL_SUB_NAME << TL_ITEM_SUB_SHIFT;
				from = s->message.name;
				seen = size = s->message.name_length;
			} else if (n == 1) {
				item->arg = s->list_arg | TL_SUB_CONTROL << TL_ITEM_SUB_SHIFT;
				from = s->message.control;
				seen = size = s->message.control_length;
			} else {
				s->list = TL_KIND_IOVEC;
				s->list_next = 0;
				s->list_at = s->message.iov;
				s->list_count = s->message.iov_count;
				continue;
			}
			if (!from)
				continue;
			goto buffer;
		}
		item->arg = s->list_arg | n << TL_ITEM_SUB_SHIFT;
		if (s->list == TL_KIND_ARGV) {
			u64 fault = bpf_probe_read_user(&from, sizeof from, (void *)(s->list_at + n * 8)) ? TL_ITEM_FAULT : 0;
			if (fault || !from || n >= TL_SUB_MAX) { /* the list's end is an item too: without one it was cut */
				item->kind = TL_KIND_ARGV | s->list_out | fault | (!fault && from ? TL_ITEM_MORE : 0);
				item->copied = 0;
				item->size = n;
				s->length = length + sizeof *item;
				if (fault)
					s->failed |= 1ULL << (s->list_arg & 7);
				s->list = 0;
				continue;
			}
			item->kind = TL_KIND_STRING | s->list_out;
			goto string;
		}
		/* TL_KIND_IOVEC */
		u64 left = s->list_left;
		struct { u64 base, length; } iov;
		if (n >= s->list_count || n >= TL_SUB_MAX || !left) {
			s->list = 0;
			continue;
		}
		item->kind = TL_KIND_BUFFER | s->list_out;
		if (bpf_probe_read_user(&iov, sizeof iov, (void *)(s->list_at + n * sizeof iov))) {
			item->kind = TL_KIND_IOVEC | s->list_out | TL_ITEM_FAULT;
			item->copied = 0;
			item->size = 0;
			s->length = length + sizeof *item;
			s->failed |= 1ULL << (s->list_arg & 7);
			s->list = 0;
			continue;
		}
		from = iov.base;
		size = iov.length;
		seen = size < left ? size : left;
		s->list_left = left - seen;

buffer: {
			u64 copied = seen;
			if (copied > TL_ITEM_MAX)
				copied = TL_ITEM_MAX;
			TL_OPAQUE(copied);
			if (copied > TL_ITEM_MAX)
				copied = TL_ITEM_MAX;
			u8 flags = seen > TL_ITEM_MAX ? TL_ITEM_MORE : 0;
			if (bpf_probe_read_user(item + 1, copied, (void *)from)) {
				/* Up to the page's end: the next one may not be there. */
				u64 rest = 4096 - (from & 4095);
				flags = TL_ITEM_FAULT;
				s->failed |= 1ULL << (s->list_arg & 7);
				if (rest < copied)
					copied = rest;
				TL_OPAQUE(copied);
				if (copied > TL_ITEM_MAX)
					copied = TL_ITEM_MAX;
				if (bpf_probe_read_user(item + 1, copied, (void *)from))
					copied = 0;
			}
			item->kind |= flags;
			item->copied = copied;
			item->size = size > 0xffffffffULL ? 0xffffffff : size;
			s->length = length + ROUND8(sizeof *item + copied);
			continue;
		}
string: {
			/* Two bytes more than are kept: one for the NUL, one that tells a longer string. */
			long got = bpf_probe_read_user_str(item + 1, TL_ITEM_MAX + 2, (void *)from);
			u64 copied = got > 0 ? got - 1 : 0; /* "" gives 0 up to 6.1 and 1 since */
			u8 flags = 0;
			if (got < 0) {
				flags = TL_ITEM_FAULT;
				s->failed |= 1ULL << (s->list_arg & 7);
			}
			item->size = copied;
			if (copied > TL_ITEM_MAX) {
				copied = TL_ITEM_MAX;
				flags = TL_ITEM_MORE;
			}
			TL_OPAQUE(copied);
			if (copied > TL_ITEM_MAX)
				copied = TL_ITEM_MAX;
			item->kind |= flags;
			item->copied = copied;
			s->length = length + ROUND8(sizeof *item + copied);
		}
	}
}

TL_INLINE struct tl_call *find_call(u64 nr, bool compat)
{
	if (nr >= TL_CALLS)
		nr = 0x1ff; /* beyond every table, and kept empty */
	int key = nr + (compat ? TL_CALLS : 0);
	return calls.lookup(&key);
}

TL_INLINE u64 recorded_length(u64 length)
{
	TL_OPAQUE(length);
	if (length > RECORD_MAX)
		length = RECORD_MAX;
	return length;
}

int on_sys_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	w.ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w.ring)
		return 0;
	u32 cpu = bpf_get_smp_processor_id() & (TL_CPUS - 1);
	w.cpu = &w.ring->cpu[cpu];
	struct scratch *s = &w.ring->scratch[cpu];
	bpf_probe_read_kernel(s->frame, sizeof s->frame, (void *)(ctx->args[0] + TL_FRAME_OFFSET));
	u64 nr = ctx->args[1];
	bool compat = tl_frame_is_compat(s->frame);
	struct tl_call *call = find_call(nr, compat);
	if (!call || !begin(&w, FIXED_MAX + call->enter_bytes))
		return 0;

	u64 offset = w.pos & (TL_RING_SIZE - 1) & ~7ULL;
	TL_OPAQUE(offset);
	struct tl_header *header = (struct tl_header *)(w.ring->data + offset);
	u64 *body = (u64 *)(header + 1);
	u64 arguments = call->flags & TL_CALL_KNOWN ? call->arguments & 7 : 6;
	u64 length = sizeof *header + arguments * 8;
	u16 short_nr = nr | arguments << TL_NR_ARGS_SHIFT | (compat ? TL_NR_COMPAT : 0);
	if (nr >= TL_NR_WIDE) {
		short_nr = TL_NR_WIDE | arguments << TL_NR_ARGS_SHIFT | (compat ? TL_NR_COMPAT : 0);
		*body++ = nr;
		length += 8;
	}
	tl_frame_arguments(s->frame, s->arg, compat);
	body[0] = s->arg[0];
	body[1] = s->arg[1];
	body[2] = s->arg[2];
	body[3] = s->arg[3];
	body[4] = s->arg[4];
	body[5] = s->arg[5];
	w.cpu->open_tid = w.tid_pid;

	if (call->enter_rules) {
		s->arg[TL_LENGTH_RESULT] = ~0ULL;
		s->arg[TL_LENGTH_ONE] = 1;
		s->length = length;
		s->rule = 0;
		s->end = call->enter_rules;
		s->exit_end = 0;
		s->wanted = 0xff;
		s->failed = 0;
		s->list_out = 0;
		capture(s, w.ring->data, offset, call);
		length = recorded_length(s->length);
		u32 failed = s->failed;
		if (failed) {
			u64 task = bpf_get_current_task();
			if (!retries.update(&task, &failed))
				__sync_fetch_and_add(&w.ring->head.retries, 1);
		}
	}
	finish(&w, header, length, TL_ENTER, short_nr);
	return 0;
}

int on_sys_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct writer w = {};
	w.ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w.ring)
		return 0;
	u32 cpu = bpf_get_smp_processor_id() & (TL_CPUS - 1);
	w.cpu = &w.ring->cpu[cpu];
	struct scratch *s = &w.ring->scratch[cpu];
	bpf_probe_read_kernel(s->frame, sizeof s->frame, (void *)(ctx->args[0] + TL_FRAME_OFFSET));
	u64 nr = s->frame[F_NR];
	s64 result = ctx->args[1];
	bool compat = tl_frame_is_compat(s->frame);
	struct tl_call *call = find_call(nr, compat);
	if (!call)
		return 0;

	u32 again = 0;
	if (w.ring->head.retries) {
		u64 task = bpf_get_current_task();
		u32 *failed = retries.lookup(&task);
		if (failed) {
			again = *failed;
			retries.delete(&task);
			__sync_fetch_and_add(&w.ring->head.retries, -1);
		}
	}
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

	u64 offset = w.pos & (TL_RING_SIZE - 1) & ~7ULL;
	TL_OPAQUE(offset);
	struct tl_header *header = (struct tl_header *)(w.ring->data + offset);
	u64 *body = (u64 *)(header + 1);
	u64 length = sizeof *header + 8;
	u16 short_nr = nr | arguments << TL_NR_ARGS_SHIFT | (compat ? TL_NR_COMPAT : 0);
	if (nr >= TL_NR_WIDE) {
		short_nr = TL_NR_WIDE | arguments << TL_NR_ARGS_SHIFT | (compat ? TL_NR_COMPAT : 0);
		*body++ = nr;
		length += 8;
	}
	*body++ = result;
	u64 exit_rules = failed ? 0 : call->exit_rules;
	if (exit_rules || again) {
		tl_frame_arguments(s->frame, s->arg, compat);
		if (arguments) {
			body[0] = s->arg[0];
			body[1] = s->arg[1];
			body[2] = s->arg[2];
			body[3] = s->arg[3];
			body[4] = s->arg[4];
			body[5] = s->arg[5];
			length += arguments * 8;
		}
		s->result = result;
		s->arg[TL_LENGTH_RESULT] = again ? ~0ULL : result;
		s->arg[TL_LENGTH_ONE] = 1;
		s->length = length;
		s->rule = again ? 0 : TL_RULES;
		s->end = again ? call->enter_rules : TL_RULES + exit_rules;
		s->exit_end = again && exit_rules ? TL_RULES + exit_rules : 0;
		s->wanted = again ? again : 0xff;
		s->failed = 0;
		s->list_out = again ? 0 : TL_ITEM_OUT;
		capture(s, w.ring->data, offset, call);
		length = recorded_length(s->length);
	}
	finish(&w, header, length, TL_EXIT, short_nr);
	return 0;
}

int on_signal_deliver(struct bpf_raw_tracepoint_args *ctx) /* (int sig, struct kernel_siginfo *, struct k_sigaction *) */
{
	struct writer w = {};
	if (!open_writer(&w, sizeof(struct tl_signal)))
		return 0;
	struct tl_signal *record = (struct tl_signal *)header_at(w.ring, w.pos);
	/* A task that is being killed has no siginfo of its own (the pointer is 0 or 1): zeros say so. */
	bpf_probe_read_kernel(record->siginfo, sizeof record->siginfo, (void *)ctx->args[1]);
	/* struct sigaction begins with sa_handler and sa_flags */
	bpf_probe_read_kernel(&record->handler, 2 * sizeof(u64), (void *)ctx->args[2]);
	finish(&w, &record->header, sizeof *record, TL_SIGNAL, ctx->args[0]);
	return 0;
}

TL_INLINE u32 read32(u64 at)
{
	u32 value = 0;
	bpf_probe_read_kernel(&value, sizeof value, (void *)at);
	return value;
}

TL_INLINE u64 read64(u64 at)
{
	u64 value = 0;
	bpf_probe_read_kernel(&value, sizeof value, (void *)at);
	return value;
}

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h: all threads are to exit, with group_exit_code */

int on_process_exit(struct bpf_raw_tracepoint_args *ctx) /* (struct task_struct *, ...) */
{
	u64 task = ctx->args[0];
	struct writer w = {};
	w.ring = ring_of_cgroup(bpf_get_current_cgroup_id());
	if (!w.ring)
		return 0;
	if (w.ring->head.retries && retries.lookup(&task)) {
		retries.delete(&task);
		__sync_fetch_and_add(&w.ring->head.retries, -1);
	}
	w.cpu = &w.ring->cpu[bpf_get_smp_processor_id() & (TL_CPUS - 1)];
	u64 process = read64(task + TL_OFFSET_SIGNAL);
	u32 group_dead = !read32(process + TL_OFFSET_LIVE), code;
	if (!group_dead)
		code = read32(task + TL_OFFSET_EXIT_CODE);
	else if (read32(process + TL_OFFSET_SIGNAL_FLAGS) & SIGNAL_GROUP_EXIT)
		code = read32(process + TL_OFFSET_GROUP_EXIT_CODE);
	else
		code = read32(read64(task + TL_OFFSET_GROUP_LEADER) + TL_OFFSET_EXIT_CODE);
	if (group_dead && w.ring->head.init_pid == bpf_get_current_pid_tgid() >> 32) {
		w.ring->head.exit_code = code;
		w.ring->head.exit_ns = bpf_ktime_get_boot_ns();
		TL_PUBLISH(w.ring->head.exited, 1);
	}
	if (!begin(&w, sizeof(struct tl_task_exit)))
		return 0;
	struct tl_task_exit *record = (struct tl_task_exit *)header_at(w.ring, w.pos);
	record->code = code;
	record->group_dead = group_dead;
	finish(&w, &record->header, sizeof *record, TL_TASK_EXIT, 0);
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

TL_INLINE u64 id_of(u64 cgroup)
{
	return read64(read64(cgroup + TL_OFFSET_CGROUP_KN) + TL_OFFSET_KN_ID);
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
	u32 *slot = cgroups.lookup(&parent_id);
	if (!slot)
		return 0;
	u32 same = *slot;
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	if (!front || cgroups.update(&id, &same))
		return 0;
	*front = (id & ~TL_FRONT_MASK) | same;
	return 0;
}

int on_cgroup_rmdir(struct bpf_raw_tracepoint_args *ctx)
{
	u64 cgroup = ctx->args[0];
	if (!is_v2(cgroup))
		return 0;
	u64 id = id_of(cgroup);
	if (!cgroups.lookup(&id))
		return 0;
	cgroups.delete(&id);
	int bucket = id & TL_FRONT_MASK;
	u64 *front = cgroup_front.lookup(&bucket);
	/* Others may have collided with it: the hash is asked until user space sweeps. */
	if (front && !((*front ^ id) & ~TL_FRONT_MASK))
		*front = TL_FRONT_LOOK_BEHIND;
	return 0;
}
