/* SPDX-License-Identifier: GPL-2.0-only
 *
 * The steps that write a record. reserve() finds room; the caller looks up the part of the ring that has it, because
 * BCC rewrites map operations in tracer.bpf.c alone; begin_in() writes what is due before the record; start() writes
 * the record's header; finish() publishes the record. A call's return that completes the record of its entry has
 * reserve_after_entry() and complete() in their places.
 */
#ifndef TRACELOOP_WRITER_BPF_H
#define TRACELOOP_WRITER_BPF_H

#include TL_ARCH
#include "layout.bpf.h"
#include "marks.h"

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

/* The state of one record that is written. */
struct writer {
	struct ring *ring;
	struct ring *part; /* the ring that has the record: `ring` itself, or another of its parts */
	struct tl_cpu *cpu;
	u64 from; /* the first position that is written */
	u64 pos;  /* of the record */
	u64 task; /* the record's struct task_struct *; 0: the current task */
	u64 tid_pid;
	u64 now_ns;
	u64 parts;  /* of the ring */
	bool chunk; /* a new chunk begins */
};

/* Returns the tl_room of an entry's record. */
TL_INLINE struct tl_room *room_of(struct tl_header *header)
{
	return (struct tl_room *)(header + 1);
}

/*
 * Finds room for a record of at most `bytes`, and for a chunk's head and a base before it. False: it is not recorded.
 */
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
	/*
	 * Begins a new chunk where this one is full, or so old that it would soon be overwritten, new records
	 * included.
	 */
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

/*
 * Prepares to complete the record of the current thread's entry, at position `entered` * 8, by at most `bytes` more.
 * False: something was written after it, or the ring may soon overwrite it, or the call took too long. Without branches,
 * because the verifier would walk what follows once for each.
 */
TL_INLINE bool reserve_after_entry(struct writer *w, u32 entered, u64 bytes)
{
	struct ring *ring = w->ring;
	struct tl_cpu *cpu = w->cpu;
	u64 from = cpu->open;
	if (cpu->busy)
		return false;
	TL_PUBLISH(cpu->busy, from + 1); /* a signal that an interrupt sends is recorded before or not at all */
	u64 pos = TL_RELOAD(cpu->pos), end = pos + bytes;
	u64 bad = (from >> 3 ^ entered) << 32 | (pos ^ TL_RELOAD(cpu->open_end)) | (from ^ TL_RELOAD(cpu->open));
	w->parts = ring->head.parts;
	bad |= (cpu->end - end) >> 63; /* 1: negative */
	bad |= (TL_LENGTH_MASK * 8 - (end - from)) >> 63;
	bad |= (w->parts * (TL_RING_SIZE / 2) - (TL_RELOAD(ring->head.head) - from)) >> 63;
	cpu->now_ns = bpf_ktime_get_boot_ns();
	bad |= (cpu->now_ns - cpu->base_ns) >> 32;
	if (bad) {
		TL_PUBLISH(cpu->busy, 0);
		return false;
	}
	w->from = from;
	w->pos = pos;
	return true;
}

/* Gives up the record that room was reserved for. */
TL_INLINE void give_up(struct writer *w)
{
	w->cpu->dropped++;
	TL_PUBLISH(w->cpu->busy, 0);
}

