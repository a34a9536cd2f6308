/* SPDX-License-Identifier: GPL-2.0-only
 *
 * A record's way into its ring. reserve() finds room, begin() fills the part that has it up to the record, finish()
 * publishes the record. Between the first two the caller looks up which part of a larger ring that is: BCC rewrites what
 * is done with maps in tracer.bpf.c alone.
 */
#ifndef TRACELOOP_WRITER_BPF_H
#define TRACELOOP_WRITER_BPF_H

#include "arch_x86_64.h"
#include "layout.bpf.h"

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
	struct ring *part; /* which has the record: `ring` itself, or a further one */
	struct tl_cpu *cpu;
	u64 from; /* first position written */
	u64 pos;  /* of the record */
	u64 task; /* whose record it is; 0: the current one's */
	u64 tid_pid;
	u64 now_ns;
	u64 parts; /* of the ring */
	bool chunk; /* a new chunk begins */
};

/* Finds room for a record of at most `bytes`, after a new chunk and base where one is due. False: not recorded. */
TL_INLINE bool reserve(struct writer *w, u64 bytes)
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
	w->parts = ring->head.parts;
	w->chunk = false;
	/* A new chunk where this one is full, or so old that the others would soon lap it, and what is new in it. */
	if (pos + bytes + PREFIX > end || head - pos > w->parts * (TL_RING_SIZE / 2)) {
		pos = __sync_fetch_and_add(&ring->head.head, TL_CHUNK_SIZE);
		TL_PUBLISH(cpu->busy, pos + 1);
		TL_PUBLISH(cpu->pos, pos);
		TL_PUBLISH(cpu->end, pos + TL_CHUNK_SIZE);
		w->chunk = true;
	}
	w->from = pos;
	return true;
}

/* What was reserved is not used. */
TL_INLINE void give_up(struct writer *w)
{
	w->cpu->dropped++;
	TL_PUBLISH(w->cpu->busy, 0);
}

/* Writes what is due before the record into `part`, and sets `pos` to where the record lies. */
TL_INLINE void begin_in(struct writer *w, struct ring *part)
{
	struct ring *ring = w->ring;
	struct tl_cpu *cpu = w->cpu;
	u32 renames = ring->head.renames;
	u64 pos = w->from;
	w->part = part;
	if (w->chunk) {
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
	if (w->chunk || cpu->tid != (u32)w->tid_pid || cpu->renames != renames || w->now_ns - cpu->base_ns > 0xffffffffULL) {
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

#endif
