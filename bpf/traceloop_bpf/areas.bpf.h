/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Keeps a record in an area of the ring, where what the ring's data overwrites does not reach it.
 */
#ifndef TRACELOOP_AREAS_BPF_H
#define TRACELOOP_AREAS_BPF_H

#include "layout.bpf.h"
#include "verifier.h"
#include "writer.bpf.h"

#define AREA_RECORD_MAX RECORD_MAX

/* Returns where an area has the byte at a position, as a distance from its first one. */
TL_INLINE u64 place_in_area(const struct tl_area *area, u64 pos)
{
	u64 size = area->size, kept = area->kept;
	return pos < size ? pos : kept + (pos - kept) % (size - kept);
}

/*
 * Copies the record of `length` bytes at `from`, of type `type`, to the area `n`, which has `room` bytes at `data`. The
 * thread is w->task, or the current one. begun_ns: the time of the record.
 */
TL_INLINE void keep(struct writer *w, u32 n, u8 *data, u64 room, const void *from, u64 length, u32 type, u64 begun_ns)
{
	struct ring *ring = w->ring;
	struct tl_cpu *cpu = w->cpu;
	struct tl_area *area = &ring->areas[n];
	struct tl_base *base;
	struct tl_header *header;
	u64 size = area->size;
	TL_OPAQUE(length);
	if (!size || cpu->keeping || length < sizeof *header || length > AREA_RECORD_MAX) {
		if (size)
			__sync_fetch_and_add(&area->dropped, 1);
		return;
	}
	TL_PUBLISH(cpu->keeping, TL_RELOAD(area->head) | (n + 1)); /* at most the position that is reserved now */
	u64 pos = __sync_fetch_and_add(&area->head, sizeof *base + length);
	u64 at = place_in_area(area, pos) & ~7ULL;
	TL_OPAQUE(at);
	if (at < room) {
		base = (struct tl_base *)(data + at);
		header = (struct tl_header *)(base + 1);
		base->header.stamp = 0;
		header->stamp = 0;
		bpf_probe_read_kernel(&header->tid, length - sizeof header->stamp, from + sizeof header->stamp);
		base->header.tid = header->tid;
		base->header.nr = bpf_get_smp_processor_id();
		base->header.length_type = LENGTH_TYPE(sizeof *base, TL_BASE);
		base->ts_ns = begun_ns;
		if (w->task) {
			base->header.delta_ns = read32(w->task + TL_OFFSET_TGID);
			bpf_probe_read_kernel(base->comm, sizeof base->comm, (void *)(w->task + TL_OFFSET_COMM));
		} else {
			base->header.delta_ns = bpf_get_current_pid_tgid() >> 32;
			bpf_get_current_comm(base->comm, sizeof base->comm);
		}
		header->delta_ns = 0;
		header->length_type = LENGTH_TYPE(length, type);
		if (TL_RELOAD(ring->head.head) - w->from > w->parts * TL_RING_SIZE - TL_CHUNK_SIZE) {
			__sync_fetch_and_add(&area->dropped, 1); /* others wrote over what was copied */
		} else {
			stamp(ring, header, pos + sizeof *base);
			stamp(ring, &base->header, pos);
		}
	}
	u64 head = TL_RELOAD(area->head);
	if (head - pos > size - area->kept && pos >= area->kept) /* written late, over others' records */
		TL_PUBLISH(area->valid, head);
	TL_PUBLISH(cpu->keeping, 0);
}

#endif