/* Writes what is due before the record into w->part, and sets `pos` to the record's position. */
TL_INLINE void begin_in(struct writer *w)
{
	struct ring *ring = w->ring;
	struct tl_cpu *cpu = w->cpu;
	u32 renames = ring->head.renames;
	u64 pos = w->from;
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
	if (w->chunk || cpu->tid != (u32)w->tid_pid || cpu->renames != renames ||
	    w->now_ns - cpu->base_ns > 0xffffffffULL) {
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

/*
 * Writes the record's header without stamp, length and type, so that thread and time need not be kept until the end.
 */
TL_INLINE struct tl_header *start(struct writer *w, u16 nr)
{
	struct tl_header *header = header_at(w->part, w->pos);
	header->tid = w->tid_pid;
	header->delta_ns = w->now_ns - w->cpu->base_ns;
	header->nr = nr;
	return header;
}

/* In tests: waits now and then, as a virtual CPU does that loses its host's CPU. Once a program, as the verifier walks it. */
TL_INLINE void stall(void)
{
#ifdef TL_TEST_STALL
	if (bpf_get_smp_processor_id() == 0 && (bpf_get_prandom_u32() & 2047) == 0) {
#pragma clang loop unroll(disable)
		for (int i = 0; i < TL_TEST_STALL; i++) {
			u64 nothing;
			read_user(&nothing, sizeof nothing, (void *)8); /* a fault takes its time */
		}
	}
#endif
}

/* What may be written behind a record's end: memory of which less was read than there was room for. */
#define BEHIND_MAX ((TL_ITEM_MAX > 256 ? TL_ITEM_MAX : 256) + 16)

/*
 * Ends what reserve() began at `from`: the next record is to begin at `end`. Notes what is `written` up to a position as
 * late if the ring was lapped meanwhile.
 */
TL_INLINE void end_at(struct writer *w, u64 from, u64 end, u64 written)
{
	struct ring *ring = w->ring;
	struct tl_cpu *cpu = w->cpu;
	TL_PUBLISH(cpu->pos, end);
	u64 head = *(volatile u64 *)&ring->head.head;
	if (head - from > (u64)ring->head.parts * TL_RING_SIZE - TL_CHUNK_SIZE) {
		u64 n = cpu->late_count;
		TL_OPAQUE(n);
		n &= TL_LATE - 1;
		cpu->late[n].from = from;
		cpu->late[n].to = written;
		cpu->late[n].head = head;
		TL_BARRIER();
		cpu->late_count++;
	}
	TL_PUBLISH(cpu->busy, 0);
}

/* Leaves out the record of `bytes` bytes that was written at w->pos; what is due before it stays. */
TL_INLINE void leave_out(struct writer *w, u64 bytes)
{
	end_at(w, w->from, w->pos, w->pos + bytes + BEHIND_MAX);
}

/* Publishes the record of `bytes` bytes. */
TL_INLINE void publish(struct writer *w, struct tl_header *header, u64 bytes, u32 type)
{
	struct tl_cpu *cpu = w->cpu;
	header->length_type = LENGTH_TYPE(bytes, type);
	stamp(w->ring, header, w->pos);
	cpu->records++;
	if (type != TL_EXIT && type != TL_SIGNAL_SENT && type != TL_LEFT && type != TL_SENDER && type != TL_OOM &&
	    type != TL_CAPABILITY && type != TL_RETURN)
		cpu->events++;
	end_at(w, w->from, w->pos + bytes, w->pos + bytes + BEHIND_MAX);
}

TL_INLINE void finish(struct writer *w, struct tl_header *header, u64 bytes, u32 type)
{
	stall();
	publish(w, header, bytes, type);
}

/* Publishes a call's entry of `bytes` bytes, which the call's return may complete. */
TL_INLINE void finish_entry(struct writer *w, struct tl_header *header, u64 bytes)
{
	TL_PUBLISH(w->cpu->open, w->pos);
	w->cpu->open_end = w->pos + bytes;
	finish(w, header, bytes, TL_ENTER);
}

/*
 * Completes the record of a call's entry, after which `bytes` bytes of its end are written; 8: the result alone. What it
 * needs is read from map memory again, because the verifier would walk a capture() before it once for each way to it.
 */
TL_INLINE void complete(struct writer *w, s64 result, u64 bytes)
{
	struct tl_cpu *cpu = w->cpu;
	u64 from = TL_RELOAD(cpu->open), length = TL_RELOAD(cpu->open_end) - from;
	struct tl_header *header = header_at(w->part, from);
	struct tl_room *room = room_of(header);
	room->duration_ns = TL_RELOAD(cpu->now_ns) - cpu->base_ns - header->delta_ns;
	if (bytes == 8 && result == (s32)result) {
		room->result = result;
		TL_PUBLISH(header->length_type, LENGTH_TYPE(length, TL_CALL));
	} else {
		room->exit_at = length;
		length += bytes;
		TL_PUBLISH(header->length_type, LENGTH_TYPE(length, TL_CALL_OUT));
	}
	end_at(w, from, from + length, from + length + BEHIND_MAX);
	TL_PUBLISH(cpu->open, 0);
}

#endif
