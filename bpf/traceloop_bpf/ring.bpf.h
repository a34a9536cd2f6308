/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A ring as the recorder writes it, and a record's way into it: make room, then publish.
 */

#define ROUND8(n) (((n) + 7) & ~7ULL)
#define FIXED_MAX (sizeof(struct tl_header) + 8 + 8 + 6 * 8) /* header, wide number, result, registers */
#define RECORD_MAX (FIXED_MAX + TL_CALL_MAX + sizeof(struct tl_item) + ROUND8(TL_ITEM_MAX + 2))
#define PREFIX (sizeof(struct tl_chunk) + sizeof(struct tl_base))

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

struct message { /* struct user_msghdr */
	u64 name;
	u32 name_length, pad;
	u64 iov, iov_count;
	u64 control, control_length;
	u64 flags;
	u64 done; /* struct mmsghdr: msg_len */
};

struct message32 { /* the same of a 32-bit program */
	u32 name, name_length, iov, iov_count, control, control_length, flags, done;
};

struct iocb_part { /* struct iocb, from aio_lio_opcode */
	u16 opcode, priority;
	u32 fd;
	u64 from, size;
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
	u64 compat;       /* of a 32-bit program: words and pointers of four bytes */
	u64 list;         /* tl_kind of the list that is being walked; 0: none */
	u64 list_at, list_count, list_next;
	u64 list_left;    /* bytes that the call moved and that no element has shown yet */
	u64 list_arg, list_out;
	u64 outer;        /* TL_KIND_MMSG while its messages are walked, each a list */
	u64 outer_at, outer_count, outer_next, outer_whole;
	u64 result;
	u64 word[2];      /* a number of a width that a rule tells */
	struct message message;
	struct message32 message32;
	struct iocb_part iocb;
	u64 withheld;     /* TL_CLASS_... */
	u64 pad[2];
};

struct ring {
	struct tl_ring head;
	struct tl_cpu cpu[TL_CPUS];
	struct scratch scratch[TL_CPUS];
	struct tl_retry retries[TL_RETRIES];
	u8 data[TL_RING_SIZE + TL_SLACK];
};

_Static_assert(sizeof(struct scratch) == TL_SCRATCH_SIZE, "TL_SCRATCH_SIZE");
_Static_assert(__builtin_offsetof(struct ring, data) == TL_DATA_OFFSET, "TL_DATA_OFFSET");
_Static_assert(RECORD_MAX <= TL_SLACK && PREFIX + RECORD_MAX <= TL_CHUNK_SIZE, "a record fits a chunk");

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

/* The ring that has the data at a position of a larger one, whose `parts` are more than one; 0: there is none. */
TL_INLINE struct ring *part_at(struct ring *ring, u64 parts, u64 pos);

/*
 * Where a task's call is remembered until its exit: at one of two places that its address tells. So one container's
 * calls take no place of another's, and each that finds none is counted.
 */
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
	struct tl_retry *retry = find_retry(ring, task); /* of a call whose exit came elsewhere */
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

/* The arguments of the current task's call that could not be read at its entry; they are not remembered any more. */
TL_INLINE u32 recall(struct ring *ring, u64 task, u32 nr)
{
	if (!ring->head.retries)
		return 0;
	struct tl_retry *retry = find_retry(ring, task);
	if (!retry)
		return 0;
	u32 failed = retry->nr == nr ? retry->failed : 0;
	TL_PUBLISH(retry->task, 0);
	__sync_fetch_and_add(&ring->head.retries, -1);
	return failed;
}

/* A CPU's way from one record to the next. */
struct writer {
	struct ring *ring;
	struct ring *part; /* which has the record: `ring` itself, or a further one */
	struct tl_cpu *cpu;
	u64 from; /* first position written */
	u64 pos;  /* of the record */
	u64 task; /* whose record it is; 0: the current one's */
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
	w->tid_pid = w->task ? (u64)read32(w->task + TL_OFFSET_TGID) << 32 | read32(w->task + TL_OFFSET_PID)
			     : bpf_get_current_pid_tgid();
	w->now_ns = bpf_ktime_get_boot_ns();

	u64 pos = cpu->pos, end = cpu->end, head = *(volatile u64 *)&ring->head.head;
	u32 renames = ring->head.renames;
	u64 parts = ring->head.parts;
	bool chunk = false;
	/* A new chunk where this one is full, or so old that the others would soon lap it, and what is new in it. */
	if (pos + bytes + PREFIX > end || head - pos > parts * (TL_RING_SIZE / 2)) {
		pos = __sync_fetch_and_add(&ring->head.head, TL_CHUNK_SIZE);
		TL_PUBLISH(cpu->busy, pos + 1);
		TL_PUBLISH(cpu->pos, pos);
		TL_PUBLISH(cpu->end, pos + TL_CHUNK_SIZE);
		chunk = true;
	}
	w->from = pos;
	struct ring *part = ring;
	if (parts > 1) {
		part = part_at(ring, parts, pos); /* a chunk lies in one */
		if (!part) {
			cpu->dropped++;
			TL_PUBLISH(cpu->busy, 0);
			return false;
		}
	}
	TL_OPAQUE(part);
	w->part = part;
	if (chunk) {
		struct tl_chunk *c = (struct tl_chunk *)header_at(w->part, pos);
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
		struct tl_base *b = (struct tl_base *)header_at(w->part, pos);
		b->header.tid = w->tid_pid;
		b->header.delta_ns = w->tid_pid >> 32;
		b->header.nr = 0;
		b->header.length_type = LENGTH_TYPE(sizeof *b, TL_BASE);
		b->ts_ns = w->now_ns;
		if (w->task)
			bpf_probe_read_kernel(b->comm, sizeof b->comm, (void *)(w->task + TL_OFFSET_COMM));
		else
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
	if (type != TL_EXIT && type != TL_SIGNAL_SENT)
		cpu->events++;
	TL_PUBLISH(cpu->pos, w->pos + bytes);
	u64 head = *(volatile u64 *)&ring->head.head;
	if (head - w->from > (u64)ring->head.parts * TL_RING_SIZE - TL_CHUNK_SIZE) {
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
