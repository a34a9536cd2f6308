/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Requests that a container submits by io_uring: their records in the ring, and where the programs find a request's
 * arguments in the kernel's memory. `traceloop_decode.layout` mirrors both.
 *
 * A request has two records, a TL_ENTER when the kernel has accepted or refused it and a TL_EXIT when it posts a
 * completion. Their tl_header.nr says TL_REQUEST where a system call's record has its number of registers, which is six at
 * most; the records of system calls stay as they are, so this is no part of the layout of rings (see identity.py).
 *
 *     TL_ENTER  tl_header | tl_request      | u64 registers[], as many as nr says | items
 *     TL_EXIT   tl_header | tl_request_done | items
 *
 * A request's registers and items are those of the system call that does the same, as far as there is one.
 */
#ifndef TRACELOOP_REQUESTS_H
#define TRACELOOP_REQUESTS_H

#include "rules.h"

/* tl_header.nr of a request */
#define TL_REQUEST (TL_NR_ARGS_MASK << TL_NR_ARGS_SHIFT)
#define TL_REQUEST_OPCODE_MASK 0xff /* enum io_uring_op of linux/io_uring.h */
#define TL_REQUEST_ARGS_SHIFT 8     /* of a TL_ENTER: how many registers follow, in three bits */
#define TL_REQUEST_REFUSED 0x800    /* of a TL_ENTER: the kernel refused it; its arguments were read from the queue */
#define TL_REQUEST_AGAIN 0x800      /* of a TL_EXIT: it names no request, which is known by its user_data alone */
#define TL_REQUEST_LAST 0x400 /* with TL_REQUEST_AGAIN: the queue of completions was full, and the request is over */

/* follows the tl_header of a TL_ENTER */
struct tl_request {
	__u32 request;  /* tells it from others in flight: a hash of its address */
	__u32 instance; /* the same of its struct io_ring_ctx */
	__u64 user_data;
	__u32 flags; /* IOSQE_... */
	/* where a direct descriptor is to be made or closed: 1 + its index, ~0 for any; 0: an ordinary one */
	__u32 slot;
};

/* follows the tl_header of a TL_EXIT */
struct tl_request_done {
	__u32 request; /* 0 with TL_REQUEST_AGAIN */
	__u32 instance;
	__u64 user_data;
	__s32 result;
	__u32 flags; /* IORING_CQE_F_... */
};

/* Where a number lies: `size` bytes at offset `at` of the memory that `base` names. */
#define TL_SOURCE_NONE 0    /* nowhere: it is 0 */
#define TL_SOURCE_REQUEST 1 /* struct io_kiocb, whose beginning is the command's own struct */
#define TL_SOURCE_ASYNC 2   /* what its async_data points to, if it has any */
#define TL_SOURCE_CONST 3   /* it is `at` itself */
#define TL_SOURCE_QUEUE 4   /* the entry of the queue, which the program may have changed since the kernel read it */

struct tl_source {
	__u16 at;
	__u8 size;
	__u8 base;
	__u8 sqe_at; /* the same in struct io_uring_sqe, for a request that the kernel refused */
	__u8 sqe_size;
};

#define TL_REQUEST_ARGS 6
#define TL_OPCODES 80

/* How one opcode is recorded. */
struct tl_opcode {
	struct tl_source arguments[TL_REQUEST_ARGS];
	struct tl_source slot;
	/*
	 * The kernel's own copy of what the argument `copied` points to: its `size` is 1 + the index of the argument
	 * that has its length, or 0 and its length is copy_bytes.
	 */
	struct tl_source copy;
	__u16 copy_bytes;
	__u8 count;   /* arguments */
	__u8 names;   /* bit per argument that is a struct filename * */
	__u8 strings; /* bit per argument that is the address of a string in the kernel */
	__u8 copied;
	__u8 content; /* TL_CLASS_... of the copy */
	/* offset of the u32 in struct io_kiocb that counts bytes by which the buffer was moved on; 0: none */
	__u8 advanced;
	struct tl_call call; /* what else its arguments point at */
};

#endif
