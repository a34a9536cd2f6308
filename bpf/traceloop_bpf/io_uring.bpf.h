/* SPDX-License-Identifier: GPL-2.0-only
 *
 * What the records of an io_uring request have: arguments from the kernel's own copy of the request, so that a program
 * cannot change them after the kernel has read them, and names of files as the kernel has read them.
 *
 * A request that the kernel refuses while it reads it has no whole copy. Its arguments are read from the queue in memory
 * that the program shares, and its record says so (TL_REQUEST_REFUSED).
 */
#ifndef TRACELOOP_IO_URING_BPF_H
#define TRACELOOP_IO_URING_BPF_H

#ifdef TL_URING /* the kernel has the tracepoints */

#include "capture.bpf.h"
#include "requests.h"
#include "scratch.bpf.h"
#include "writer.bpf.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define SQE_FLAGS_MASK 0xff   /* the lowest REQ_F_... are the IOSQE_... */
#define SQE_OPCODE 0          /* offsets in struct io_uring_sqe: linux/io_uring.h */
#define IORING_SETUP_SQE128 0x400
#define IORING_SETUP_NO_SQARRAY 0x10000
#define CQE_USER_DATA 0 /* offsets in struct io_uring_cqe */
#define CQE_RES 8
#define CQE_FLAGS 12

#define REQUEST_FIXED (sizeof(struct tl_header) + sizeof(struct tl_request) + TL_REQUEST_ARGS * 8)

/* A request, as its tracepoints tell of it. */
struct submitted {
	u64 request; /* struct io_kiocb * */
	u64 async;   /* what its async_data points to, 0: nothing yet */
	u64 sqe;     /* struct io_uring_sqe * of a request that the kernel refused, else 0 */
	u64 instance;
};

TL_INLINE u64 read_kernel(u64 at, u64 bytes)
{
	u64 value = 0;
	bytes &= 15;
	if (bytes > 8)
		return 0;
	bpf_probe_read_kernel(&value, bytes, (void *)at);
	return value;
}

/* A number by which two records know the same kernel object, and nobody its address: the ring's is as unknown as it is. */
TL_INLINE u32 known_as(struct ring *ring, struct scratch *s, u64 address)
{
	s->word[0] = (u64)ring;
	TL_BARRIER();
	u64 hash = (address - *(volatile u64 *)&s->word[0]) * 0x9e3779b97f4a7c15ULL;
	return (u32)(hash >> 32) | 1;
}

TL_INLINE bool is_of_32_bit_program(u64 instance)
{
	return read_kernel(instance + TL_OFFSET_URING_COMPAT, 1) >> TL_URING_COMPAT_BIT & 1;
}

TL_INLINE struct submitted look_at(u64 request, u64 sqe)
{
	struct submitted it = {.request = request, .sqe = sqe};
	it.instance = read64(request + TL_OFFSET_URING_CTX);
	if (read64(request + TL_OFFSET_URING_FLAGS) >> TL_URING_ASYNC_BIT & 1)
		it.async = read64(request + TL_OFFSET_URING_ASYNC);
	return it;
}

/* The queue's entry of the request that was submitted last: as io_get_sqe has it. */
TL_INLINE u64 last_sqe(u64 instance)
{
	u64 entries = read32(instance + TL_OFFSET_URING_SQ_ENTRIES), flags = read32(instance + TL_OFFSET_URING_SETUP);
	u64 index = (read32(instance + TL_OFFSET_URING_SQ_HEAD) - 1) & (entries - 1);
	if (!(flags & IORING_SETUP_NO_SQARRAY))
		index = read32(read64(instance + TL_OFFSET_URING_SQ_ARRAY) + index * 4);
	if (index >= entries)
		return 0;
	return read64(instance + TL_OFFSET_URING_SQES) + index * (flags & IORING_SETUP_SQE128 ? 128 : 64);
}

TL_INLINE u64 number_from(const struct tl_source *source, const struct submitted *it)
{
	if (it->sqe)
		return read_kernel(it->sqe + source->sqe_at, source->sqe_size);
	u64 base = it->request;
	if (source->base == TL_SOURCE_CONST)
		return source->at;
	if (source->base == TL_SOURCE_QUEUE)
		return read_kernel(last_sqe(it->instance) + source->sqe_at, source->sqe_size);
	if (source->base == TL_SOURCE_ASYNC)
		base = it->async;
	return source->base && base ? read_kernel(base + source->at, source->size) : 0;
}

TL_INLINE void take_arguments_of_request(struct scratch *s, const struct tl_opcode *op, const struct submitted *it)
{
#pragma clang loop unroll(disable)
	for (u64 n = 0; n < TL_REQUEST_ARGS; n++)
		s->arg[n & 7] = number_from(&op->arguments[n], it);
}

/*
 * Keeps the kernel's addresses of the names that it has read in s->frame, and puts the program's in their place among the
 * arguments. These need not be read again.
 */
TL_INLINE void take_names(struct scratch *s, const struct tl_opcode *op)
{
#pragma clang loop unroll(disable)
	for (u64 n = 0; n < TL_REQUEST_ARGS; n++) {
		u64 from = s->arg[n & 7];
		s->frame[n & 7] = from;
		if (!((op->names | op->strings) >> n & 1))
			continue;
		s->arg[n & 7] = 0;
		if (op->names >> n & 1 && from) {
			s->arg[n & 7] = read64(from + TL_OFFSET_FILENAME_UPTR);
			s->frame[n & 7] = read64(from + TL_OFFSET_FILENAME_NAME);
		}
	}
	s->wanted &= ~(u64)(op->names | op->strings);
}

/* Appends a string, the kernel's or the program's, as the item of an argument; the record's new length. */
TL_INLINE u64 put_string(struct tl_header *header, u64 length, u64 arg, u64 from, bool of_kernel)
{
	struct tl_item *item = (struct tl_item *)((u8 *)header + length);
	long got = of_kernel ? bpf_probe_read_kernel_str(item + 1, TL_ITEM_MAX + 2, (void *)from)
			     : read_user_str(item + 1, TL_ITEM_MAX + 2, (void *)from);
	u64 copied = got > 0 ? got - 1 : 0;
	u8 flags = got < 0 ? TL_ITEM_FAULT : 0;
	item->size = copied;
	if (copied > TL_ITEM_MAX) {
		copied = TL_ITEM_MAX;
		flags = TL_ITEM_MORE;
	}
	TL_OPAQUE(copied);
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	item->arg = arg;
	item->kind = TL_KIND_STRING | flags;
	item->copied = copied;
	return length + ROUND8(sizeof *item + copied);
}

/* Appends the kernel's copy of what an argument points to. */
TL_INLINE u64 put_kernel_copy(struct scratch *s, struct tl_header *header, u64 length, const struct tl_opcode *op,
			      u64 from)
{
	struct tl_item *item = (struct tl_item *)((u8 *)header + length);
	u64 size = op->copy.size ? s->arg[(op->copy.size - 1) & 7] : op->copy_bytes, copied = size;
	TL_OPAQUE(copied);
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	if (copied > op->copy_bytes)
		copied = op->copy_bytes;
	TL_OPAQUE(copied);
	if (copied > TL_ITEM_MAX)
		copied = TL_ITEM_MAX;
	if (!size || bpf_probe_read_kernel(item + 1, copied, (void *)from))
		return length;
	item->arg = op->copied;
	item->kind = TL_KIND_BUFFER | (copied < size ? TL_ITEM_MORE : 0);
	item->copied = copied;
	item->size = size;
	s->wanted &= ~(1ULL << (op->copied & 7));
	return length + ROUND8(sizeof *item + copied);
}

/* Appends the names of files and attributes: those that the kernel has read, or the program's. */
TL_INLINE u64 put_names(struct scratch *s, struct tl_header *header, u64 length, const struct tl_opcode *op,
			bool of_kernel)
{
	s->length = length;
#pragma clang loop unroll(full) /* else its end falls through to its begin, which Linux 6.1 refuses: "back-edge" */
	for (u64 n = 0; n < TL_REQUEST_ARGS; n++) {
		u64 from = of_kernel ? s->frame[n & 7] : s->arg[n & 7];
		u64 content = op->names >> n & 1 ? TL_CLASS_PATH : op->strings >> n & 1 ? TL_CLASS_NAME : TL_CLASS_ANY;
		length = s->length;
		TL_OPAQUE(length);
		if (from && content != TL_CLASS_ANY && !(content & s->withheld) && length <= FIXED_MAX + TL_CALL_MAX)
			s->length = put_string(header, length, n, from, of_kernel);
	}
	length = s->length;
	TL_OPAQUE(length);
	return length > RECORD_MAX ? RECORD_MAX : length;
}

/* Appends what else the kernel has read of the request's memory. */
TL_INLINE u64 put_copy(struct scratch *s, struct tl_header *header, u64 length, const struct tl_opcode *op,
		       const struct submitted *it)
{
	u64 base = op->copy.base == TL_SOURCE_ASYNC ? it->async : op->copy.base ? it->request : 0;
	if (base && !(op->content & s->withheld) && length <= FIXED_MAX + TL_CALL_MAX)
		length = put_kernel_copy(s, header, length, op, base + op->copy.at);
	return length;
}

/* Prepares what is read at a completion: what the request gave out, as its system call would. */
TL_INLINE bool has_output(const struct tl_opcode *op, const struct submitted *it, s32 result)
{
	if (!op->call.exit_rules || (result < 0 && !(op->call.flags & TL_CALL_OUT_ON_FAILURE)))
		return false;
	return !op->advanced || !read32(it->request + op->advanced);
}

/* The thread that submitted a request. */
TL_INLINE u64 task_of_request(u64 request)
{
#ifdef TL_OFFSET_URING_TASK
	return read64(request + TL_OFFSET_URING_TASK); /* on Linux 6.1 */
#else
	return read64(read64(request + TL_OFFSET_URING_TCTX) + TL_OFFSET_TCTX_TASK);
#endif
}

/* Another process that waits for a shared instance may be the one to post a completion: its memory is not meant. */
TL_INLINE bool is_in_its_process(u64 request)
{
	return read32(task_of_request(request) + TL_OFFSET_TGID) == bpf_get_current_pid_tgid() >> 32;
}

TL_INLINE bool is_kernel_thread(void)
{
	return *(volatile u32 *)(tl_current_task() + TL_OFFSET_TASK_FLAGS) & PF_KTHREAD;
}

#endif
#endif
